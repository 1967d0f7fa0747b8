"""Tokens of apps: short-lived signed access tokens, and refresh tokens that are good once.

An access token is a JWT (RFC 9068 in spirit) signed with HS256 and nothing else. A refresh token that comes a second
time was stolen, or its thief came first: the whole sign-in ends (RFC 9700, section 4.14).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.api_tokens import limited_to
from aggregator.accounts.links import site_origin
from aggregator.accounts.scopes import SCOPES
from aggregator.accounts.sessions import SignedIn, describe_account, public_id_of
from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db import audit
from aggregator.db.models import AccountRow, AppSignInRow, RefreshTokenRow
from aggregator.domain.errors import NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.normalization.names import clean_text
from aggregator.secrets import derived_key
from aggregator.settings import Settings

ALGORITHM = "HS256"
AUDIENCE = "click2cart-api"
ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=60)
_CLAIMS = ["exp", "iat", "iss", "aud", "sub", "jti", "sid", "scope"]
# What an app signed in by its owner may do: all but run the place.
_APP_SCOPES = frozenset(scope for scope in SCOPES if scope != "operate")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppTokens:
    """What an app gets; `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSignIn:
    """An app that is signed in, as its owner sees it."""

    id: str
    name: str
    created_at: datetime
    last_used_at: datetime


def open_app_sign_in(session: Session, settings: Settings, account_id: int, name: str) -> AppTokens:
    """Sign an app in for whoever proved to be the account's; `name` is what it calls itself."""
    now = datetime.now(UTC)
    sign_in = session.execute(
        insert(AppSignInRow)
        .values(
            public_id=new_public_id(),
            account_id=account_id,
            name=clean_text(name, 80) or "App",
            last_used_at=now,
            expires_at=now + REFRESH_LIFETIME,
        )
        .returning(AppSignInRow.id, AppSignInRow.public_id)
    ).one()
    account = public_id_of(session, account_id)
    audit.record(session, account_id, "account.signed_in", account, by="app")
    return _issue(session, settings, sign_in.id, sign_in.public_id, account)


def refresh(session: Session, settings: Settings, refresh_token: str) -> AppTokens | None:
    """New tokens for a refresh token, which is spent by it; None where it is no good.

    None is an answer to commit, not an error to roll back: a token that comes twice ends its sign-in.
    """
    now = datetime.now(UTC)
    found = session.execute(
        select(
            RefreshTokenRow.id,
            RefreshTokenRow.spent_at,
            AppSignInRow.id.label("sign_in"),
            AppSignInRow.public_id,
            AppSignInRow.account_id,
            AppSignInRow.revoked_at,
            AppSignInRow.expires_at,
        )
        .join(AppSignInRow, AppSignInRow.id == RefreshTokenRow.app_sign_in_id)
        .where(RefreshTokenRow.token_hash == token_hash(refresh_token))
        .with_for_update()
    ).one_or_none()
    if found is None or found.revoked_at is not None or found.expires_at <= now:
        return None
    account = public_id_of(session, found.account_id)
    if found.spent_at is not None:
        session.execute(update(AppSignInRow).where(AppSignInRow.id == found.sign_in).values(revoked_at=now))
        audit.record(session, found.account_id, "account.refresh_token_reused", account)
        return None
    session.execute(update(RefreshTokenRow).where(RefreshTokenRow.id == found.id).values(spent_at=now))
    session.execute(
        update(AppSignInRow)
        .where(AppSignInRow.id == found.sign_in)
        .values(last_used_at=now, expires_at=now + REFRESH_LIFETIME)
    )
    # Long spent ones tell nothing any more that the sign-in's own end would not.
    session.execute(
        delete(RefreshTokenRow).where(
            RefreshTokenRow.app_sign_in_id == found.sign_in, RefreshTokenRow.spent_at < now - REFRESH_LIFETIME
        )
    )
    return _issue(session, settings, found.sign_in, found.public_id, account)


def revoke(session: Session, refresh_token: str) -> None:
    """End the sign-in of a refresh token (RFC 7009: an unknown one is no error)."""
    sign_in = select(RefreshTokenRow.app_sign_in_id).where(
        RefreshTokenRow.token_hash == token_hash(refresh_token)
    )
    session.execute(
        update(AppSignInRow)
        .where(AppSignInRow.id.in_(sign_in), AppSignInRow.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )


def list_app_sign_ins(session: Session, account_id: int) -> list[AppSignIn]:
    """The apps that are signed in, the last used first."""
    rows = session.scalars(
        select(AppSignInRow)
        .where(AppSignInRow.account_id == account_id, AppSignInRow.revoked_at.is_(None))
        .where(AppSignInRow.expires_at > datetime.now(UTC))
        .order_by(AppSignInRow.last_used_at.desc())
    )
    return [
        AppSignIn(id=row.public_id, name=row.name, created_at=row.created_at, last_used_at=row.last_used_at)
        for row in rows
    ]


def end_app_sign_in(session: Session, account_id: int, sign_in_id: str) -> None:
    """Sign one app of the account out; NotFound for one that is not its own."""
    ended = session.scalar(
        update(AppSignInRow)
        .where(AppSignInRow.public_id == sign_in_id, AppSignInRow.account_id == account_id)
        .where(AppSignInRow.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
        .returning(AppSignInRow.id)
    )
    if ended is None:
        raise NotFound("app", sign_in_id)


def find_access_token(session: Session, settings: Settings, token: str) -> SignedIn | None:
    """Who an access token speaks for; None for one that is forged, expired, not for us, or signed out since."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            derived_key(settings, "app tokens"),
            # One algorithm, named here: what the token says of itself decides nothing.
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=site_origin(settings),
            options={"require": _CLAIMS},
        )
    except jwt.InvalidTokenError:
        return None
    found = session.execute(
        select(AppSignInRow.account_id)
        .join(AccountRow, AccountRow.id == AppSignInRow.account_id)
        .where(AppSignInRow.public_id == claims["sid"], AccountRow.public_id == claims["sub"])
        .where(AppSignInRow.revoked_at.is_(None))
    ).one_or_none()
    account = describe_account(session, found.account_id) if found else None
    return limited_to(account, frozenset(claims["scope"].split()) & _APP_SCOPES) if account else None


def _issue(session: Session, settings: Settings, sign_in: int, sign_in_id: str, account_id: str) -> AppTokens:
    now = datetime.now(UTC)
    refresh_token = new_token()
    session.execute(
        insert(RefreshTokenRow).values(app_sign_in_id=sign_in, token_hash=token_hash(refresh_token))
    )
    claims = {
        "iss": site_origin(settings),
        "aud": AUDIENCE,
        "sub": account_id,
        "sid": sign_in_id,
        "jti": new_public_id(),
        "iat": now,
        "exp": now + ACCESS_LIFETIME,
        "scope": " ".join(sorted(_APP_SCOPES)),
    }
    return AppTokens(
        access_token=jwt.encode(claims, derived_key(settings, "app tokens"), algorithm=ALGORITHM),
        refresh_token=refresh_token,
        expires_in=int(ACCESS_LIFETIME.total_seconds()),
    )
