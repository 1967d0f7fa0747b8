"""The second factor: one-time codes of an authenticator app (RFC 6238), and codes for when it is lost."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import pyotp
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from aggregator.accounts import letters
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.sessions import enter, public_id_of
from aggregator.accounts.tokens import token_hash
from aggregator.db import audit
from aggregator.db.models import AccountChallengeRow, AccountRow, RecoveryCodeRow
from aggregator.domain.errors import InvalidInput
from aggregator.secrets import PersonalSecrets
from aggregator.settings import Settings

ISSUER = "Click2Cart"
_STEP_SECONDS = 30
_MOST_TRIES = 5
_CODES = 10
_TRIES = Limit("second-factor", attempts=10, seconds=900)
# Letters and digits that nobody takes for each other; 16 of them are 79 bits, so a plain hash keeps them.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class SecondFactorState:
    """Whether the account asks for codes, and how many recovery codes are left."""

    is_on: bool
    recovery_codes_left: int


def second_factor_state(session: Session, account_id: int) -> SecondFactorState:
    """How it stands with the account's second factor."""
    is_on = session.scalar(
        select(AccountRow.totp_confirmed_at.is_not(None)).where(AccountRow.id == account_id)
    )
    left = session.scalar(
        select(func.count()).where(
            RecoveryCodeRow.account_id == account_id, RecoveryCodeRow.used_at.is_(None)
        )
    )
    return SecondFactorState(bool(is_on), left or 0)


def begin_totp(session: Session, settings: Settings, account_id: int) -> tuple[str, str]:
    """A new secret and its otpauth address for an authenticator app; it counts once a code confirmed it.

    Asked again before that, it is the same one. Raises InvalidInput where a second factor is on.
    """
    row = session.execute(
        select(AccountRow.email, AccountRow.totp_sealed, AccountRow.totp_confirmed_at).where(
            AccountRow.id == account_id
        )
    ).one()
    if row.totp_confirmed_at is not None:
        raise InvalidInput("a second factor is on already", remedy="turn it off first")
    sealer = PersonalSecrets.from_settings(settings)
    secret = sealer.open(row.totp_sealed) if row.totp_sealed else pyotp.random_base32()
    if not row.totp_sealed:
        session.execute(
            update(AccountRow).where(AccountRow.id == account_id).values(totp_sealed=sealer.seal(secret))
        )
    return secret, pyotp.TOTP(secret).provisioning_uri(name=row.email, issuer_name=ISSUER)


def confirm_totp(session: Session, settings: Settings, account_id: int, code: str) -> list[str]:
    """Turn the second factor on with a first code; returns the recovery codes, the only time.

    Raises InvalidInput for a wrong code.
    """
    begin_totp(session, settings, account_id)
    if not _takes_code(session, settings, account_id, code):
        raise InvalidInput("this is not the app's present code", place="code", remedy="try the next one")
    session.execute(
        update(AccountRow).where(AccountRow.id == account_id).values(totp_confirmed_at=datetime.now(UTC))
    )
    codes = make_recovery_codes(session, account_id)
    _tell(session, settings, account_id, "second_factor_on")
    return codes


def make_recovery_codes(session: Session, account_id: int) -> list[str]:
    """Ten new recovery codes; earlier ones work no more. They are shown now and never again."""
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(16)) for _ in range(_CODES)]
    session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.account_id == account_id))
    session.execute(
        insert(RecoveryCodeRow),
        [{"account_id": account_id, "code_hash": _recovery_hash(account_id, code)} for code in codes],
    )
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def turn_off(session: Session, settings: Settings, account_id: int) -> None:
    """Ask for no second factor any more; its recovery codes go."""
    session.execute(
        update(AccountRow)
        .where(AccountRow.id == account_id)
        .values(totp_sealed=None, totp_confirmed_at=None, totp_last_step=None)
    )
    session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.account_id == account_id))
    _tell(session, settings, account_id, "second_factor_off")


def finish_sign_in(
    session: Session,
    settings: Settings,
    challenge: str,
    code: str,
    *,
    limits: RateLimits | None = None,
    device: str | None = None,
    replaces: str | None = None,
) -> str | None:
    """The session's token where the code is the app's or a recovery code; None for a wrong one: an answer to commit.

    Raises TooManyAttempts, and InvalidInput where the sign-in began too long ago or five codes were wrong.
    """
    account_id = check_second_factor(session, settings, challenge, code, limits=limits)
    if account_id is None:
        return None
    return enter(session, account_id, by="second factor", device=device, replaces=replaces)


def check_second_factor(
    session: Session, settings: Settings, challenge: str, code: str, *, limits: RateLimits | None = None
) -> int | None:
    """The account that the begun sign-in and the code belong to, by the rules of `finish_sign_in`."""
    row = session.scalars(
        select(AccountChallengeRow)
        .where(
            AccountChallengeRow.purpose == "second_factor",
            AccountChallengeRow.token_hash == token_hash(challenge),
            AccountChallengeRow.used_at.is_(None),
            AccountChallengeRow.expires_at > datetime.now(UTC),
            AccountChallengeRow.attempts < _MOST_TRIES,
        )
        .with_for_update()
    ).one_or_none()
    if row is None or row.account_id is None:
        raise InvalidInput("this sign-in took too long or went wrong", remedy="begin again")
    (limits or RateLimits()).count(session, _TRIES, str(row.account_id))
    row.attempts += 1
    is_right = _takes_code(session, settings, row.account_id, code) or _takes_recovery_code(
        session, row.account_id, code
    )
    if is_right:
        row.used_at = datetime.now(UTC)
    session.flush()
    return row.account_id if is_right else None


def _takes_code(session: Session, settings: Settings, account_id: int, code: str) -> bool:
    row = session.execute(
        select(AccountRow.totp_sealed, AccountRow.totp_last_step)
        .where(AccountRow.id == account_id)
        .with_for_update()
    ).one()
    if not row.totp_sealed:
        return False
    totp = pyotp.TOTP(PersonalSecrets.from_settings(settings).open(row.totp_sealed))
    digits = "".join(letter for letter in code if letter.isascii() and letter.isdigit())
    now = int(time.time()) // _STEP_SECONDS
    # One step to either side, for clocks that differ; no step twice (RFC 6238, section 5.2).
    for step in (now - 1, now, now + 1):
        if hmac.compare_digest(totp.at(step * _STEP_SECONDS), digits) and step > (row.totp_last_step or 0):
            session.execute(update(AccountRow).where(AccountRow.id == account_id).values(totp_last_step=step))
            return True
    return False


def _takes_recovery_code(session: Session, account_id: int, code: str) -> bool:
    plain = "".join(letter for letter in code.lower() if letter in _ALPHABET)
    used = session.scalar(
        update(RecoveryCodeRow)
        .where(RecoveryCodeRow.account_id == account_id, RecoveryCodeRow.used_at.is_(None))
        .where(RecoveryCodeRow.code_hash == _recovery_hash(account_id, plain))
        .values(used_at=datetime.now(UTC))
        .returning(RecoveryCodeRow.id)
    )
    return used is not None


def _recovery_hash(account_id: int, code: str) -> bytes:
    return hashlib.sha256(f"{account_id}:{code}".encode()).digest()


def _tell(
    session: Session,
    settings: Settings,
    account_id: int,
    change: Literal["second_factor_on", "second_factor_off"],
) -> None:
    email = session.scalars(select(AccountRow.email).where(AccountRow.id == account_id)).one()
    letters.mail_security_change(session, settings, email, change)
    audit.record(session, account_id, f"account.{change}", public_id_of(session, account_id))
