"""Telling accounts of what their alerts found: notices in the outbox, when and as often as each account wants."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.links import site_origin
from aggregator.db.models import AccountRow, AlertEventRow, AlertRow, AlertWishesRow, ProductRow
from aggregator.domain.money import Money
from aggregator.domain.notices import NewNotice
from aggregator.notifications.outbox import put_notices
from aggregator.secrets import derived_key
from aggregator.settings import Settings
from aggregator.shopping.alerts import Telling, telling_of

TOPIC = "alerts"
_ACCOUNTS_AT_ONCE = 1_000
_MOST_IN_A_DIGEST = 100
_RULES = {
    "below": "is at or below your price",
    "percent": "fell as far as you wanted",
    "low_30": "is at its lowest of 30 days",
    "low_ever": "is at its lowest ever seen here",
    "in_stock": "is back in stock",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One event with what a message says of it."""

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

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        total = f" ({_words(self.total)} with shipping)" if self.total else " (shipping unknown)"
        return f"{self.title} {_RULES[self.rule]}: {_words(self.price)}{total} at {self.store}"


def _words(money: Money) -> str:
    return f"{money.plain()} {money.currency}"


def has_untold_alerts(session: Session) -> bool:
    """Whether anything that fired waits to be told."""
    return bool(
        session.scalar(select(select(AlertEventRow.id).where(AlertEventRow.told_at.is_(None)).exists()))
    )


@dataclass(frozen=True, slots=True)
class Told:
    """How many notices were written, and the last account that was looked at (None: there are no more)."""

    notices: int
    last_account: int | None


def tell_alerts(session: Session, settings: Settings, *, after: int = 0, now: datetime | None = None) -> Told:
    """Write notices of what fired to some accounts, after the one of that key, that may be told now.

    That an event was told and its notices are one transaction. Several processes share the accounts.
    """
    now = now or datetime.now(UTC)
    waiting = (
        select(AlertEventRow.account_id)
        .where(AlertEventRow.told_at.is_(None), AlertEventRow.account_id > after)
        .distinct()
    )
    accounts = session.execute(
        select(AccountRow.id, AccountRow.email, AlertWishesRow)
        .outerjoin(AlertWishesRow, AlertWishesRow.account_id == AccountRow.id)
        .where(AccountRow.id.in_(waiting))
        .order_by(AccountRow.id)
        .limit(_ACCOUNTS_AT_ONCE)
        .with_for_update(of=AccountRow, skip_locked=True)
    ).all()
    telling = {
        row.id: telling_of(row.AlertWishesRow) if row.AlertWishesRow else Telling() for row in accounts
    }
    emails = {row.id: row.email for row in accounts if telling[row.id].wishes.may_tell(now)}
    told_today = _told_today(session, list(emails), telling, now)
    notices: list[NewNotice] = []
    told: list[int] = []
    for account_id, found in _untold(session, list(emails)).items():
        how = telling[account_id]
        left = how.wishes.most_a_day - told_today.get(account_id, 0)
        if left <= 0:
            continue
        together = how.wishes.digest_hour is not None or len(found) > left
        groups = [found[:_MOST_IN_A_DIGEST]] if together else [[one] for one in found]
        for group in groups:
            notices += _notices(settings, emails[account_id], how, group)
            told += [one.row_id for one in group]
    put_notices(session, notices)
    if told:
        session.execute(update(AlertEventRow).where(AlertEventRow.id.in_(told)).values(told_at=now))
    return Told(len(notices), accounts[-1].id if accounts else None)


def stop_token(settings: Settings, alert_id: str) -> str:
    """What a mail's link turns its alert off with: the alert and a signature that nobody else can make."""
    return f"{alert_id}.{_signature(settings, alert_id)}"


def read_stop_token(settings: Settings, token: str) -> str | None:
    """The alert of a link; None for one that was not made here."""
    alert_id, _point, signature = token.partition(".")
    return alert_id if hmac.compare_digest(signature, _signature(settings, alert_id)) else None


