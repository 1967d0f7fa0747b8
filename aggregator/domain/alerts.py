"""Price alerts: when one fires, and when its account may be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from aggregator.domain.money import Money
from aggregator.domain.price_history import LEAST_PRIOR, PRIOR_DAYS, lowest_in, present_since
from aggregator.domain.products import PricePoint, ProductCard

AlertRule = Literal["below", "percent", "low_30", "low_ever", "in_stock"]
ALERT_RULES: tuple[AlertRule, ...] = get_args(AlertRule)
# A price that nobody has looked at for longer is not told as news.
VERIFIED_WITHIN = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What its account sees of one alert. `stores` are names, none meaning any; `amount` belongs to the rule."""

    id: str
    product: ProductCard
    rule: AlertRule
    amount: Money | None
    percent: int | None
    with_shipping: bool
    stores: tuple[str, ...]
    is_on: bool
    snoozed_until: datetime | None
    fired_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What decides whether an alert fires. `price_then` was the price when it was set, `told` what was told last.

    `is_armed`: its condition did not hold when it was last looked at.
    """

    rule: AlertRule
    amount: Decimal | None
    percent: int | None
    with_shipping: bool
    price_then: Decimal | None
    told: Decimal | None
    is_armed: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOffer:
    """The cheapest offer that counts; `total` is None where its shipping is unknown."""

    price: Decimal
    total: Decimal | None


def judge_alert(
    alert: Watched, best: BestOffer | None, line: Sequence[PricePoint], now: datetime
) -> tuple[bool, bool]:
    """(whether the alert's condition holds, whether it fires now). `line` is the lowest price over time.

    It fires when its condition begins to hold, and again while it holds for a still lower price.
    """
    if best is None:
        return False, False
    value = best.total if alert.with_shipping else best.price
    if alert.rule == "in_stock":
        return True, alert.is_armed
    if value is None or not _holds(alert, value, line, now):
        return False, False
    return True, alert.is_armed or (alert.told is not None and value < alert.told)


def _holds(alert: Watched, value: Decimal, line: Sequence[PricePoint], now: datetime) -> bool:
    if alert.rule == "below":
        return alert.amount is not None and value <= alert.amount
    if alert.rule == "percent":
        if alert.price_then is None or alert.percent is None:
            return False
        return value <= alert.price_then * (100 - alert.percent) / 100
    since = present_since(line)
    if since is None or since < alert.created_at:
        return False
    begin = line[0].recorded_at if alert.rule == "low_ever" else since - PRIOR_DAYS
    before = lowest_in(line, begin, since)
    # What was hardly looked at has no low yet.
    return before is not None and since - line[0].recorded_at >= LEAST_PRIOR and line[-1].price <= before


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertWishes:
    """When an account wants to be told: not in its quiet hours, as a digest at one hour, so often a day at most."""

    time_zone: str = "UTC"
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest_hour: int | None = None
    most_a_day: int = 20

    def may_tell(self, now: datetime) -> bool:
        """Whether this is a moment to tell anything."""
        local = now.astimezone(ZoneInfo(self.time_zone))
        if self.digest_hour is not None and local.hour != self.digest_hour:
            return False
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return True
        if self.quiet_from < self.quiet_until:
            return not self.quiet_from <= local.time() < self.quiet_until
        return self.quiet_until <= local.time() < self.quiet_from

    def day_began(self, now: datetime) -> datetime:
        """When the account's present day began."""
        local = now.astimezone(ZoneInfo(self.time_zone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
