"""Signing in: invitations, single-use links, passwords and sessions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Row, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from aggregator.accounts import passwords
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.roles import ROLES, Role
from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db import audit
from aggregator.db.models import AccountRoleRow, AccountRow, AccountSessionRow, SignInLinkRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.settings import Settings

LINK_LIFETIME = timedelta(minutes=15)
SESSION_LIFETIME = timedelta(days=14)

_TRIES_OF_AN_ADDRESS = Limit("sign-in-address", attempts=10, seconds=900)
_TRIES_OF_A_CLIENT = Limit("sign-in-client", attempts=50, seconds=900)

# No judgement by RFC 5321, only a guard against slips and against what PostgreSQL's text cannot hold.
_PART = r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f\ud800-\udfff]"
_EMAIL = re.compile(rf"{_PART}{{1,64}}@{_PART}{{1,190}}")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in. `account_id` is the inner key: for use cases only, never shown."""

    account_id: int
    email: str
    roles: frozenset[str]


def invite(session: Session, email: str, role: Role, *, by: int | None = None) -> str:
    """Give an address an account with the role, and make the token of a sign-in link for it.

    The link works once within 15 minutes and voids the account's earlier ones. An account that exists keeps
    its other roles. `by` is the account that invites, None the command line. Raises InvalidInput for an unusable
    address or role.
    """
    address = _read_email(email)
    if role not in ROLES:
        raise InvalidInput(f"no role {role!r}", place="role", remedy=f"use one of {', '.join(ROLES)}")
    session.execute(
        upsert(AccountRow).values(public_id=new_public_id(), email=address).on_conflict_do_nothing()
    )
    account_id, public_id = session.execute(
        select(AccountRow.id, AccountRow.public_id).where(AccountRow.email == address)
    ).one()
    session.execute(upsert(AccountRoleRow).values(account_id=account_id, role=role).on_conflict_do_nothing())
    now = datetime.now(UTC)
    session.execute(
        update(SignInLinkRow)
        .where(SignInLinkRow.account_id == account_id, SignInLinkRow.used_at.is_(None))
        .where(SignInLinkRow.expires_at > now)
        .values(expires_at=now)
    )
    token = new_token()
    session.execute(
        insert(SignInLinkRow).values(
            account_id=account_id, token_hash=token_hash(token), expires_at=now + LINK_LIFETIME
        )
    )
    audit.record(session, by, "account.invited", public_id, role=role)
    return token


def link_address(settings: Settings, link_token: str) -> str:
    """Where the link's token is used: the site's own address as a browser reaches it."""
    if settings.site_url:
        origin = settings.site_url
    elif settings.secure_cookies and settings.allowed_hosts:
        origin = f"https://{min(settings.allowed_hosts)}"
    else:
        everywhere = settings.host in {"0.0.0.0", "::", ""}  # noqa: S104  # compared with, not listened on
        host = "127.0.0.1" if everywhere else settings.host
        origin = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    return f"{origin}/login/link/{link_token}"


def use_sign_in_link(session: Session, link_token: str) -> str:
    """Sign in with a link's token; returns the new session's token.

    Raises InvalidInput where the link was used, voided or is older than 15 minutes.
    """
    now = datetime.now(UTC)
    account_id = session.execute(
        update(SignInLinkRow)
        .where(SignInLinkRow.token_hash == token_hash(link_token))
        .where(SignInLinkRow.used_at.is_(None), SignInLinkRow.expires_at > now)
        .values(used_at=now)
        .returning(SignInLinkRow.account_id)
    ).scalar()
    if account_id is None:
        raise InvalidInput("this sign-in link was used or is too old", remedy="ask for a new one")
    session.execute(
        update(AccountRow)
        .where(AccountRow.id == account_id, AccountRow.activated_at.is_(None))
        .values(activated_at=now)
    )
    return _open_session(session, account_id, by="link")


