"""Browsers that show an account's notices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.db.models import PushSubscriptionRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.notifications.web_push import PushSubscription, read_subscription
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings

MOST_BROWSERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A browser that shows the account's notices; `device` are words for it, None where it said nothing known."""

    id: str
    device: str | None
    since: datetime


def add_browser(
    session: Session,
    settings: Settings,
    account_id: int,
    *,
    endpoint: str,
    p256dh: str,
    auth: str,
    device: str | None,
) -> Browser:
    """Show the account's notices in a browser from now on; the same browser twice is one, whoever had it before.

    Raises InvalidInput for what no browser says, and where there are 20 already.
    """
    subscription = read_subscription(settings, endpoint, p256dh, auth)
    secrets = PersonalSecrets.from_settings(settings)
    session.execute(
        delete(PushSubscriptionRow).where(PushSubscriptionRow.endpoint_hash.in_(secrets.indexes(endpoint)))
    )
    count = session.scalar(select(func.count()).where(PushSubscriptionRow.account_id == account_id)) or 0
    if count >= MOST_BROWSERS:
        raise InvalidInput(f"there are {MOST_BROWSERS} browsers", remedy="remove one first")
    public_id = new_public_id()
    values = {
        "public_id": public_id,
        "account_id": account_id,
        "content_sealed": secrets.seal(subscription.as_json()),
        "device": device,
    }
    since = session.scalars(
        insert(PushSubscriptionRow)
        .values(endpoint_hash=secrets.index(endpoint), **values)
        # Two tabs may say it at once.
        .on_conflict_do_update(index_elements=["endpoint_hash"], set_=values)
        .returning(PushSubscriptionRow.created_at)
    ).one()
    return Browser(id=public_id, device=device, since=since)


def list_browsers(session: Session, account_id: int) -> tuple[Browser, ...]:
    """The browsers that show the account's notices, the newest first."""
    rows = session.scalars(
        select(PushSubscriptionRow)
        .where(PushSubscriptionRow.account_id == account_id)
        .order_by(PushSubscriptionRow.id.desc())
    )
    return tuple(Browser(id=row.public_id, device=row.device, since=row.created_at) for row in rows)


def remove_browser(session: Session, account_id: int, browser_id: str) -> None:
    """Show no more notices there; NotFound for anyone else's."""
    gone = session.scalar(
        delete(PushSubscriptionRow)
        .where(PushSubscriptionRow.public_id == browser_id, PushSubscriptionRow.account_id == account_id)
        .returning(PushSubscriptionRow.id)
    )
    if gone is None:
        raise NotFound("browser", browser_id)


def find_subscription(session: Session, settings: Settings, browser_id: str) -> PushSubscription | None:
    """What a browser is sent notices with; None where it takes none any more."""
    sealed = session.scalar(
        select(PushSubscriptionRow.content_sealed).where(PushSubscriptionRow.public_id == browser_id)
    )
    return (
        PushSubscription.from_json(PersonalSecrets.from_settings(settings).open(sealed)) if sealed else None
    )


def forget_browser(session: Session, browser_id: str) -> None:
    """Its push service said that it is no more; harmless where that is known."""
    session.execute(delete(PushSubscriptionRow).where(PushSubscriptionRow.public_id == browser_id))
