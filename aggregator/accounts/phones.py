"""Phone numbers: kept encrypted, confirmed and signed in with by one-time codes."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from aggregator.accounts import letters
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.sessions import enter, public_id_of
from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db import audit
from aggregator.db.models import AccountChallengeRow, AccountRow
from aggregator.domain.errors import InvalidInput
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings

CODE_LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5
# Any constant will do: numbers pass from account to account one at a time, so that two who prove one do not collide.
_NUMBERS_CHANGE = 0x436C_5068

_OF_A_NUMBER = Limit("phone-code-number", attempts=4, seconds=3600)
_OF_A_CLIENT = Limit("phone-code-client", attempts=20, seconds=3600)
_TRIES_OF_A_CLIENT = Limit("phone-code-tries", attempts=50, seconds=900)


def read_phone(text: str) -> str:
    """The number as E.164, "+49170..."; raises InvalidInput for what is none, or has no country's code."""
    number = re.sub(r"[\s()/.\-\u2010-\u2015]", "", text)
    if number.startswith("00"):
        number = "+" + number[2:]
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number, re.ASCII):
        raise InvalidInput(
            "this is not a whole phone number",
            place="phone",
            remedy="write it with the country's code, such as +49 170 1234567",
        )
    return number


def find_phone(session: Session, settings: Settings, account_id: int) -> str | None:
    """The account's confirmed number; None where it has none."""
    sealed = session.scalar(select(AccountRow.phone_sealed).where(AccountRow.id == account_id))
    return PersonalSecrets.from_settings(settings).open(sealed) if sealed else None


def ask_phone(
    session: Session,
    settings: Settings,
    account_id: int,
    phone: str,
    *,
    limits: RateLimits | None = None,
) -> str:
    """Send a code that proves the number; returns the token to confirm with. InvalidInput, TooManyAttempts."""
    number = read_phone(phone)
    (limits or RateLimits()).count(session, _OF_A_NUMBER, number)
    return _send(session, settings, "phone_confirm", number, account_id, is_sent=True)


def confirm_phone(session: Session, settings: Settings, account_id: int, token: str, code: str) -> bool:
    """Whether the code was right: the number is the account's then. False is an answer to commit, tries count.

    A number is one account's: whoever proves to have it takes it from an account that had it before.
    """
    row = _try(session, "phone_confirm", token, code)
    if row is None or row.account_id != account_id or row.phone_sealed is None:
        return False
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _NUMBERS_CHANGE})
    secrets_ = PersonalSecrets.from_settings(settings)
    number = secrets_.open(row.phone_sealed)
    had = session.execute(
        select(AccountRow.id, AccountRow.email).where(
            AccountRow.phone_hash.in_(secrets_.indexes(number)), AccountRow.id != account_id
        )
    ).all()
    for former in had:
        _set_phone(session, former.id, None, None)
        letters.mail_security_change(session, settings, former.email, "phone_is_anothers")
    _set_phone(session, account_id, row.phone_sealed, secrets_.index(number))
    audit.record(session, account_id, "account.phone_set", public_id_of(session, account_id))
    return True


def remove_phone(session: Session, account_id: int) -> None:
    """Forget the account's number."""
    _set_phone(session, account_id, None, None)
    audit.record(session, account_id, "account.phone_removed", public_id_of(session, account_id))


def send_sign_in_code(
    session: Session,
    settings: Settings,
    phone: str,
    *,
    client: str | None = None,
    limits: RateLimits | None = None,
) -> str:
    """Send a code to sign in with; returns the token to go on with, the same for a number that no account has.

    Raises InvalidInput for what is no number, and TooManyAttempts.
    """
    number = read_phone(phone)
    limits = limits or RateLimits()
    limits.count(session, _OF_A_NUMBER, number)
    if client is not None:
        limits.count(session, _OF_A_CLIENT, client)
    account_id = session.scalar(
        select(AccountRow.id).where(
            AccountRow.phone_hash.in_(PersonalSecrets.from_settings(settings).indexes(number)),
            AccountRow.activated_at.is_not(None),
        )
    )
    return _send(session, settings, "phone_sign_in", number, account_id, is_sent=account_id is not None)


def sign_in_with_code(
    session: Session,
    token: str,
    code: str,
    *,
    client: str | None = None,
    limits: RateLimits | None = None,
    device: str | None = None,
    replaces: str | None = None,
) -> str | None:
    """The session's token where the code was right, else None: an answer to commit, tries count.

    Raises TooManyAttempts, and SecondFactorNeeded where the account asks for one.
    """
    account_id = check_sign_in_code(session, token, code, client=client, limits=limits)
    if account_id is None:
        return None
    return enter(session, account_id, by="phone", device=device, replaces=replaces)


def check_sign_in_code(
    session: Session, token: str, code: str, *, client: str | None, limits: RateLimits | None
) -> int | None:
    """The account whose number the code was sent to, by the rules of `sign_in_with_code`; None for a wrong one."""
    if client is not None:
        (limits or RateLimits()).count(session, _TRIES_OF_A_CLIENT, client)
    row = _try(session, "phone_sign_in", token, code)
    return row.account_id if row else None


def _send(
    session: Session, settings: Settings, purpose: str, number: str, account_id: int | None, *, is_sent: bool
) -> str:
    token, code = new_token(), f"{secrets.randbelow(1_000_000):06}"
    session.execute(
        insert(AccountChallengeRow).values(
            purpose=purpose,
            account_id=account_id,
            token_hash=token_hash(token),
            expected=_code_hash(token, code),
            phone_sealed=PersonalSecrets.from_settings(settings).seal(number),
            expires_at=datetime.now(UTC) + CODE_LIFETIME,
        )
    )
    # The same work where nobody has the number, so that the time tells nothing; only then nothing comes of it.
    with session.begin_nested() as message:
        letters.send_code(session, number, code, lives=CODE_LIFETIME, account_id=account_id)
        if not is_sent:
            message.rollback()
    return token


def _try(session: Session, purpose: str, token: str, code: str) -> AccountChallengeRow | None:
    row = session.scalars(
        select(AccountChallengeRow)
        .where(
            AccountChallengeRow.purpose == purpose,
            AccountChallengeRow.token_hash == token_hash(token),
            AccountChallengeRow.used_at.is_(None),
            AccountChallengeRow.expires_at > datetime.now(UTC),
            AccountChallengeRow.attempts < MOST_TRIES,
        )
        .with_for_update()
    ).one_or_none()
    if row is None:
        return None
    row.attempts += 1
    given = _code_hash(token, re.sub(r"\s", "", code))
    is_right = hmac.compare_digest(given, row.expected or b"")
    if is_right:
        row.used_at = datetime.now(UTC)
    session.flush()
    return row if is_right else None


def _code_hash(token: str, code: str) -> bytes:
    # The token, which is not kept, makes six digits unguessable from what is.
    return hashlib.sha256(f"{token}:{code}".encode("utf-8", "surrogatepass")).digest()


def _set_phone(session: Session, account_id: int, sealed: str | None, hashed: bytes | None) -> None:
    session.execute(
        update(AccountRow).where(AccountRow.id == account_id).values(phone_sealed=sealed, phone_hash=hashed)
    )