def sign_in(
    session: Session,
    email: str,
    password: str,
    *,
    client: str | None = None,
    limits: RateLimits | None = None,
) -> str:
    """Sign in with a password; returns the new session's token.

    An unknown address and a wrong password get the same InvalidInput after the same work. Attempts are
    limited per address and per `client` (its network address), with TooManyAttempts beyond; they are counted
    in PostgreSQL unless `limits` knows better.
    """
    address = email.strip().lower()[:255]
    limits = limits or RateLimits()
    # First of all, so that nothing of this session waits for the counting.
    limits.count(session, _TRIES_OF_AN_ADDRESS, address)
    if client is not None:
        limits.count(session, _TRIES_OF_A_CLIENT, client)
    account = _find_account(session, address)
    kept_hash = account.password_hash if account else None
    if not passwords.matches(password, kept_hash) or account is None or kept_hash is None:
        raise InvalidInput(
            "this address and password do not belong together", remedy="try again or use a link"
        )
    if passwords.is_outdated(kept_hash):
        session.execute(
            update(AccountRow)
            .where(AccountRow.id == account.id)
            .values(password_hash=passwords.hash_password(password))
        )
    return _open_session(session, account.id, by="password")


def find_signed_in(session: Session, session_token: str | None) -> SignedIn | None:
    """Who holds this session token; None where it is unknown, expired or signed out."""
    if not session_token:
        return None
    roles = (
        select(func.array_agg(AccountRoleRow.role))
        .where(AccountRoleRow.account_id == AccountRow.id)
        .scalar_subquery()
    )
    found = session.execute(
        select(AccountRow.id, AccountRow.email, roles.label("roles"))
        .join(AccountSessionRow, AccountSessionRow.account_id == AccountRow.id)
        .where(AccountSessionRow.token_hash == token_hash(session_token))
        .where(AccountSessionRow.revoked_at.is_(None), AccountSessionRow.expires_at > datetime.now(UTC))
    ).one_or_none()
    return SignedIn(found.id, found.email, frozenset(found.roles or ())) if found else None


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
    """End every session of the account, but the one to keep; returns how many ended."""
    kept = token_hash(keep_session_token) if keep_session_token else b""
    ended = session.execute(
        update(AccountSessionRow)
        .where(AccountSessionRow.account_id == account_id, AccountSessionRow.token_hash != literal(kept))
        .where(AccountSessionRow.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
        .returning(AccountSessionRow.id)
    ).all()
    audit.record(session, account_id, "account.signed_out_everywhere", _public_id(session, account_id))
    return len(ended)


def set_password(
    session: Session, account_id: int, password: str, *, keep_session_token: str | None = None
) -> None:
    """Set the account's password and end its sessions, but the one to keep.

    Raises InvalidInput for a password that is too short or too long, NotFound for an unknown account.
    """
    public_id = _public_id(session, account_id)
    session.execute(
        update(AccountRow)
        .where(AccountRow.id == account_id)
        .values(password_hash=passwords.hash_password(password))
    )
    audit.record(session, account_id, "account.password_set", public_id)
    sign_out_everywhere(session, account_id, keep_session_token=keep_session_token)


def _find_account(session: Session, address: str) -> Row[int, str | None] | None:
    if not _EMAIL.fullmatch(address):
        return None
    return session.execute(
        select(AccountRow.id, AccountRow.password_hash).where(
            AccountRow.email == address, AccountRow.activated_at.is_not(None)
        )
    ).one_or_none()


def _open_session(session: Session, account_id: int, *, by: str) -> str:
    token = new_token()
    session.execute(
        insert(AccountSessionRow).values(
            account_id=account_id,
            token_hash=token_hash(token),
            expires_at=datetime.now(UTC) + SESSION_LIFETIME,
        )
    )
    audit.record(session, account_id, "account.signed_in", _public_id(session, account_id), by=by)
    return token


def _public_id(session: Session, account_id: int) -> str:
    public_id = session.execute(select(AccountRow.public_id).where(AccountRow.id == account_id)).scalar()
    if public_id is None:
        raise NotFound("account", str(account_id))
    return public_id


def _read_email(text: str) -> str:
    address = text.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise InvalidInput(f"{text!r} is not a mail address", place="email", remedy="write it as name@host")
    return address
