"""How an account's alerts reach it besides by mail: browsers, messengers, the key of its webhook, its feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db.models import AlertMessengerRow, AlertWishesRow, PushSubscriptionRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.messengers import MESSENGERS, MessengerAddress, read_messenger_address
from aggregator.domain.notices import Channel
from aggregator.notifications.web_push import PushSubscription, read_subscription
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings
from aggregator.shopping.alerts import Telling, set_telling

MOST_BROWSERS = 20
MOST_MESSENGERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A browser that shows the account's notices; `device` are words for it, None where it said nothing known."""

    id: str
    device: str | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Messenger:
    """A messenger that the account is told at: the service's name, and its address but for its secret."""

    id: str
    service: str
    shown: str
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


def add_messenger(session: Session, settings: Settings, account_id: int, address: str) -> Messenger:
    """Tell the account at a messenger too; raises InvalidInput for an unknown address, or where there are 10."""
    read = read_messenger_address(address)
    known = {text: row for row, text in _messengers(session, settings, account_id)}
    text = address.strip()
    if text not in known:
        if len(known) >= MOST_MESSENGERS:
            raise InvalidInput(f"there are {MOST_MESSENGERS} messengers", remedy="remove one first")
        row = AlertMessengerRow(
            account_id=account_id,
            service=read.service,
            address_sealed=PersonalSecrets.from_settings(settings).seal(text),
        )
        session.add(row)
        session.flush()
        known[text] = row
    return _messenger(known[text], text)


def list_messengers(session: Session, settings: Settings, account_id: int) -> tuple[Messenger, ...]:
    """The account's messengers, the newest first."""
    return tuple(_messenger(row, text) for row, text in _messengers(session, settings, account_id))


def remove_messenger(session: Session, account_id: int, messenger_id: str) -> None:
    """Tell the account there no more; NotFound for anyone else's."""
    gone = session.scalar(
        delete(AlertMessengerRow)
        .where(AlertMessengerRow.public_id == messenger_id, AlertMessengerRow.account_id == account_id)
        .returning(AlertMessengerRow.id)
    )
    if gone is None:
        raise NotFound("messenger", messenger_id)


def find_messenger(session: Session, settings: Settings, messenger_id: str) -> MessengerAddress | None:
    """Where a messenger is written to; None where it is no more."""
    sealed = session.scalar(
        select(AlertMessengerRow.address_sealed).where(AlertMessengerRow.public_id == messenger_id)
    )
    return read_messenger_address(PersonalSecrets.from_settings(settings).open(sealed)) if sealed else None


def channels_of(session: Session, account_ids: Sequence[int]) -> dict[int, list[tuple[Channel, str]]]:
    """By account, the channel and the id of each browser and messenger that it is told at."""
    found: dict[int, list[tuple[Channel, str]]] = {account_id: [] for account_id in account_ids}
    rows: tuple[tuple[Channel, type[PushSubscriptionRow] | type[AlertMessengerRow]], ...] = (
        ("push", PushSubscriptionRow),
        ("messenger", AlertMessengerRow),
    )
    for channel, row in rows:
        ids = session.execute(
            select(row.account_id, row.public_id).where(row.account_id.in_(account_ids)).order_by(row.id)
        )
        for account_id, public_id in ids:
            found[account_id].append((channel, public_id))
    return found


def renew_webhook_key(session: Session, settings: Settings, account_id: int) -> str:
    """A new key that signs what is posted to the account's webhook from now on; returns it, the only time."""
    key = new_token()
    _set_wish(session, account_id, webhook_key_sealed=PersonalSecrets.from_settings(settings).seal(key))
    return key


def has_webhook_key(session: Session, account_id: int) -> bool:
    """Whether the account has a key of its own."""
    found = select(AlertWishesRow.webhook_key_sealed.is_not(None)).where(
        AlertWishesRow.account_id == account_id
    )
    return bool(session.scalar(found))


