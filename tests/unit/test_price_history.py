"""What past prices say of today's: the lowest line, the 30-day low, drops and verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from aggregator.domain.price_history import find_drop, judge_price, lowest_in, lowest_line
from aggregator.domain.products import PricePoint, PriceSeries

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def line(*steps: tuple[float, str]) -> tuple[PricePoint, ...]:
    """Points by (days ago, price); a price of "-" means that nothing could be bought."""
    return tuple(
        PricePoint(NOW - timedelta(days=days), Decimal(price if price != "-" else "1"), price != "-")
        for days, price in steps
    )


def series(name: str, *steps: tuple[float, str]) -> PriceSeries:
    return PriceSeries(name, "EUR", line(*steps))


def test_the_lowest_line_follows_whichever_store_is_cheapest() -> None:
    found = lowest_line([series("a", (40, "20"), (10, "-"), (5, "18")), series("b", (30, "19"), (20, "25"))])
    assert found == line((40, "20"), (30, "19"), (20, "20"), (10, "25"), (5, "18"))


def test_it_has_a_gap_while_no_store_has_any() -> None:
    found = lowest_line([series("a", (40, "20"), (10, "-"))])
    assert [point.is_available for point in found] == [True, False]
    assert lowest_in(found, NOW - timedelta(days=5), NOW) is None
    assert lowest_in(found, NOW - timedelta(days=15), NOW) == 20


def test_a_drop_is_told_against_the_lowest_of_the_30_days_before_it() -> None:
    # 100 stood long ago and says nothing; 80 was the lowest of the 30 days before.
    drop = find_drop(line((90, "70"), (60, "100"), (25, "80"), (12, "95"), (2, "60")), NOW)
    assert drop is not None
    assert (drop.lowest_before, drop.price, drop.since) == (Decimal(80), Decimal(60), NOW - timedelta(days=2))
    assert drop.share == Decimal("0.25")


def test_a_price_raised_before_it_is_reduced_is_no_drop() -> None:
    drop = find_drop(line((60, "50"), (5, "90"), (1, "55")), NOW)
    assert drop is not None
    assert drop.share < 0


@pytest.mark.parametrize(
    "points",
    [
        line((3, "90"), (1, "60")),  # seen for too short a time
        line((90, "80")),  # nothing came before
        line((90, "80"), (1, "-")),  # it cannot be bought
        line((90, "80"), (31, "60")),  # it has cost that for longer than a month
        line((90, "80"), (70, "-"), (1, "60")),  # nobody sold it in the 30 days before
        (),
    ],
)
def test_where_nothing_can_be_said_of_a_drop_nothing_is_said(points: tuple[PricePoint, ...]) -> None:
    assert find_drop(points, NOW) is None


def test_a_price_that_goes_away_and_comes_back_begins_anew() -> None:
    drop = find_drop(line((60, "60"), (20, "-"), (10, "60")), NOW)
    assert drop is not None
    assert (drop.since, drop.share) == (NOW - timedelta(days=10), 0)


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        (line((89, "100"), (10, "80")), "low"),
        (line((89, "100"), (40, "80")), "low"),
        (line((89, "80"), (60, "100")), "usual"),
        (line((89, "80"), (10, "100")), "high"),
        (line((89, "100"), (50, "99"), (10, "98.5")), "usual"),  # less than 2 % is no news
        (line((89, "100")), "usual"),
        (line((400, "500"), (200, "100")), "usual"),  # what was half a year ago does not count
        (line((10, "100"), (2, "50")), "thin"),
        (line((400, "100"), (300, "-"), (5, "90")), "thin"),
    ],
)
def test_verdicts(points: tuple[PricePoint, ...], verdict: str) -> None:
    judged = judge_price(points, NOW)
    assert judged is not None
    assert judged.verdict == verdict


def test_a_verdict_says_how_often_it_was_cheaper_and_dearer() -> None:
    judged = judge_price(line((90, "70"), (81, "100"), (9, "90")), NOW)
    assert judged is not None
    assert (judged.seen_days, judged.median) == (90, Decimal(100))
    assert judged.cheaper_share == pytest.approx(0.1)
    assert judged.dearer_share == pytest.approx(0.8)


def test_what_cannot_be_bought_gets_no_verdict() -> None:
    assert judge_price(line((90, "70"), (1, "-")), NOW) is None
    assert judge_price((), NOW) is None
