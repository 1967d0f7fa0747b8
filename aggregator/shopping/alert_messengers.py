"""Messengers that an account is told at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aggregator.db.models import AlertMessengerRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.messengers import MESSENGERS, MessengerAddress, read_messenger_address
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings

MOST_MESSENGERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Messenger:
    """A messenger that the account is told at: the service's name, and its address but for its secret."""

    id: str
    service: str
    shown: str
    since: datetime


def add_messenger(session: Session, settings: Settings, account_id: int, address: str) -> Messenger:
    """Tell the account at a messenger too; raises InvalidInput for an unknown address, or where there are 10."""
    read = read_messenger_address(address)
    known = {text: row for row, text in messenger_addresses(session, settings, account_id)}
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
    return tuple(_messenger(row, text) for row, text in messenger_addresses(session, settings, account_id))


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


def messenger_addresses(
    session: Session, settings: Settings, account_id: int
) -> list[tuple[AlertMessengerRow, str]]:
    """The account's rows with their addresses, the newest first."""
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
