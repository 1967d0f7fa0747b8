"""An account's alerts: setting, listing and ending them, and how it wants to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.catalog.product_cards import product_card
from aggregator.db.models import AlertRow, AlertWishesRow, ProductRow, StoreRow
from aggregator.domain.alerts import ALERT_RULES, Alert, AlertWishes
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.money import Money
from aggregator.domain.products import ProductCard
from aggregator.shopping.cart_lines import CARD_COLUMNS, find_current_product

MOST_ALERTS = 500
MOST_STORES = 50
LONGEST_SNOOZE = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlert:
    """What an alert is to watch: `amount` for "below", `percent` for "percent"; `stores` by slug, none for any."""

    product_id: str
    rule: str
    amount: Money | None = None
    percent: int | None = None
    with_shipping: bool = False
    stores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How an account is told: when, and by what besides the mail that is on unless it was turned off."""

    wishes: AlertWishes = field(default_factory=AlertWishes)
    by_mail: bool = True
    webhook: str | None = None


def set_alert(session: Session, account_id: int, new: NewAlert) -> Alert:
    """Watch a product; the same alert twice is one. Raises NotFound for an unknown product, else InvalidInput."""
    product = find_current_product(session, new.product_id) if is_public_id(new.product_id) else None
    if product is None:
        raise NotFound("product", new.product_id)
    _check(new)
    price, currency, is_available = session.execute(
        select(ProductRow.lowest_price, ProductRow.lowest_price_currency, ProductRow.is_available).where(
            ProductRow.id == product
        )
    ).one()
    store_ids = _store_keys(session, new.stores)
    if new.rule == "percent" and price is None:
        raise InvalidInput("this product has no price to compare with", place="percent")
    same = (
        AlertRow.account_id == account_id,
        AlertRow.product_id == product,
        AlertRow.rule == new.rule,
        AlertRow.amount.is_not_distinct_from(new.amount.amount if new.amount else None),
        AlertRow.percent.is_not_distinct_from(new.percent),
        AlertRow.with_shipping == new.with_shipping,
        AlertRow.store_ids == store_ids,
    )
    row = session.scalar(select(AlertRow).where(*same))
    if row is None:
        count = session.scalar(select(func.count()).where(AlertRow.account_id == account_id)) or 0
        if count >= MOST_ALERTS:
            raise InvalidInput(f"there are {MOST_ALERTS} alerts", remedy="end one first")
        row = AlertRow(
            account_id=account_id,
            product_id=product,
            rule=new.rule,
            amount=new.amount.amount if new.amount else None,
            percent=new.percent,
            currency=new.amount.currency if new.amount else currency or "EUR",
            with_shipping=new.with_shipping,
            store_ids=store_ids,
            price_then=price,
            # What is in stock already is no news.
            is_armed=not (new.rule == "in_stock" and is_available),
        )
        session.add(row)
    row.is_on, row.snoozed_until = True, None
    session.flush()
    return get_alert(session, account_id, row.public_id)


def list_alerts_of(session: Session, account_id: int) -> tuple[Alert, ...]:
    """The account's alerts, the newest first."""
    return _read_alerts(session, AlertRow.account_id == account_id)


def get_alert(session: Session, account_id: int, alert_id: str) -> Alert:
    """One alert; NotFound for anyone else's."""
    found = _read_alerts(session, AlertRow.account_id == account_id, AlertRow.public_id == alert_id)
    if not found:
        raise NotFound("alert", alert_id)
    return found[0]


def _read_alerts(session: Session, *conditions: ColumnElement[bool]) -> tuple[Alert, ...]:
    rows = session.execute(
        select(AlertRow, *CARD_COLUMNS)
        .join(ProductRow, ProductRow.id == AlertRow.product_id)
        .where(*conditions)
        .order_by(AlertRow.id.desc())
    ).all()
    keys = {key for row in rows for key in row.AlertRow.store_ids}
    names: dict[int, str] = {}
    if keys:
        named = select(StoreRow.id, StoreRow.name).where(StoreRow.id.in_(keys))
        names = dict(session.execute(named).all())
    return tuple(
        Alert(
            id=row.AlertRow.public_id,
            product=product_card(row._mapping),
            rule=row.AlertRow.rule,
            amount=Money(row.AlertRow.amount, row.AlertRow.currency).rounded()
            if row.AlertRow.amount is not None
            else None,
            percent=row.AlertRow.percent,
            with_shipping=row.AlertRow.with_shipping,
            stores=tuple(names[key] for key in row.AlertRow.store_ids if key in names),
            is_on=row.AlertRow.is_on,
            snoozed_until=row.AlertRow.snoozed_until,
            fired_at=row.AlertRow.fired_at,
            created_at=row.AlertRow.created_at,
        )
        for row in rows
    )


def change_alert(
    session: Session, account_id: int, alert_id: str, *, is_on: bool, snooze_days: int | None = None
) -> None:
    """Turn an alert on or off, or let it rest for so many days; raises NotFound and InvalidInput."""
    if snooze_days is not None and not 1 <= snooze_days <= LONGEST_SNOOZE.days:
        raise InvalidInput(
            f"{snooze_days} days", place="snooze_days", remedy=f"use 1 to {LONGEST_SNOOZE.days}"
        )
    until = datetime.now(UTC) + timedelta(days=snooze_days) if snooze_days else None
    changed = session.scalar(
        update(AlertRow)
        .where(AlertRow.public_id == alert_id, AlertRow.account_id == account_id)
        .values(is_on=is_on, snoozed_until=until)
        .returning(AlertRow.id)
    )
    if changed is None:
        raise NotFound("alert", alert_id)


