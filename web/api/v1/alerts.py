"""Price alerts of the account."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from flask import Blueprint
from pydantic import Field

from aggregator.domain.alerts import Alert, AlertRule
from aggregator.domain.money import Money
from aggregator.shopping.alerts import (
    NewAlert,
    change_alert,
    end_alert,
    get_alert,
    list_alerts_of,
    set_alert,
)
from web.account_area import own_account
from web.api.operations import Given, Told, operation
from web.api.v1.schemas import Amount, Product, instant
from web.db import current_session

resources = Blueprint("api_alerts", __name__, url_prefix="/api/v1/alerts")


class AlertTold(Told):
    """One alert; `stores` are names, none meaning any."""

    id: str
    product: Product
    rule: AlertRule
    amount: Amount | None
    percent: int | None
    with_shipping: bool
    stores: list[str]
    is_on: bool
    snoozed_until: str | None
    fired_at: str | None

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """An alert as the API writes it."""
        return cls(
            id=alert.id,
            product=Product.of(alert.product),
            rule=alert.rule,
            amount=Amount.maybe(alert.amount),
            percent=alert.percent,
            with_shipping=alert.with_shipping,
            stores=list(alert.stores),
            is_on=alert.is_on,
            snoozed_until=instant(alert.snoozed_until) if alert.snoozed_until else None,
            fired_at=instant(alert.fired_at) if alert.fired_at else None,
        )


class Alerts(Told):
    """All alerts."""

    items: list[AlertTold]


class AlertGiven(Given):
    """What to watch: an amount goes with "below", a percentage with "percent"; `stores` are slugs, none meaning any."""

    product_id: str = Field(min_length=1, max_length=40)
    rule: AlertRule
    amount: str | None = Field(None, pattern=r"^\d{1,9}(\.\d{1,4})?$")
    currency: str = Field("EUR", pattern="^[A-Z]{3}$")
    percent: int | None = Field(None, ge=1, le=99, strict=True)
    with_shipping: bool = False
    stores: list[str] = Field([], max_length=50)


class AlertChange(Given):
    """On, off, or at rest for so many days."""

    is_on: bool = True
    snooze_days: int | None = Field(None, ge=1, le=365, strict=True)


@resources.get("")
@operation("All alerts", answer=Alerts)
def index() -> Alerts:
    """The account's alerts, the newest first."""
    found = list_alerts_of(current_session(), own_account().account_id)
    return Alerts(items=[AlertTold.of(one) for one in found])


@resources.post("")
@operation("Set an alert", body=AlertGiven, answer=AlertTold, status=201, errors=(404,))
def create(body: AlertGiven) -> AlertTold:
    """Watch a product; the same alert twice is one."""
    amount = None if body.amount is None else Money(Decimal(body.amount), body.currency)
    alert = set_alert(
        current_session(),
        own_account().account_id,
        NewAlert(
            product_id=body.product_id,
            rule=body.rule,
            amount=amount,
            percent=body.percent,
            with_shipping=body.with_shipping,
            stores=tuple(body.stores),
        ),
    )
    return AlertTold.of(alert)


@resources.put("/<alert_id>")
@operation("Change an alert", body=AlertChange, answer=AlertTold)
def change(alert_id: str, body: AlertChange) -> AlertTold:
    """Turn an alert on or off, or let it rest."""
    account_id = own_account().account_id
    change_alert(current_session(), account_id, alert_id, is_on=body.is_on, snooze_days=body.snooze_days)
    return AlertTold.of(get_alert(current_session(), account_id, alert_id))


@resources.delete("/<alert_id>")
@operation("End an alert", status=204)
def remove(alert_id: str) -> None:
    """Delete an alert."""
    end_alert(current_session(), own_account().account_id, alert_id)
