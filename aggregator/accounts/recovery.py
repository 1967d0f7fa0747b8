"""A forgotten password: a new one is set by whoever has the mailbox."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.accounts import letters
from aggregator.accounts.mail_addresses import read_mail_address
from aggregator.accounts.mailed_tokens import find_token, put_token
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.sessions import enter
from aggregator.accounts.sign_in import set_password
from aggregator.db.models import AccountRow
from aggregator.domain.errors import InvalidInput
from aggregator.settings import Settings

_OF_AN_ADDRESS = Limit("recover-address", attempts=4, seconds=3600)
_OF_A_CLIENT = Limit("recover-client", attempts=20, seconds=3600)


def ask_recovery(
    session: Session,
    settings: Settings,
    email: str,
    *,
    client: str | None = None,
    limits: RateLimits | None = None,
    language: str | None = None,
) -> None:
    """Mail a link that sets a new password; an address without an account is mailed that it has none.

    In the account's language, or else in `language`, that of who asks.

    The same answer after the same work for both. Raises InvalidInput for what is no address, and TooManyAttempts.
    """
    address = read_mail_address(email)
    limits = limits or RateLimits()
    limits.count(session, _OF_AN_ADDRESS, address)
    if client is not None:
        limits.count(session, _OF_A_CLIENT, client)
    account_id = session.scalar(
        select(AccountRow.id).where(AccountRow.email == address, AccountRow.activated_at.is_not(None))
    )
    token = put_token(session, "recover", address, account_id=account_id)
    if account_id is None:
        letters.mail_nothing_to_recover(session, settings, address, language=language)
    else:
        letters.mail_recovery(session, settings, address, token, language=language)


def is_recovery(session: Session, token: str) -> bool:
    """Whether the link of this token still works."""
    row = find_token(session, "recover", token)
    return row is not None and row.account_id is not None


def recover(
    session: Session,
    settings: Settings,
    token: str,
    password: str,
    *,
    device: str | None = None,
    replaces: str | None = None,
) -> str:
    """Set a new password, end every session of the account, and sign in; returns the session's token.

    Raises InvalidInput for a spent link and (place "password") for an unusable password, after which the link still
    works; SecondFactorNeeded where the account asks for one: the password is set then, too.
    """
    row = find_token(session, "recover", token, lock=True)
    if row is None or row.account_id is None:
        raise InvalidInput("this link was used or is too old", remedy="ask for a new one")
    set_password(session, row.account_id, password)
    row.used_at = datetime.now(UTC)
    session.flush()
    letters.mail_security_change(session, settings, row.email, "password_set")
    return enter(session, row.account_id, by="mail", device=device, replaces=replaces)