def end_alert(session: Session, account_id: int, alert_id: str) -> None:
    """Delete an alert; NotFound for anyone else's."""
    gone = session.scalar(
        delete(AlertRow)
        .where(AlertRow.public_id == alert_id, AlertRow.account_id == account_id)
        .returning(AlertRow.id)
    )
    if gone is None:
        raise NotFound("alert", alert_id)


def find_watched(session: Session, alert_id: str) -> ProductCard | None:
    """What an alert watches, for whoever holds its mail's link; None where it was ended since."""
    row = session.execute(
        select(*CARD_COLUMNS)
        .join(AlertRow, AlertRow.product_id == ProductRow.id)
        .where(AlertRow.public_id == alert_id)
    ).one_or_none()
    return product_card(row._mapping) if row else None


def turn_off(session: Session, alert_id: str) -> None:
    """What a mail's own link does: turn the alert off, whoever presses it; an unknown one is no error."""
    session.execute(update(AlertRow).where(AlertRow.public_id == alert_id).values(is_on=False))


def find_telling(session: Session, account_id: int) -> Telling:
    """How the account is told."""
    row = session.get(AlertWishesRow, account_id)
    return Telling() if row is None else telling_of(row)


def telling_of(row: AlertWishesRow) -> Telling:
    """A row as the value it stands for."""
    return Telling(
        wishes=AlertWishes(
            time_zone=row.time_zone,
            quiet_from=row.quiet_from,
            quiet_until=row.quiet_until,
            digest_hour=row.digest_hour,
            most_a_day=row.most_a_day,
        ),
        by_mail=row.by_mail,
        webhook=row.webhook,
    )


def set_telling(session: Session, account_id: int, telling: Telling) -> None:
    """Keep how the account is told; raises InvalidInput for what cannot be."""
    wishes = telling.wishes
    try:
        ZoneInfo(wishes.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            f"no time zone {wishes.time_zone!r}", place="time_zone", remedy="such as Europe/Berlin"
        ) from error
    if not 1 <= wishes.most_a_day <= 100:
        raise InvalidInput(f"{wishes.most_a_day} a day", place="most_a_day", remedy="use 1 to 100")
    if wishes.digest_hour is not None and not 0 <= wishes.digest_hour <= 23:
        raise InvalidInput(f"no hour {wishes.digest_hour}", place="digest_hour", remedy="use 0 to 23")
    if telling.webhook is not None:
        parts = urlsplit(telling.webhook)
        if parts.scheme != "https" or not parts.hostname or parts.username or len(telling.webhook) > 500:
            raise InvalidInput("a webhook needs an https address", place="webhook")
    values = {
        "time_zone": wishes.time_zone,
        "quiet_from": wishes.quiet_from,
        "quiet_until": wishes.quiet_until,
        "digest_hour": wishes.digest_hour,
        "most_a_day": wishes.most_a_day,
        "by_mail": telling.by_mail,
        "webhook": telling.webhook,
    }
    session.execute(
        insert(AlertWishesRow)
        .values(account_id=account_id, **values)
        .on_conflict_do_update(index_elements=["account_id"], set_=values)
    )


def read_hour(text: str) -> time | None:
    """ "22:30" as a time of day, nothing as None; raises InvalidInput."""
    if not text.strip():
        return None
    try:
        return time.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(f"no time of day {text!r}", place="quiet", remedy="write 22:00") from error


def _check(new: NewAlert) -> None:
    if new.rule not in ALERT_RULES:
        raise InvalidInput(f"no rule {new.rule!r}", place="rule", remedy=f"use {', '.join(ALERT_RULES)}")
    if (new.rule == "below") != (new.amount is not None):
        raise InvalidInput("an amount goes with the rule below, and with no other", place="amount")
    if new.amount is not None:
        new.amount.minor_units()
        if not 0 < new.amount.amount < Decimal(10) ** 9:
            raise InvalidInput(f"{new.amount.plain()} is no price", place="amount")
    if (new.rule == "percent") != (new.percent is not None):
        raise InvalidInput("a percentage goes with the rule percent, and with no other", place="percent")
    if new.percent is not None and not 1 <= new.percent <= 99:
        raise InvalidInput(f"{new.percent} percent", place="percent", remedy="use 1 to 99")
    if len(new.stores) > MOST_STORES:
        raise InvalidInput(f"more than {MOST_STORES} stores", place="stores")


def _store_keys(session: Session, slugs: Sequence[str]) -> list[int]:
    if not slugs:
        return []
    found = dict(session.execute(select(StoreRow.slug, StoreRow.id).where(StoreRow.slug.in_(slugs))).all())
    unknown = next((slug for slug in slugs if slug not in found), None)
    if unknown is not None:
        raise NotFound("store", unknown)
    return sorted(set(found.values()))
