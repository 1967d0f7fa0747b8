"""Alerts that fired: what waits to be told, and an account's own feed of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import token_hash
from aggregator.db.models import AccountRow, AlertEventRow, AlertRow, AlertWishesRow, ProductRow
from aggregator.domain.errors import NotFound
from aggregator.domain.money import Money

MOST_IN_FEED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FiredAlert:
    """One event with what a message says of it; `total` is None where shipping is unknown."""

    row_id: int
    id: str
    alert_id: str
    rule: str
    title: str
    product_id: str
    price: Money
    total: Money | None
    store: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertFeed:
    """An account's feed: the language it is written in, None where unknown, and what fired, the newest first."""

    language: str | None
    fired: tuple[FiredAlert, ...]


def untold_alerts(session: Session, accounts: Sequence[int]) -> dict[int, list[FiredAlert]]:
    """By account, what fired and was not told yet, the oldest first."""
    rows = session.execute(
        _fired()
        .where(AlertEventRow.account_id.in_(accounts), AlertEventRow.told_at.is_(None))
        .order_by(AlertEventRow.id)
    )
    found: defaultdict[int, list[FiredAlert]] = defaultdict(list)
    for row in rows:
        found[row.AlertEventRow.account_id].append(_read(row))
    return found


def read_alert_feed(session: Session, secret: str) -> AlertFeed:
    """The feed that the address of this secret shows; NotFound where it was closed or never was."""
    row = session.execute(
        select(AccountRow.id, AccountRow.language)
        .join(AlertWishesRow, AlertWishesRow.account_id == AccountRow.id)
        .where(AlertWishesRow.feed_hash == token_hash(secret[:100]), AccountRow.deletion_due_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound("feed", "that this address could show")
    rows = session.execute(
        _fired()
        .where(AlertEventRow.account_id == row.id)
        .order_by(AlertEventRow.id.desc())
        .limit(MOST_IN_FEED)
    )
    return AlertFeed(row.language, tuple(_read(one) for one in rows))


def _fired() -> Select[AlertEventRow, str, str, str, str]:
    return (
        select(
            AlertEventRow,
            AlertRow.public_id.label("alert_id"),
            AlertRow.rule,
            ProductRow.title,
            ProductRow.public_id.label("product_id"),
        )
        .join(AlertRow, AlertRow.id == AlertEventRow.alert_id)
        .join(ProductRow, ProductRow.id == AlertRow.product_id)
    )


def _read(row: Any) -> FiredAlert:
    event = row.AlertEventRow
    return FiredAlert(
        row_id=event.id,
        id=event.public_id,
        alert_id=row.alert_id,
        rule=row.rule,
        title=row.title,
        product_id=row.product_id,
        price=Money(event.price, event.currency).rounded(),
        total=Money(event.total, event.currency).rounded() if event.total is not None else None,
        store=event.store_name,
        at=event.created_at,
    )
