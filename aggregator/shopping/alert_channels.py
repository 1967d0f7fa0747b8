"""What an account set up to be told by besides mail, taken together; the key of its webhook, and its feed's address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db.models import AlertMessengerRow, AlertWishesRow, PushSubscriptionRow
from aggregator.domain.messengers import MESSENGERS
from aggregator.domain.notices import Channel
from aggregator.notifications.web_push import PushSubscription
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings
from aggregator.shopping.alert_messengers import messenger_addresses
from aggregator.shopping.alerts import Telling, set_telling


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
            for row, text in messenger_addresses(session, settings, account_id)
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
