"""Signing in: invitations, single-use links and passwords."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from aggregator.accounts import passwords
from aggregator.accounts.links import link_address
from aggregator.accounts.mail_addresses import is_mail_address, read_mail_address
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.roles import ROLES, Role
from aggregator.accounts.sessions import (
    SESSION_LIFETIME,
    SignedIn,
    enter,
    find_signed_in,
    public_id_of,
    sign_out,
    sign_out_everywhere,
)
from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db import audit
from aggregator.db.models import AccountRoleRow, AccountRow, SignInLinkRow
from aggregator.domain.errors import InvalidInput
from aggregator.domain.identifiers import new_public_id

__all__ = [
    "LINK_LIFETIME",
    "SESSION_LIFETIME",
    "SignedIn",
    "confirm_password",
    "find_signed_in",
    "has_password",
    "invite",
    "link_address",
    "set_password",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "use_sign_in_link",
]

LINK_LIFETIME = timedelta(minutes=15)

_TRIES_OF_AN_ADDRESS = Limit("sign-in-address", attempts=10, seconds=900)
_TRIES_OF_A_CLIENT = Limit("sign-in-client", attempts=50, seconds=900)
_CONFIRMATIONS = Limit("confirm-password", attempts=10, seconds=900)


def invite(session: Session, email: str, role: Role, *, by: int | None = None) -> str:
    """Give an address an account with the role, and make the token of a sign-in link for it.

    The link works once within 15 minutes and voids the account's earlier ones. An account that exists keeps
    its other roles. `by` is the account that invites, None the command line. Raises InvalidInput for an unusable
    address or role.
    """
    address = read_mail_address(email)
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


def use_sign_in_link(
    session: Session, link_token: str, *, device: str | None = None, replaces: str | None = None
) -> str:
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
    return enter(session, account_id, by="link", device=device, replaces=replaces)


def sign_in(
    session: Session,
    email: str,
    password: str,
    *,
    client: str | None = None,
    limits: RateLimits | None = None,
    device: str | None = None,
    replaces: str | None = None,
) -> str:
    """Sign in with a password; returns the new session's token.

    An unknown address and a wrong password get the same InvalidInput after the same work. Attempts are
    limited per address and per `client` (its network address), with TooManyAttempts beyond; they are counted
    in PostgreSQL unless `limits` knows better. Raises SecondFactorNeeded where the account asks for one.
    """
    account_id = check_password(session, email, password, client=client, limits=limits)
    return enter(session, account_id, by="password", device=device, replaces=replaces)


def check_password(
    session: Session, email: str, password: str, *, client: str | None, limits: RateLimits | None
) -> int:
    """The account that the address and the password belong to, by `sign_in`'s rules."""
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
    return int(account.id)


def has_password(session: Session, account_id: int) -> bool:
    """Whether the account has a password; one that came by a link has none at first."""
    found = select(AccountRow.password_hash.is_not(None)).where(AccountRow.id == account_id)
    return bool(session.scalar(found))


def confirm_password(
    session: Session, account_id: int, password: str, *, limits: RateLimits | None = None
) -> None:
    """Before what cannot be taken back: who is signed in types the password once more.

    An account without one has nothing to type. Raises InvalidInput for a wrong one, TooManyAttempts.
    """
    kept_hash = session.scalar(select(AccountRow.password_hash).where(AccountRow.id == account_id))
    if kept_hash is None:
        return
    (limits or RateLimits()).count(session, _CONFIRMATIONS, str(account_id))
    if not passwords.matches(password, kept_hash):
        raise InvalidInput("this is not your present password", remedy="nothing was changed; try again")


def set_password(
    session: Session, account_id: int, password: str, *, keep_session_token: str | None = None
) -> None:
    """Set the account's password and end its sessions, but the one to keep.

    Raises InvalidInput for a password that is too short or too long, NotFound for an unknown account.
    """
    public_id = public_id_of(session, account_id)
    session.execute(
        update(AccountRow)
        .where(AccountRow.id == account_id)
        .values(password_hash=passwords.hash_password(password))
    )
    audit.record(session, account_id, "account.password_set", public_id)
    sign_out_everywhere(session, account_id, keep_session_token=keep_session_token)


def _find_account(session: Session, address: str) -> Row[int, str | None] | None:
    if not is_mail_address(address):
        return None
    return session.execute(
        select(AccountRow.id, AccountRow.password_hash).where(
            AccountRow.email == address, AccountRow.activated_at.is_not(None)
        )
    ).one_or_none()
