"""What past prices say of today's: the lowest of all stores over time, the 30-day low, and a verdict in a word.

The rules are explained to shoppers in docs/prices.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from aggregator.domain.products import PricePoint, PriceSeries

# Directive 98/6/EC, article 6a ("Omnibus"): a reduction is told against the lowest price of the 30 days before it.
PRIOR_DAYS = timedelta(days=30)
# A reduction is claimed only where at least this much of those days was seen.
LEAST_PRIOR = timedelta(days=7)
VERDICT_DAYS = timedelta(days=90)
LEAST_SEEN = timedelta(days=14)
# A share of the days; and how far from the median a price must be for "low" or "high".
_TAIL = 0.2
_NOTABLE = Decimal("0.02")

Verdict = Literal["low", "usual", "high", "thin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVerdict:
    """How today's lowest price compares with those of the last 90 days; the last three are None where it is "thin".

    `cheaper_share` is the share of the seen time in which the product cost less, `dearer_share` in which it cost more.
    """

    verdict: Verdict
    seen_days: int
    median: Decimal | None = None
    cheaper_share: float | None = None
    dearer_share: float | None = None


@dataclass(frozen=True, slots=True)
class PriceDrop:
    """The present price began at `since`; `lowest_before` was the lowest of the 30 days before that."""

    price: Decimal
    lowest_before: Decimal
    since: datetime

    @property
    def share(self) -> Decimal:
        """0.25 for a quarter less; negative where the price rose."""
        return 1 - self.price / self.lowest_before


def lowest_line(series: Iterable[PriceSeries]) -> tuple[PricePoint, ...]:
    """The lowest price of all stores at each moment at which it changed; not available where no store had any."""
    events = sorted(
        ((point.recorded_at, place, point) for place, one in enumerate(series) for point in one.points),
        key=lambda event: event[:2],
    )
    held: dict[int, Decimal] = {}
    lowest: Decimal | None = None
    found: list[PricePoint] = []
    for at, (moment, place, point) in enumerate(events):
        before = held.pop(place, None)
        if point.is_available:
            held[place] = point.price
        if point.is_available and (lowest is None or point.price <= lowest):
            lowest = point.price
        elif before is not None and before == lowest:
            lowest = min(held.values(), default=None)
        if at + 1 < len(events) and events[at + 1][0] == moment:
            continue
        price, is_available = point.price if lowest is None else lowest, lowest is not None
        if not found or (found[-1].price, found[-1].is_available) != (price, is_available):
            found.append(PricePoint(moment, price, is_available))
    return tuple(found)


def lowest_in(line: Sequence[PricePoint], begin: datetime, end: datetime) -> Decimal | None:
    """The lowest price that stood at any time in [begin, end); None where there was none."""
    return min((price for price, _ in _spans(line, begin, end)), default=None)


def present_since(line: Sequence[PricePoint]) -> datetime | None:
    """When the present price began; None while the product cannot be bought."""
    if not line or not line[-1].is_available:
        return None
    since = line[-1].recorded_at
    for point in reversed(line):
        if (point.price, point.is_available) != (line[-1].price, True):
            break
        since = point.recorded_at
    return since


def find_drop(line: Sequence[PricePoint], now: datetime) -> PriceDrop | None:
    """What the present price fell (or rose) by against the 30 days before it began.

    None while the product cannot be bought, where less than LEAST_PRIOR of those days was seen, and for a price that
    has stood for longer than 30 days: it is the usual one by then.
    """
    since = present_since(line)
    if since is None:
        return None
    begin = since - PRIOR_DAYS
    seen = sum((span for _, span in _spans(line, begin, since)), timedelta())
    before = lowest_in(line, begin, since)
    if before is None or not before or seen < LEAST_PRIOR or not timedelta() <= now - since <= PRIOR_DAYS:
        return None
    return PriceDrop(line[-1].price, before, since)


def judge_price(line: Sequence[PricePoint], now: datetime) -> PriceVerdict | None:
    """The verdict on the present lowest price; None while the product cannot be bought.

    Low: it cost less in at most a fifth of the seen time of the last 90 days, and today it is at least 2 % below their
    median. High: the mirror image. Less than 14 seen days are too thin to say anything.
    """
    if not line or not line[-1].is_available:
        return None
    price = line[-1].price
    spans = list(_spans(line, now - VERDICT_DAYS, now))
    seen = sum((span for _, span in spans), timedelta())
    if seen < LEAST_SEEN:
        return PriceVerdict(verdict="thin", seen_days=seen.days)
    median = _median(spans, seen)
    cheaper = sum((span for one, span in spans if one < price), timedelta()) / seen
    dearer = sum((span for one, span in spans if one > price), timedelta()) / seen
    verdict: Verdict = "usual"
    if cheaper <= _TAIL and price <= median * (1 - _NOTABLE):
        verdict = "low"
    elif dearer <= _TAIL and price >= median * (1 + _NOTABLE):
        verdict = "high"
    return PriceVerdict(
        verdict=verdict, seen_days=seen.days, median=median, cheaper_share=cheaper, dearer_share=dearer
    )


def _spans(line: Sequence[PricePoint], begin: datetime, end: datetime) -> Iterable[tuple[Decimal, timedelta]]:
    """(price, how long it stood) within [begin, end), without the times in which nothing could be bought."""
    for place, point in enumerate(line):
        until = line[place + 1].recorded_at if place + 1 < len(line) else end
        span = min(until, end) - max(point.recorded_at, begin)
        if point.is_available and span > timedelta():
            yield point.price, span


def _median(spans: Sequence[tuple[Decimal, timedelta]], seen: timedelta) -> Decimal:
    passed = timedelta()
    for price, span in sorted(spans):
        passed += span
        if passed * 2 >= seen:
            return price
    raise AssertionError("the spans add up to what was seen")