def _signature(settings: Settings, alert_id: str) -> str:
    made = hmac.new(derived_key(settings, "alert links"), alert_id.encode("utf-8", "replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(made.digest()[:18]).decode()


def _told_today(
    session: Session, accounts: Sequence[int], telling: dict[int, Telling], now: datetime
) -> dict[int, int]:
    """How many messages each account had since its day began: what was told at one moment was one."""
    if not accounts:
        return {}
    began = {account: telling[account].wishes.day_began(now) for account in accounts}
    rows = session.execute(
        select(AlertEventRow.account_id, AlertEventRow.told_at, func.count())
        .where(AlertEventRow.account_id.in_(accounts), AlertEventRow.told_at >= min(began.values()))
        .group_by(AlertEventRow.account_id, AlertEventRow.told_at)
    )
    counts: defaultdict[int, int] = defaultdict(int)
    for account, told_at, count in rows:
        if told_at is not None and told_at >= began[account]:
            counts[account] += 1 if telling[account].wishes.digest_hour is not None else count
    return counts


def _untold(session: Session, accounts: Sequence[int]) -> dict[int, list[_Found]]:
    rows = session.execute(
        select(
            AlertEventRow,
            AlertRow.public_id.label("alert_id"),
            AlertRow.rule,
            ProductRow.title,
            ProductRow.public_id.label("product_id"),
        )
        .join(AlertRow, AlertRow.id == AlertEventRow.alert_id)
        .join(ProductRow, ProductRow.id == AlertRow.product_id)
        .where(AlertEventRow.account_id.in_(accounts), AlertEventRow.told_at.is_(None))
        .order_by(AlertEventRow.id)
    )
    found: defaultdict[int, list[_Found]] = defaultdict(list)
    for row in rows:
        event = row.AlertEventRow
        found[event.account_id].append(
            _Found(
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
        )
    return found


def _notices(settings: Settings, email: str, how: Telling, found: Sequence[_Found]) -> list[NewNotice]:
    key = found[0].id if len(found) == 1 else f"{found[0].id}+{len(found) - 1}"
    notices = []
    if how.by_mail:
        notices.append(
            NewNotice(
                topic=TOPIC,
                channel="mail",
                recipient=email,
                dedupe_key=f"alert:{key}:mail",
                content=_mail(settings, found),
            )
        )
    if how.webhook is not None:
        notices.append(
            NewNotice(
                topic=TOPIC,
                channel="webhook",
                recipient=how.webhook,
                dedupe_key=f"alert:{key}:webhook",
                content={"alerts": [_document(settings, one) for one in found]},
            )
        )
    return notices


def _mail(settings: Settings, found: Sequence[_Found]) -> dict[str, Any]:
    origin = site_origin(settings)
    text, html = [], []
    for one in found:
        product = f"{origin}/products/{one.product_id}"
        stop = f"{origin}/alerts/stop/{stop_token(settings, one.alert_id)}"
        text += [one.sentence, product, f"Stop this alert: {stop}", ""]
        html.append(
            f'<p><a href="{escape(product)}">{escape(one.sentence)}</a><br>'
            f'<small><a href="{escape(stop)}">Stop this alert</a></small></p>'
        )
    foot = "Prices are read from the stores and may have changed since. You set these alerts in your account."
    content: dict[str, Any] = {
        "subject": found[0].sentence if len(found) == 1 else f"{len(found)} price alerts",
        "text": "\n".join([*text, foot, ""]),
        "html": f"<!doctype html><html lang=en><body>{''.join(html)}<p><small>{foot}</small></p></body></html>",
    }
    if len(found) == 1:
        # RFC 8058: a mail program may press this for its reader.
        stop = f"{origin}/alerts/stop/{stop_token(settings, found[0].alert_id)}"
        content["headers"] = {
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    return content


def _document(settings: Settings, one: _Found) -> dict[str, Any]:
    return {
        "id": one.id,
        "alert": one.alert_id,
        "rule": one.rule,
        "product": {
            "id": one.product_id,
            "title": one.title,
            "url": f"{site_origin(settings)}/products/{one.product_id}",
        },
        "price": {"amount": one.price.plain(), "currency": one.price.currency},
        "total": {"amount": one.total.plain(), "currency": one.total.currency} if one.total else None,
        "store": one.store,
        "at": one.at.isoformat().replace("+00:00", "Z"),
    }
