"""Passwords: what is accepted, how they are kept (argon2id) and compared."""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from aggregator.accounts.tokens import new_token
from aggregator.domain.errors import InvalidInput

SHORTEST = 12
LONGEST = 256

# RFC 9106's second recommended choice (64 MiB, 3 passes), argon2-cffi's default.
_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The argon2id hash to keep; raises InvalidInput where the password is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(
            f"a password has {SHORTEST} to {LONGEST} characters",
            place="password",
            remedy="several words in a row are easy to keep in mind",
        )
    return _hasher.hash(_normal(password))


def matches(password: str, password_hash: str | None) -> bool:
    """Whether the password is the one; takes as long where there is none to compare it with."""
    try:
        _hasher.verify(password_hash or _hash_of_nobody(), _normal(password[: LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _normal(password: str) -> bytes:
    # Keyboards and systems compose letters differently; NIST SP 800-63B asks for one normal form.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash(new_token())
