"""New accounts: asked for with a password, made when the mailbox is proved. No answer tells who has an account."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.accounts import letters, passwords
from aggregator.accounts.mail_addresses import read_mail_address
from aggregator.accounts.mailed_tokens import find_token, put_token
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.sessions import enter
from aggregator.accounts.tokens import token_hash
from aggregator.db import audit
from aggregator.db.models import AccountRoleRow, AccountRow, MailedTokenRow
from aggregator.domain.errors import InvalidInput
from aggregator.domain.identifiers import new_public_id
from aggregator.settings import Settings

_OF_AN_ADDRESS = Limit("register-address", attempts=4, seconds=3600)
_OF_A_CLIENT = Limit("register-client", attempts=20, seconds=3600)
_MOST_TRIES = 5


def register(
    session: Session,
    settings: Settings,
    email: str,
    password: str,
    *,
    browser_secret: str,
    client: str | None = None,
    limits: RateLimits | None = None,
    language: str | None = None,
) -> None:
    """Ask for an account: a mail goes to the address, and nothing else happens until its link is used.

    The same answer after the same work whether the address has an account or not: one that has is mailed that it has.
    `browser_secret` is what the asking browser holds, see `activate`; `language` is what it speaks. Raises InvalidInput
    for an unusable address or password, and TooManyAttempts.
    """
    address = read_mail_address(email)
    password_hash = passwords.hash_password(password)
    limits = limits or RateLimits()
    limits.count(session, _OF_AN_ADDRESS, address)
    if client is not None:
        limits.count(session, _OF_A_CLIENT, client)
    known = session.scalar(
        select(AccountRow.id).where(AccountRow.email == address, AccountRow.activated_at.is_not(None))
    )
    # The token of a known address is mailed to nobody.
    token = put_token(
        session,
        "activate",
        address,
        password_hash=password_hash,
        browser_hash=token_hash(browser_secret),
    )
    if known is None:
        letters.mail_activation(session, settings, address, token, language=language)
    else:
        letters.mail_already_registered(session, settings, address, language=language)


def needs_password(session: Session, token: str, *, browser_secret: str | None) -> bool:
    """Whether the link must be used with the password, since it was another browser that registered.

    Raises InvalidInput where the link is spent.
    """
    row = _get(session, token)
    return not _is_from(row, browser_secret)


def activate(
    session: Session,
    token: str,
    *,
    browser_secret: str | None,
    password: str | None = None,
    device: str | None = None,
    replaces: str | None = None,
) -> str:
    """Make the account and sign in; returns the session's token.

    Whoever presses the link of a registration that somebody else made with their address would get an account that
    the other knows the password of. So the browser that registered uses the link alone, any other with the password.
    Raises InvalidInput for a spent link, and with the place "password" for a wrong one.
    """
    row = _get(session, token, lock=True)
    if not _is_from(row, browser_secret):
        row.attempts += 1
        if row.attempts > _MOST_TRIES:
            row.used_at = datetime.now(UTC)
        is_right = passwords.matches(password or "", row.password_hash)
        if row.used_at is not None or not is_right:
            raise InvalidInput(
                "this is not the password that was chosen", place="password", remedy="or register again"
            )
    now = datetime.now(UTC)
    session.execute(
        insert(AccountRow).values(public_id=new_public_id(), email=row.email).on_conflict_do_nothing()
    )
    made = session.execute(
        update(AccountRow)
        .where(AccountRow.email == row.email, AccountRow.activated_at.is_(None))
        .values(activated_at=now, password_hash=row.password_hash)
        .returning(AccountRow.id, AccountRow.public_id)
    ).one_or_none()
    # All registrations of this address end with the first that is finished.
    session.execute(
        update(MailedTokenRow)
        .where(MailedTokenRow.purpose == "activate", MailedTokenRow.email == row.email)
        .where(MailedTokenRow.used_at.is_(None))
        .values(used_at=now, password_hash=None)
    )
    if made is None:
        raise _spent()
    session.execute(
        insert(AccountRoleRow).values(account_id=made.id, role="shopper").on_conflict_do_nothing()
    )
    audit.record(session, made.id, "account.registered", made.public_id)
    return enter(session, made.id, by="mail", device=device, replaces=replaces)


def _get(session: Session, token: str, *, lock: bool = False) -> MailedTokenRow:
    row = find_token(session, "activate", token, lock=lock)
    if row is None:
        raise _spent()
    return row


def _is_from(row: MailedTokenRow, browser_secret: str | None) -> bool:
    asked = token_hash(browser_secret) if browser_secret else b""
    return row.browser_hash is not None and hmac.compare_digest(asked, row.browser_hash)


def _spent() -> InvalidInput:
    return InvalidInput("this link was used or is too old", remedy="register again, or sign in")
