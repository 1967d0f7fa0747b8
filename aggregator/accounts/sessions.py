"""Signed-in browsers: opening, finding, listing and ending their sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db import audit
from aggregator.db.models import (
    AccountChallengeRow,
    AccountRoleRow,
    AccountRow,
    AccountSessionRow,
    AppSignInRow,
    PushSubscriptionRow,
)
from aggregator.domain.errors import NotFound, SecondFactorNeeded
from aggregator.domain.identifiers import new_public_id

SESSION_LIFETIME = timedelta(days=14)
# Seconds are nobody's business, and a write with every page would cost more than it tells.
_SEEN_EVERY = timedelta(minutes=10)
_SECOND_FACTOR_LIFETIME = timedelta(minutes=5)
# What proves one thing alone asks for the second factor where there is one.
_SINGLE_FACTORS = frozenset({"password", "phone", "mail"})


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in. `account_id` is the inner key: for use cases only, never shown.

    `scopes` is None for a browser, which may all that the roles allow; a program's token may what it names.
    """

    account_id: int
    email: str
    roles: frozenset[str]
    id: str = ""
    name: str | None = None
    deletion_due_at: datetime | None = None
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """One browser that is signed in; `device` are words for it, None where it said nothing known."""

    id: str
    device: str | None
    opened_by: str | None
    opened_at: datetime
    last_seen_at: datetime | None
    is_current: bool


def enter(
    session: Session, account_id: int, *, by: str, device: str | None = None, replaces: str | None = None
) -> str:
    """Open a session for whoever proved to be the account's by a password, phone, mail, link, passkey or second factor.

    Always a new token (session fixation); the session of the token `replaces` ends. Raises SecondFactorNeeded where
    that proof alone is not enough.
    """
    require_second_factor(session, account_id, by=by)
    sign_out(session, replaces)
    token = new_token()
    session.execute(
        insert(AccountSessionRow).values(
            public_id=new_public_id(),
            account_id=account_id,
            token_hash=token_hash(token),
            device=device,
            opened_by=by,
            last_seen_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + SESSION_LIFETIME,
        )
    )
    audit.record(session, account_id, "account.signed_in", public_id_of(session, account_id), by=by)
    return token


def require_second_factor(session: Session, account_id: int, *, by: str) -> None:
    """Raise SecondFactorNeeded, with a challenge to go on with, where the account asks for more than this proof."""
    has_second = session.scalar(
        select(AccountRow.totp_confirmed_at.is_not(None)).where(AccountRow.id == account_id)
    )
    if not has_second or by not in _SINGLE_FACTORS:
        return
    challenge = new_token()
    session.execute(
        insert(AccountChallengeRow).values(
            purpose="second_factor",
            account_id=account_id,
            token_hash=token_hash(challenge),
            opened_by=by,
            expires_at=datetime.now(UTC) + _SECOND_FACTOR_LIFETIME,
        )
    )
    raise SecondFactorNeeded(challenge)


def find_signed_in(session: Session, session_token: str | None) -> SignedIn | None:
    """Who holds this session token; None where it is unknown, expired or signed out."""
    if not session_token:
        return None
    now = datetime.now(UTC)
    found = session.execute(
        select(AccountSessionRow.id, AccountSessionRow.account_id, AccountSessionRow.last_seen_at).where(
            AccountSessionRow.token_hash == token_hash(session_token),
            AccountSessionRow.revoked_at.is_(None),
            AccountSessionRow.expires_at > now,
        )
    ).one_or_none()
    if found is None:
        return None
    if found.last_seen_at is None or found.last_seen_at < now - _SEEN_EVERY:
        session.execute(
            update(AccountSessionRow).where(AccountSessionRow.id == found.id).values(last_seen_at=now)
        )
    return describe_account(session, found.account_id)


def describe_account(session: Session, account_id: int) -> SignedIn | None:
    """An account with its roles; None where there is none."""
    roles = (
        select(func.array_agg(AccountRoleRow.role))
        .where(AccountRoleRow.account_id == AccountRow.id)
        .scalar_subquery()
    )
    row = session.execute(
        select(
            AccountRow.email, AccountRow.public_id, AccountRow.name, AccountRow.deletion_due_at, roles
        ).where(AccountRow.id == account_id)
    ).one_or_none()
    if row is None:
        return None
    email, public_id, name, deletion_due_at, held = row
    return SignedIn(account_id, email, frozenset(held or ()), public_id, name, deletion_due_at)


def list_sessions(session: Session, account_id: int, current_token: str | None) -> list[OpenSession]:
    """Every browser that is signed in, the one that asks first, then the last seen."""
    current = token_hash(current_token) if current_token else b""
    rows = session.scalars(
        select(AccountSessionRow).where(
            AccountSessionRow.account_id == account_id,
            AccountSessionRow.revoked_at.is_(None),
            AccountSessionRow.expires_at > datetime.now(UTC),
        )
    )
    found = [
        OpenSession(
            id=row.public_id,
            device=row.device,
            opened_by=row.opened_by,
            opened_at=row.created_at,
            last_seen_at=row.last_seen_at,
            is_current=row.token_hash == current,
        )
        for row in rows
    ]
    found.sort(key=lambda one: one.last_seen_at or one.opened_at, reverse=True)
    return sorted(found, key=lambda one: not one.is_current)


def end_session(session: Session, account_id: int, session_id: str) -> None:
    """Sign one browser of the account out; NotFound for one that is not its own."""
    ended = session.scalar(
        update(AccountSessionRow)
        .where(AccountSessionRow.public_id == session_id, AccountSessionRow.account_id == account_id)
        .where(AccountSessionRow.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
        .returning(AccountSessionRow.id)
    )
    if ended is None:
        raise NotFound("session", session_id)


def sign_out(session: Session, session_token: str | None) -> None:
    """End this session; harmless where it has ended already."""
    if session_token:
        session.execute(
            update(AccountSessionRow)
            .where(AccountSessionRow.token_hash == token_hash(session_token))
            .where(AccountSessionRow.revoked_at.is_(None))
            .values(revoked_at=datetime.now(UTC))
        )


def sign_out_everywhere(session: Session, account_id: int, *, keep_session_token: str | None = None) -> int:
    """End every session of the account, but the one to keep, and every app's; returns how many browsers' ended.

    No browser shows the account's notices any more: which of them was whose cannot be told.
    """
    kept = token_hash(keep_session_token) if keep_session_token else b""
    now = datetime.now(UTC)
    ended = session.execute(
        update(AccountSessionRow)
        .where(AccountSessionRow.account_id == account_id, AccountSessionRow.token_hash != literal(kept))
        .where(AccountSessionRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(AccountSessionRow.id)
    ).all()
    session.execute(
        update(AppSignInRow)
        .where(AppSignInRow.account_id == account_id, AppSignInRow.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    session.execute(delete(PushSubscriptionRow).where(PushSubscriptionRow.account_id == account_id))
    # Nor may a sign-in that was begun with the old proofs be finished.
    session.execute(
        update(AccountChallengeRow)
        .where(AccountChallengeRow.account_id == account_id, AccountChallengeRow.used_at.is_(None))
        .where(AccountChallengeRow.purpose == "second_factor")
        .values(used_at=now)
    )
    audit.record(session, account_id, "account.signed_out_everywhere", public_id_of(session, account_id))
    return len(ended)


def public_id_of(session: Session, account_id: int) -> str:
    """The account's public id; NotFound where there is none."""
    public_id = session.execute(select(AccountRow.public_id).where(AccountRow.id == account_id)).scalar()
    if public_id is None:
        raise NotFound("account", str(account_id))
    return public_id
