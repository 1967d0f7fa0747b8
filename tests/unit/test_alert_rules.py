"""When an alert fires, and when its account may be told."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from aggregator.domain.alerts import AlertRule, AlertWishes, BestOffer, Watched, judge_alert
from aggregator.domain.products import PricePoint

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SET = NOW - timedelta(days=2)


def watched(rule: AlertRule, **changes: object) -> Watched:
    values: dict[str, object] = {
        "rule": rule,
        "amount": Decimal(50) if rule == "below" else None,
        "percent": 10 if rule == "percent" else None,
        "with_shipping": False,
        "price_then": Decimal(100),
        "told": None,
        "is_armed": True,
        "created_at": SET,
    }
    return Watched(**{**values, **changes})  # type: ignore[arg-type]  # the names are those of the fields


def at(price: str, total: str | None = None) -> BestOffer:
    return BestOffer(price=Decimal(price), total=Decimal(total) if total else None)


def line(*points: tuple[int, str]) -> tuple[PricePoint, ...]:
    return tuple(PricePoint(NOW - timedelta(days=days), Decimal(price), True) for days, price in points)


@pytest.mark.parametrize(
    ("alert", "best", "expected"),
    [
        (watched("below"), at("50.00"), (True, True)),
        (watched("below"), at("50.01"), (False, False)),
        (watched("below"), None, (False, False)),
        (watched("below", is_armed=False, told=Decimal(50)), at("50.00"), (True, False)),
        (watched("below", is_armed=False, told=Decimal(50)), at("49.00"), (True, True)),
        (watched("below", with_shipping=True), at("45.00", "49.90"), (True, True)),
        (watched("below", with_shipping=True), at("45.00", "50.10"), (False, False)),
        (watched("below", with_shipping=True), at("45.00"), (False, False)),
        (watched("percent"), at("90.00"), (True, True)),
        (watched("percent"), at("90.01"), (False, False)),
        (watched("in_stock", is_armed=False), at("90.00"), (True, False)),
        (watched("in_stock"), at("90.00"), (True, True)),
        (watched("in_stock"), None, (False, False)),
    ],
)
def test_an_alert_fires_when_its_condition_begins_to_hold(
    alert: Watched, best: BestOffer | None, expected: tuple[bool, bool]
) -> None:
    assert judge_alert(alert, best, (), NOW) == expected


@pytest.mark.parametrize(
    ("rule", "points", "fires"),
    [
        ("low_30", ((60, "80"), (40, "100"), (1, "99")), True),
        ("low_30", ((60, "80"), (40, "100"), (1, "100.50")), False),
        ("low_ever", ((60, "80"), (40, "100"), (1, "99")), False),
        ("low_ever", ((60, "80"), (40, "100"), (1, "80")), True),
        ("low_30", ((60, "80"), (40, "100"), (3, "99")), False),  # it fell before the alert was set
        ("low_30", ((5, "100"), (1, "99")), False),  # hardly looked at before
    ],
)
def test_a_low_is_one_against_what_was_asked_before(
    rule: AlertRule, points: tuple[tuple[int, str], ...], fires: bool
) -> None:
    assert judge_alert(watched(rule), at(points[-1][1]), line(*points), NOW)[1] is fires


@pytest.mark.parametrize(
    ("wishes", "hour", "expected"),
    [
        (AlertWishes(), 3, True),
        (AlertWishes(quiet_from=time(22), quiet_until=time(7)), 23, False),
        (AlertWishes(quiet_from=time(22), quiet_until=time(7)), 6, False),
        (AlertWishes(quiet_from=time(22), quiet_until=time(7)), 7, True),
        (AlertWishes(quiet_from=time(12), quiet_until=time(14)), 13, False),
        (AlertWishes(quiet_from=time(7), quiet_until=time(9), time_zone="Asia/Tokyo"), 23, False),
        (AlertWishes(digest_hour=8), 8, True),
        (AlertWishes(digest_hour=8), 9, False),
    ],
)
def test_nobody_is_told_in_quiet_hours_or_before_the_digest(
    wishes: AlertWishes, hour: int, expected: bool
) -> None:
    assert wishes.may_tell(NOW.replace(hour=hour)) is expected
