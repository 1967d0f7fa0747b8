"""Telling accounts of what their alerts found: notices in the outbox, when and as often as each account wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from aggregator.db.models import AccountRow, AlertEventRow, AlertWishesRow
from aggregator.domain.notices import Channel, NewNotice
from aggregator.languages import Sentences
from aggregator.notifications.outbox import put_notices
from aggregator.settings import Settings
from aggregator.shopping.alert_channels import channels_of
from aggregator.shopping.alert_words import document_of, mail_of, message_of, push_of
from aggregator.shopping.alerts import Telling, telling_of
from aggregator.shopping.fired_alerts import FiredAlert, untold_alerts

TOPIC = "alerts"
_ACCOUNTS_AT_ONCE = 1_000
_MOST_IN_A_DIGEST = 100


def has_untold_alerts(session: Session) -> bool:
    """Whether anything that fired waits to be told."""
    return bool(
        session.scalar(select(select(AlertEventRow.id).where(AlertEventRow.told_at.is_(None)).exists()))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipient:
    """An account that may be told now; `channels` are its browsers and messengers, by their ids."""

    account_id: int
    email: str
    language: str | None
    how: Telling
    channels: Sequence[tuple[Channel, str]]


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
        select(AccountRow.id, AccountRow.email, AccountRow.language, AlertWishesRow)
        .outerjoin(AlertWishesRow, AlertWishesRow.account_id == AccountRow.id)
        .where(AccountRow.id.in_(waiting))
        .order_by(AccountRow.id)
        .limit(_ACCOUNTS_AT_ONCE)
        .with_for_update(of=AccountRow, skip_locked=True)
    ).all()
    telling = {
        row.id: telling_of(row.AlertWishesRow) if row.AlertWishesRow else Telling() for row in accounts
    }
    ready = [row for row in accounts if telling[row.id].wishes.may_tell(now)]
    channels = channels_of(session, [row.id for row in ready])
    recipients = {
        row.id: _Recipient(
            account_id=row.id,
            email=row.email,
            language=row.language,
            how=telling[row.id],
            channels=channels[row.id],
        )
        for row in ready
    }
    told_today = _told_today(session, list(recipients), telling, now)
    notices: list[NewNotice] = []
    told: list[int] = []
    for account_id, found in untold_alerts(session, list(recipients)).items():
        wishes = recipients[account_id].how.wishes
        left = wishes.most_a_day - told_today.get(account_id, 0)
        if left <= 0:
            continue
        together = wishes.digest_hour is not None or len(found) > left
        groups = [found[:_MOST_IN_A_DIGEST]] if together else [[one] for one in found]
        for group in groups:
            notices += _notices(settings, recipients[account_id], group)
            told += [one.row_id for one in group]
    put_notices(session, notices)
    if told:
        session.execute(update(AlertEventRow).where(AlertEventRow.id.in_(told)).values(told_at=now))
    return Told(len(notices), accounts[-1].id if accounts else None)


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


def _notices(settings: Settings, to: _Recipient, found: Sequence[FiredAlert]) -> list[NewNotice]:
    key = found[0].id if len(found) == 1 else f"{found[0].id}+{len(found) - 1}"
    _ = Sentences(to.language)
    # By channel: to whom, and what tells its notice from the others of these alerts.
    addressed: list[tuple[Channel, str, str]] = []
    if to.how.by_mail:
        addressed.append(("mail", to.email, "mail"))
    if to.how.webhook is not None:
        addressed.append(("webhook", to.how.webhook, "webhook"))
    addressed += [(channel, recipient, recipient) for channel, recipient in to.channels]
    content: dict[Channel, Callable[[], dict[str, Any]]] = {
        "mail": lambda: mail_of(settings, found, _),
        "webhook": lambda: {"alerts": [document_of(settings, one) for one in found]},
        "push": lambda: push_of(settings, found, _),
        "messenger": lambda: message_of(settings, found, _),
    }
    return [
        NewNotice(
            topic=TOPIC,
            channel=channel,
            recipient=recipient,
            dedupe_key=f"alert:{key}:{name}",
            content=content[channel](),
            account_id=to.account_id,
        )
        for channel, recipient, name in addressed
    ]
