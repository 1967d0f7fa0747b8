"""Tokens that people make for their programs: named, scoped, revocable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.roles import STAFF_ROLES
from aggregator.accounts.scopes import read_scopes
from aggregator.accounts.sessions import SignedIn, describe_account, public_id_of
from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db import audit
from aggregator.db.models import ApiTokenRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.normalization.names import clean_text

# By its beginning a token is known where it was spilt: in a log, a repository, a chat.
PREFIX = "c2c_"
MOST_TOKENS = 50
LONGEST_DAYS = 3650
_SEEN_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token as its owner sees it again: all but itself."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def make_api_token(
    session: Session, account_id: int, name: str, scopes: Iterable[str], *, days: int | None
) -> str:
    """Make a token that is good for so many days, or until it is revoked; returns it, the only time.

    Raises InvalidInput for an empty name, unknown scopes, too many days or more than 50 tokens.
    """
    shown = clean_text(name, 80)
    if not shown:
        raise InvalidInput("a token needs a name", place="name", remedy="say what it is for")
    chosen = read_scopes(scopes)
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"{days} days", place="days", remedy=f"use 1 to {LONGEST_DAYS}")
    if len(list_api_tokens(session, account_id)) >= MOST_TOKENS:
        raise InvalidInput(f"there are {MOST_TOKENS} tokens", remedy="revoke one that is not used")
    token = PREFIX + new_token()
    session.execute(
        insert(ApiTokenRow).values(
            public_id=new_public_id(),
            account_id=account_id,
            name=shown,
            token_hash=token_hash(token),
            scopes=sorted(chosen),
            expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
        )
    )
    audit.record(
        session,
        account_id,
        "account.token_made",
        public_id_of(session, account_id),
        scopes=", ".join(sorted(chosen)),
    )
    return token


def list_api_tokens(session: Session, account_id: int) -> list[ApiToken]:
    """The account's tokens that still work, the newest first."""
    rows = session.scalars(
        select(ApiTokenRow)
        .where(ApiTokenRow.account_id == account_id, ApiTokenRow.revoked_at.is_(None))
        .where(func.coalesce(ApiTokenRow.expires_at, datetime.max.replace(tzinfo=UTC)) > datetime.now(UTC))
        .order_by(ApiTokenRow.id.desc())
    )
    return [
        ApiToken(
            id=row.public_id,
            name=row.name,
            scopes=tuple(row.scopes),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


def revoke_api_token(session: Session, account_id: int, token_id: str) -> None:
    """End one of the account's tokens; NotFound for one that is not its own."""
    revoked = session.scalar(
        update(ApiTokenRow)
        .where(ApiTokenRow.public_id == token_id, ApiTokenRow.account_id == account_id)
        .where(ApiTokenRow.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
        .returning(ApiTokenRow.id)
    )
    if revoked is None:
        raise NotFound("token", token_id)
    audit.record(session, account_id, "account.token_revoked", public_id_of(session, account_id))


def find_api_token(session: Session, token: str) -> SignedIn | None:
    """Who a program's token speaks for, with its scopes; None for one that is unknown, revoked or expired."""
    now = datetime.now(UTC)
    row = session.execute(
        select(
            ApiTokenRow.id,
            ApiTokenRow.account_id,
            ApiTokenRow.scopes,
            ApiTokenRow.expires_at,
            ApiTokenRow.last_used_at,
        ).where(ApiTokenRow.token_hash == token_hash(token), ApiTokenRow.revoked_at.is_(None))
    ).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.last_used_at is None or row.last_used_at < now - _SEEN_EVERY:
        session.execute(update(ApiTokenRow).where(ApiTokenRow.id == row.id).values(last_used_at=now))
    account = describe_account(session, row.account_id)
    return limited_to(account, frozenset(row.scopes)) if account else None


def limited_to(account: SignedIn, scopes: frozenset[str]) -> SignedIn:
    """The account as a program may act for it: what staff may do only with the scope for it."""
    roles = account.roles if "operate" in scopes else account.roles - set(STAFF_ROLES)
    return replace(account, roles=roles, scopes=scopes)
