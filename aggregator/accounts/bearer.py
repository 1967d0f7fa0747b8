"""Whom a request's bearer token (RFC 6750) speaks for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from aggregator.accounts.api_tokens import PREFIX, find_api_token
from aggregator.accounts.app_tokens import find_access_token
from aggregator.accounts.sessions import SignedIn
from aggregator.settings import Settings

_LONGEST = 4096


def find_bearer(session: Session, settings: Settings, token: str) -> SignedIn | None:
    """The account of a program's or an app's token, limited to its scopes; None for one that is no good."""
    if not 0 < len(token) <= _LONGEST or not token.isascii():
        return None
    if token.startswith(PREFIX):
        return find_api_token(session, token)
    return find_access_token(session, settings, token)
