"""The price history of a product as a drawing: step lines per store, the lowest overall, and the table behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from heapq import nlargest
from typing import Any

from babel.dates import format_datetime

from aggregator.domain.money import Money
from aggregator.domain.price_history import lowest_line
from aggregator.domain.products import PricePoint, PriceSeries
from web.presenters import spaced

WIDTH, HEIGHT = 1000, 300
# Lines that get a colour and a dash pattern of their own; the others share a quiet one.
DISTINCT_LINES = 5
# More than this nobody can tell apart.
MOST_LINES = 40
MOST_ROWS = 50
SHORTEST_SPAN = timedelta(minutes=10)
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One line: whose, its SVG path in WIDTH x HEIGHT, its look (1.. or 0 for quiet), its price now if it has one."""

    label: str
    path: str
    look: int
    now: Money | None


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One line of the table behind the chart; `price` is None from when on it could not be bought."""

    recorded_at: datetime
    label: str
    price: Money | None


@dataclass(frozen=True, slots=True)
class PriceChart:
    """What the template draws. Labels are evenly spaced: `prices` from the top down, `times` from the left.

    `rows` are the newest changes, at most MOST_ROWS.
    """

    lines: tuple[ChartLine, ...]
    lowest: ChartLine
    prices: tuple[str, ...]
    times: tuple[str, ...]
    begins_at: datetime
    has_changes: bool
    rows: tuple[ChartRow, ...]
    has_more_rows: bool


def price_chart(
    history: Iterable[PriceSeries], currency: str, now: datetime, locale: str, days: int | None = None
) -> PriceChart | None:
    """The chart of the series in that currency over so many days (None: all); None where there is nothing to draw."""
    first = None if days is None else now - timedelta(days=days)
    series = [_from(one, first) for one in history if one.currency == currency]
    series = [one for one in series if any(point.is_available for point in one.points)]
    if not series:
        return None
    series.sort(key=_price_now)
    # By name, not by price: a store keeps its colour when it becomes cheaper than another.
    by_name = sorted(range(len(series[:DISTINCT_LINES])), key=lambda place: series[place].store_name)
    looks = {place: look for look, place in enumerate(by_name, start=1)}
    begins_at = min(one.points[0].recorded_at for one in series)
    begin = min(begins_at, now - SHORTEST_SPAN)
    amounts = [point.price for one in series for point in one.points if point.is_available]
    bottom, top, step = _scale(min(amounts), max(amounts))
    frame = _Frame(begin, now, bottom, top)
    lowest = lowest_line(series)
    label_count = int((top - bottom) / step) + 1
    return PriceChart(
        lines=tuple(
            ChartLine(
                one.store_name,
                frame.path(one.points),
                looks.get(place, 0),
                _money(one.points[-1], currency),
            )
            for place, one in enumerate(series)
        ),
        lowest=ChartLine("", frame.path(lowest), 0, _money(lowest[-1], currency)),
        prices=tuple(
            spaced(Money(top - step * place, currency).shown(locale)) for place in range(label_count)
        ),
        times=_time_labels(begin, now, locale),
        begins_at=begins_at,
        has_changes=any(len(one.points) > 1 for one in series) or len(lowest) > 1,
        rows=tuple(
            ChartRow(point.recorded_at, name, _money(point, currency))
            for point, name in nlargest(
                MOST_ROWS,
                ((point, one.store_name) for one in series for point in one.points),
                key=lambda row: row[0].recorded_at,
            )
        ),
        has_more_rows=sum(len(one.points) for one in series) > MOST_ROWS,
    )


def chart_document(series: Sequence[PriceSeries]) -> dict[str, Any]:
    """The series as JSON: points are [seconds since 1970, price as a string or null while it cannot be bought]."""
    return {
        "lowest": _points(lowest_line(series)),
        "stores": [
            {"name": one.store_name, "points": _points(one.points)}
            for one in sorted(series, key=_price_now)[:MOST_LINES]
        ],
    }


def _points(points: Iterable[PricePoint]) -> list[list[int | str | None]]:
    return [
        [int(point.recorded_at.timestamp()), str(point.price) if point.is_available else None]
        for point in points
    ]


@dataclass(frozen=True, slots=True)
class _Frame:
    begin: datetime
    end: datetime
    bottom: Decimal
    top: Decimal

    def path(self, points: Iterable[PricePoint]) -> str:
        """Steps to the right: a price stands until the next one; the pen is up while nothing can be bought."""
        commands: list[str] = []
        is_down = False
        for point in points:
            x, y = self._x(point.recorded_at), self._y(point.price)
            if is_down:
                commands.append(f"H{x}")
            if point.is_available:
                commands.append(f"V{y}" if is_down else f"M{x} {y}")
            is_down = point.is_available
        if is_down:
            commands.append(f"H{WIDTH}")
        return "".join(commands)

    def _x(self, moment: datetime) -> str:
        return _tenths((moment - self.begin) * (10 * WIDTH) // (self.end - self.begin), WIDTH)

    def _y(self, price: Decimal) -> str:
        share = (self.top - price) * (10 * HEIGHT) / (self.top - self.bottom)
        return _tenths(int(share.to_integral_value()), HEIGHT)


def _tenths(tenths: int, most: int) -> str:
    """A place in the drawing, to a tenth and inside it."""
    whole, rest = divmod(min(max(tenths, 0), 10 * most), 10)
    return f"{whole}.{rest}"


def _money(point: PricePoint, currency: str) -> Money | None:
    return Money(point.price, currency) if point.is_available else None


def _price_now(series: PriceSeries) -> tuple[bool, Decimal, str]:
    last = series.points[-1]
    return not last.is_available, last.price, series.store_name


def _from(series: PriceSeries, first: datetime | None) -> PriceSeries:
    """The series from then on; the price that stood at that moment begins there."""
    if first is None:
        return series
    standing = [point for point in series.points if point.recorded_at <= first][-1:]
    points = (
        *(replace(point, recorded_at=first) for point in standing),
        *(point for point in series.points if point.recorded_at > first),
    )
    return replace(series, points=points)


def _scale(lowest: Decimal, highest: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """(bottom, top, step) of an axis with two to five round steps around the prices."""
    spread = max(highest - lowest, highest * Decimal("0.08"), Decimal("0.04"))
    middle = (highest + lowest) / 2
    power = Decimal(1).scaleb((spread / 4).adjusted())
    step = next(power * factor for factor in _STEPS if power * factor >= spread / 4)
    bottom = ((middle - spread / 2) / step).to_integral_value(ROUND_FLOOR) * step
    top = ((middle + spread / 2) / step).to_integral_value(ROUND_CEILING) * step
    return max(bottom, Decimal(0)), top, step


def _time_labels(begin: datetime, end: datetime, locale: str, count: int = 4) -> tuple[str, ...]:
    span = end - begin
    pattern = "HH:mm" if span < timedelta(days=2) else "d MMM" if span < timedelta(days=300) else "MMM y"
    moments = (begin + span * place / (count - 1) for place in range(count))
    labels = tuple(format_datetime(moment.astimezone(UTC), pattern, locale=locale) for moment in moments)
    return (*labels[:-1], f"{labels[-1]} UTC") if pattern == "HH:mm" else labels
