"""Tokens that people hold (cookies, links) and the hashes of them that we keep."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """256 random bits, safe in addresses and cookies."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored in place of a token: a read of the database gives nobody's session or cart away.

    A plain SHA-256 is enough for 256 random bits; passwords, which are not random, get argon2id.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
