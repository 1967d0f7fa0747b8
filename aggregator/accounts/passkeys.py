"""Passkeys (WebAuthn): adding them, and signing in. They count for both factors: the device asks its owner."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import webauthn
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from aggregator.accounts import letters
from aggregator.accounts.sessions import enter, public_id_of
from aggregator.accounts.tokens import token_hash
from aggregator.db import audit
from aggregator.db.models import AccountChallengeRow, AccountRow, PasskeyRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.normalization.names import clean_text
from aggregator.settings import Settings

MOST_PASSKEYS = 20
_LIFETIME = timedelta(minutes=5)
_NOT_TAKEN = "this passkey was not taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A passkey as its owner sees it."""

    id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


def list_passkeys(session: Session, account_id: int) -> list[Passkey]:
    """The account's passkeys, the newest first."""
    rows = session.scalars(
        select(PasskeyRow).where(PasskeyRow.account_id == account_id).order_by(PasskeyRow.id.desc())
    )
    return [
        Passkey(id=row.public_id, name=row.name, created_at=row.created_at, last_used_at=row.last_used_at)
        for row in rows
    ]


def begin_adding(session: Session, account_id: int, origin: str) -> str:
    """The options, as JSON for the browser, to make a passkey for this site ("https://host") with.

    Raises InvalidInput beyond 20 passkeys.
    """
    account = session.execute(
        select(AccountRow.public_id, AccountRow.email, AccountRow.name).where(AccountRow.id == account_id)
    ).one()
    present = session.scalars(
        select(PasskeyRow.credential_id).where(PasskeyRow.account_id == account_id)
    ).all()
    if len(present) >= MOST_PASSKEYS:
        raise InvalidInput(f"there are {MOST_PASSKEYS} passkeys", remedy="remove one first")
    options = webauthn.generate_registration_options(
        rp_id=_host(origin),
        rp_name="Click2Cart",
        user_id=account.public_id.encode(),
        user_name=account.email,
        user_display_name=account.name or account.email,
        challenge=_begin(session, "passkey_add", account_id),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=key) for key in present],
    )
    return webauthn.options_to_json(options)


def finish_adding(
    session: Session, settings: Settings, account_id: int, origin: str, credential: Any, name: str
) -> None:
    """Keep the public half of the passkey that the browser made; raises InvalidInput for what proves nothing."""
    row = _take(session, "passkey_add", credential)
    if row.account_id != account_id:
        raise InvalidInput(_NOT_TAKEN, remedy="begin again")
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=_challenge_of(credential),
            expected_rp_id=_host(origin),
            expected_origin=origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(_NOT_TAKEN, remedy="begin again") from error
    known = session.scalar(select(PasskeyRow.id).where(PasskeyRow.credential_id == made.credential_id))
    if known is not None:
        raise InvalidInput("this passkey is known already")
    session.execute(
        insert(PasskeyRow).values(
            public_id=new_public_id(),
            account_id=account_id,
            name=clean_text(name, 80) or "Passkey",
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
        )
    )
    audit.record(session, account_id, "account.passkey_added", public_id_of(session, account_id))
    email = session.scalars(select(AccountRow.email).where(AccountRow.id == account_id)).one()
    letters.mail_security_change(session, settings, email, "passkey_added")


def remove_passkey(session: Session, account_id: int, passkey_id: str) -> None:
    """Forget one of the account's passkeys; NotFound for one that is not its own."""
    removed = session.scalar(
        delete(PasskeyRow)
        .where(PasskeyRow.public_id == passkey_id, PasskeyRow.account_id == account_id)
        .returning(PasskeyRow.id)
    )
    if removed is None:
        raise NotFound("passkey", passkey_id)
    audit.record(session, account_id, "account.passkey_removed", public_id_of(session, account_id))


def begin_sign_in(session: Session, origin: str) -> str:
    """The options, as JSON for the browser, to sign in at this site with; they name nobody."""
    options = webauthn.generate_authentication_options(
        rp_id=_host(origin),
        challenge=_begin(session, "passkey_sign_in", None),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def finish_sign_in(
    session: Session,
    origin: str,
    credential: Any,
    *,
    device: str | None = None,
    replaces: str | None = None,
) -> str:
    """Sign in with what the browser signed; returns the session's token.

    Raises InvalidInput for what proves nothing.
    """
    _take(session, "passkey_sign_in", credential)
    try:
        key = session.execute(
            select(PasskeyRow.id, PasskeyRow.account_id, PasskeyRow.public_key, PasskeyRow.sign_count)
            .where(PasskeyRow.credential_id == webauthn.base64url_to_bytes(credential["rawId"]))
            .with_for_update()
        ).one_or_none()
        if key is None:
            raise InvalidInput(_NOT_TAKEN, remedy="use another way to sign in")
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=_challenge_of(credential),
            expected_rp_id=_host(origin),
            expected_origin=origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(_NOT_TAKEN, remedy="use another way to sign in") from error
    session.execute(
        update(PasskeyRow)
        .where(PasskeyRow.id == key.id)
        .values(sign_count=verified.new_sign_count, last_used_at=datetime.now(UTC))
    )
    return enter(session, key.account_id, by="passkey", device=device, replaces=replaces)


def _begin(session: Session, purpose: str, account_id: int | None) -> bytes:
    challenge = secrets.token_bytes(32)
    session.execute(
        insert(AccountChallengeRow).values(
            purpose=purpose,
            account_id=account_id,
            token_hash=token_hash(bytes_to_base64url(challenge)),
            expires_at=datetime.now(UTC) + _LIFETIME,
        )
    )
    return challenge


def _take(session: Session, purpose: str, credential: Any) -> AccountChallengeRow:
    """The challenge that the browser answers; each is answered once."""
    row = session.scalars(
        select(AccountChallengeRow)
        .where(
            AccountChallengeRow.purpose == purpose,
            AccountChallengeRow.token_hash == token_hash(bytes_to_base64url(_challenge_of(credential))),
            AccountChallengeRow.used_at.is_(None),
            AccountChallengeRow.expires_at > datetime.now(UTC),
        )
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise InvalidInput(_NOT_TAKEN, remedy="begin again")
    row.used_at = datetime.now(UTC)
    session.flush()
    return row


def _challenge_of(credential: Any) -> bytes:
    try:
        said = json.loads(webauthn.base64url_to_bytes(credential["response"]["clientDataJSON"]))
        return webauthn.base64url_to_bytes(said["challenge"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidInput(_NOT_TAKEN, remedy="begin again") from error


def _host(origin: str) -> str:
    return urlsplit(origin).hostname or ""
