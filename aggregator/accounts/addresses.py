"""The address book: several addresses an account, one of them the default; kept encrypted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from aggregator.db.models import AccountAddressRow, AccountRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.postal_addresses import PostalAddress
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings

MOST_ADDRESSES = 20


@dataclass(frozen=True, slots=True)
class KeptAddress:
    """An address of the book."""

    id: str
    address: PostalAddress
    is_default: bool


def list_addresses(session: Session, settings: Settings, account_id: int) -> list[KeptAddress]:
    """The account's addresses, the default first, then as they were added."""
    secrets = PersonalSecrets.from_settings(settings)
    rows = session.scalars(
        select(AccountAddressRow)
        .where(AccountAddressRow.account_id == account_id)
        .order_by(AccountAddressRow.is_default.desc(), AccountAddressRow.id)
    )
    return [_opened(secrets, row) for row in rows]


def get_address(session: Session, settings: Settings, account_id: int, address_id: str) -> KeptAddress:
    """One of the account's addresses; NotFound for one that is not its own."""
    return _opened(PersonalSecrets.from_settings(settings), _get(session, account_id, address_id))


def add_address(
    session: Session,
    settings: Settings,
    account_id: int,
    address: PostalAddress,
    *,
    is_default: bool = False,
) -> str:
    """Put an address into the book; returns its id. The first is the default. InvalidInput beyond 20."""
    _lock(session, account_id)
    count = session.scalar(select(func.count()).where(AccountAddressRow.account_id == account_id)) or 0
    if count >= MOST_ADDRESSES:
        raise InvalidInput(f"an address book holds {MOST_ADDRESSES}", remedy="remove one first")
    public_id = new_public_id()
    session.execute(
        insert(AccountAddressRow).values(
            public_id=public_id, account_id=account_id, content_sealed=_sealed(settings, address)
        )
    )
    if is_default or count == 0:
        make_default(session, account_id, public_id)
    return public_id


def change_address(
    session: Session, settings: Settings, account_id: int, address_id: str, address: PostalAddress
) -> None:
    """Put another address in its place; NotFound for one that is not the account's own."""
    row = _get(session, account_id, address_id)
    session.execute(
        update(AccountAddressRow)
        .where(AccountAddressRow.id == row.id)
        .values(content_sealed=_sealed(settings, address))
    )


def make_default(session: Session, account_id: int, address_id: str) -> None:
    """Let parcels go there unless told otherwise; NotFound for one that is not the account's own."""
    _lock(session, account_id)
    row = _get(session, account_id, address_id)
    session.execute(
        update(AccountAddressRow)
        .where(AccountAddressRow.account_id == account_id, AccountAddressRow.is_default)
        .values(is_default=False)
    )
    session.execute(update(AccountAddressRow).where(AccountAddressRow.id == row.id).values(is_default=True))
    session.expire_all()


def remove_address(session: Session, account_id: int, address_id: str) -> None:
    """Take an address out; where it was the default, the oldest left is. NotFound for one that is not its own."""
    _lock(session, account_id)
    row = _get(session, account_id, address_id)
    was_default = row.is_default
    session.execute(delete(AccountAddressRow).where(AccountAddressRow.id == row.id))
    if was_default:
        oldest = session.scalar(
            select(AccountAddressRow.public_id)
            .where(AccountAddressRow.account_id == account_id)
            .order_by(AccountAddressRow.id)
            .limit(1)
        )
        if oldest is not None:
            make_default(session, account_id, oldest)


def _get(session: Session, account_id: int, address_id: str) -> AccountAddressRow:
    row = session.scalars(
        select(AccountAddressRow).where(
            AccountAddressRow.public_id == address_id, AccountAddressRow.account_id == account_id
        )
    ).one_or_none()
    if row is None:
        raise NotFound("address", address_id)
    return row


def _lock(session: Session, account_id: int) -> None:
    # One change of a book at a time: it has one default.
    session.execute(select(AccountRow.id).where(AccountRow.id == account_id).with_for_update())


def _sealed(settings: Settings, address: PostalAddress) -> str:
    return PersonalSecrets.from_settings(settings).seal(json.dumps(asdict(address), ensure_ascii=False))


def _opened(secrets: PersonalSecrets, row: AccountAddressRow) -> KeptAddress:
    content = json.loads(secrets.open(row.content_sealed))
    return KeptAddress(row.public_id, PostalAddress(**content), row.is_default)