def find_webhook_key(session: Session, settings: Settings, account_id: int) -> str | None:
    """The account's own key; None where it made none."""
    sealed = session.scalar(
        select(AlertWishesRow.webhook_key_sealed).where(AlertWishesRow.account_id == account_id)
    )
    return PersonalSecrets.from_settings(settings).open(sealed) if sealed else None


def open_feed(session: Session, account_id: int) -> str:
    """Give the account's feed a new address, of which this is the secret; an earlier one shows nothing any more."""
    secret = new_token()
    _set_wish(session, account_id, feed_hash=token_hash(secret))
    return secret


def close_feed(session: Session, account_id: int) -> None:
    """Let the address of the account's feed show nothing any more."""
    session.execute(
        update(AlertWishesRow).where(AlertWishesRow.account_id == account_id).values(feed_hash=None)
    )


def has_feed(session: Session, account_id: int) -> bool:
    """Whether the account's feed has an address."""
    found = select(AlertWishesRow.feed_hash.is_not(None)).where(AlertWishesRow.account_id == account_id)
    return bool(session.scalar(found))


def export_alert_channels(session: Session, settings: Settings, account_id: int) -> dict[str, Any]:
    """What the account gave to be told by, in full; of its webhook's key and its feed, that they are there."""
    browsers = session.scalars(
        select(PushSubscriptionRow).where(PushSubscriptionRow.account_id == account_id)
    ).all()
    opened = PersonalSecrets.from_settings(settings).open
    return {
        "browsers": [
            {
                "device": row.device,
                "endpoint": PushSubscription.from_json(opened(row.content_sealed)).endpoint,
                "since": row.created_at,
            }
            for row in browsers
        ],
        "messengers": [
            {"service": MESSENGERS[row.service].name, "address": text, "since": row.created_at}
            for row, text in _messengers(session, settings, account_id)
        ],
        "has_webhook_key": has_webhook_key(session, account_id),
        "has_feed": has_feed(session, account_id),
    }


def reseal_alert_channels(session: Session, settings: Settings) -> int:
    """Seal browsers, messengers and webhooks' keys with today's key; how many. Raises EnvironmentProblem."""
    secrets = PersonalSecrets.from_settings(settings)

    def resealed(text: str) -> str:
        return secrets.seal(secrets.open(text))

    browsers = session.scalars(select(PushSubscriptionRow)).all()
    for browser in browsers:
        text = secrets.open(browser.content_sealed)
        browser.content_sealed = secrets.seal(text)
        browser.endpoint_hash = secrets.index(PushSubscription.from_json(text).endpoint)
    messengers = session.scalars(select(AlertMessengerRow)).all()
    for messenger in messengers:
        messenger.address_sealed = resealed(messenger.address_sealed)
    wishes = session.scalars(
        select(AlertWishesRow).where(AlertWishesRow.webhook_key_sealed.is_not(None))
    ).all()
    for wish in wishes:
        wish.webhook_key_sealed = resealed(wish.webhook_key_sealed or "")
    session.flush()
    return len(browsers) + len(messengers) + len(wishes)


def _set_wish(session: Session, account_id: int, **values: object) -> None:
    if session.get(AlertWishesRow, account_id) is None:
        set_telling(session, account_id, Telling())
    session.execute(update(AlertWishesRow).where(AlertWishesRow.account_id == account_id).values(**values))


def _messengers(session: Session, settings: Settings, account_id: int) -> list[tuple[AlertMessengerRow, str]]:
    rows = session.scalars(
        select(AlertMessengerRow)
        .where(AlertMessengerRow.account_id == account_id)
        .order_by(AlertMessengerRow.id.desc())
    ).all()
    opened = PersonalSecrets.from_settings(settings).open
    return [(row, opened(row.address_sealed)) for row in rows]


def _messenger(row: AlertMessengerRow, text: str) -> Messenger:
    return Messenger(
        id=row.public_id,
        service=MESSENGERS[row.service].name,
        shown=f"\N{HORIZONTAL ELLIPSIS}{text.rstrip('/')[-4:]}",
        since=row.created_at,
    )
