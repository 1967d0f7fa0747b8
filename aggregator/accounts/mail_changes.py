"""Another mail address for an account: confirmed at the new one, told at the old one."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from aggregator.accounts import letters
from aggregator.accounts.mail_addresses import read_mail_address
from aggregator.accounts.mailed_tokens import find_token, put_token, void_tokens
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.sessions import public_id_of
from aggregator.accounts.sign_in import confirm_password
from aggregator.db import audit
from aggregator.db.models import AccountRow
from aggregator.domain.errors import InvalidInput
from aggregator.settings import Settings

_CHANGES = Limit("change-mail", attempts=5, seconds=3600)


def ask_mail_change(
    session: Session,
    settings: Settings,
    account_id: int,
    email: str,
    password: str,
    *,
    limits: RateLimits | None = None,
) -> None:
    """Mail a confirmation link to the new address; the same answer where another account has it.

    Raises InvalidInput for a wrong password or an unusable address, and TooManyAttempts.
    """
    address = read_mail_address(email)
    confirm_password(session, account_id, password, limits=limits)
    (limits or RateLimits()).count(session, _CHANGES, str(account_id))
    is_taken = session.scalar(select(exists().where(AccountRow.email == address)))
    token = put_token(session, "change_mail", address, account_id=account_id)
    language = session.scalar(select(AccountRow.language).where(AccountRow.id == account_id))
    if is_taken:
        letters.mail_address_taken(session, settings, address, language=language)
    else:
        letters.mail_address_change(session, settings, address, token, language=language)


def is_mail_change(session: Session, token: str) -> bool:
    """Whether the link of this token still works."""
    return find_token(session, "change_mail", token) is not None


def confirm_mail_change(session: Session, settings: Settings, token: str) -> str:
    """Make the address the account's; returns it. Raises InvalidInput where the link is spent or the address taken."""
    row = find_token(session, "change_mail", token, lock=True)
    is_free = row is not None and not session.scalar(select(exists().where(AccountRow.email == row.email)))
    if row is None or row.account_id is None or not is_free:
        raise InvalidInput("this link was used or is too old", remedy="ask for a new one")
    row.used_at = datetime.now(UTC)
    old = session.scalar(select(AccountRow.email).where(AccountRow.id == row.account_id).with_for_update())
    try:
        with session.begin_nested():
            session.execute(update(AccountRow).where(AccountRow.id == row.account_id).values(email=row.email))
    except IntegrityError as error:  # somebody else was quicker by a moment
        raise InvalidInput("this address is taken", remedy="ask for another one") from error
    # A link that went to the old mailbox must not open the account any more.
    void_tokens(session, row.account_id, "recover", "change_mail")
    if old is not None:
        letters.mail_address_changed(session, settings, old, row.email)
    audit.record(session, row.account_id, "account.mail_changed", public_id_of(session, row.account_id))
    return row.email
