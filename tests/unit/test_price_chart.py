"""The price chart: steps, gaps, the lowest line, round axes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from aggregator.domain.money import Money
from aggregator.domain.products import PricePoint, PriceSeries
from web.price_chart import DISTINCT_LINES, PriceChart, price_chart

NOW = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)


def series(name: str, *points: tuple[float, str | None], currency: str = "EUR") -> PriceSeries:
    """Points as (days ago, price); None: sold out."""
    return PriceSeries(
        name,
        currency,
        tuple(
            PricePoint(NOW - timedelta(days=days), Decimal(price or "0"), price is not None)
            for days, price in points
        ),
    )


def chart(*of: PriceSeries) -> PriceChart:
    found = price_chart(of, "EUR", NOW, "en")
    assert found
    return found


def test_nothing_to_draw_is_no_chart() -> None:
    assert price_chart((), "EUR", NOW, "en") is None
    assert price_chart((series("A", (1, "5"), currency="USD"),), "EUR", NOW, "en") is None
    assert price_chart((series("A", (1, None)),), "EUR", NOW, "en") is None


def test_a_price_stands_until_the_next_one_and_to_the_right_edge() -> None:
    drawn = chart(series("A", (10, "10.00"), (5, "20.00")))
    assert drawn.lines[0].path == "M0.0 300.0H500.0V0.0H1000"
    assert drawn.prices == ("€20.00", "€17.50", "€15.00", "€12.50", "€10.00")
    assert drawn.times == ("1 Mar", "4 Mar", "8 Mar", "11 Mar")
    assert drawn.has_changes


def test_the_pen_is_up_while_nothing_can_be_bought() -> None:
    drawn = chart(series("A", (10, "10.00"), (5, None), (2, "20.00")))
    assert drawn.lines[0].path == "M0.0 300.0H500.0M800.0 0.0H1000"
    sold_out = chart(series("A", (10, "10.00"), (5, None)))
    assert sold_out.lines[0].path.endswith("H500.0")
    assert sold_out.lines[0].now is None
    assert sold_out.rows[0].price is None


def test_the_lowest_line_follows_the_cheapest_store_at_each_moment() -> None:
    drawn = chart(series("A", (10, "10.00")), series("B", (8, "20.00"), (5, "10.00"), (1, None)))
    assert drawn.lowest.path.startswith("M0.0 300.0H")
    assert drawn.lowest.now == Money(Decimal("10.00"), "EUR")
    cheaper_b = chart(series("A", (10, "20.00")), series("B", (5, "10.00"), (2.5, None)))
    assert cheaper_b.lowest.path == "M0.0 0.0H500.0V300.0H750.0V0.0H1000"


def test_one_point_is_a_flat_line_in_the_middle_that_begins_where_it_was_seen() -> None:
    drawn = chart(series("A", (0, "50.00")))
    assert not drawn.has_changes
    assert drawn.begins_at == NOW
    assert drawn.lines[0].path == "M1000.0 150.0H1000"
    assert len(drawn.prices) >= 3


@pytest.mark.parametrize("price", ["0", "0.01", "0.99", "9.99", "1234567.89"])
def test_any_single_price_lies_inside_its_axis(price: str) -> None:
    drawn = chart(series("A", (3, price)))
    y = Decimal(drawn.lines[0].path.removeprefix("M0.0 ").partition("H")[0])
    assert 0 <= y <= 300


def test_the_cheapest_stores_of_many_have_a_look_of_their_own() -> None:
    drawn = chart(*(series(f"S{number}", (9, str(100 + number))) for number in range(40, 0, -1)))
    assert [(line.label, line.look) for line in drawn.lines[:6]] == [
        ("S1", 1), ("S2", 2), ("S3", 3), ("S4", 4), ("S5", 5), ("S6", 0),
    ]  # fmt: skip
    assert sum(line.look > 0 for line in drawn.lines) == DISTINCT_LINES


def test_a_store_keeps_its_look_when_another_becomes_cheaper() -> None:
    before = chart(series("A", (9, "5")), series("B", (9, "6")))
    after = chart(series("A", (9, "5")), series("B", (9, "6"), (1, "4")))
    assert [(line.label, line.look) for line in before.lines] == [("A", 1), ("B", 2)]
    assert [(line.label, line.look) for line in after.lines] == [("B", 2), ("A", 1)]


def test_other_currencies_are_left_out_and_letters_keep_their_distance() -> None:
    found = price_chart((series("K", (3, "1.5"), currency="KWD"), series("A", (3, "5"))), "KWD", NOW, "en")
    assert found
    assert [line.label for line in found.lines] == ["K"]
    assert found.prices[0].startswith("KWD\u00a0")
