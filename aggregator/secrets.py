"""The installation's secret key, what is derived from it, and the sealing of stores' and people's secrets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aggregator.domain.errors import EnvironmentProblem, InvalidInput
from aggregator.settings import Settings

_SHORTEST_KEY = 16


def secret_key(settings: Settings) -> str:
    """The installation's one secret: the setting, else `data_dir/secret_key`, generated once with mode 0600.

    Derive a key for each use with `derived_key`. Raises InvalidInput for a short setting and
    EnvironmentProblem where the file cannot be kept, or other users could read it.
    """
    if settings.secret_key is not None:
        if len(settings.secret_key) < _SHORTEST_KEY:
            raise InvalidInput(
                f"shorter than {_SHORTEST_KEY} characters",
                place="CLICK2CART_SECRET_KEY",
                remedy="set a long random text, or unset it to have one generated",
            )
        return settings.secret_key
    path = settings.data_dir / "secret_key"
    try:
        if not path.exists():
            _generate(path)
        if path.stat().st_mode & 0o077:
            raise EnvironmentProblem(f"{path} can be read by other users; run: chmod 600 {path}")
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentProblem(
            f"cannot keep the secret key in {path}: {error}; "
            "make the folder writable or set CLICK2CART_SECRET_KEY"
        ) from error
    if len(key) < _SHORTEST_KEY:
        raise EnvironmentProblem(f"{path} holds no usable key; restore it from a backup")
    return key


def _generate(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written whole beside the target (mkstemp makes it 0600), then linked: of several processes that
    # start at once the first wins, and none reads half a key.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".secret_key-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)


def derived_key(settings: Settings, purpose: str) -> bytes:
    """32 bytes for one purpose (HKDF-SHA256, RFC 5869), so that no two uses share a key."""
    return _derive(secret_key(settings), purpose)


def derived_keys(settings: Settings, purpose: str) -> tuple[bytes, ...]:
    """The derived key of today, then those of the previous secrets."""
    return tuple(_derive(key, purpose) for key in (secret_key(settings), *previous_keys(settings)))


def previous_keys(settings: Settings) -> tuple[str, ...]:
    """Secrets that something may still be sealed with: the setting's, and those that a rotation left in the file."""
    return (*settings.previous_secret_keys, *_kept_keys(settings))


def replace_key(settings: Settings) -> None:
    """Put a new generated key in the place of the generated one, which is kept as a previous key.

    Raises InvalidInput where the key is the setting's: that is replaced where it is set.
    """
    if settings.secret_key is not None:
        raise InvalidInput(
            "the key is set from outside",
            place="CLICK2CART_SECRET_KEY",
            remedy="set a new one there and the old one in CLICK2CART_PREVIOUS_SECRET_KEYS",
        )
    old, path = secret_key(settings), settings.data_dir / "secret_key"
    # The old one is safe before it is replaced: a crash between the two loses nothing.
    _write_private(_previous_path(settings), "\n".join([old, *_kept_keys(settings)]) + "\n")
    _write_private(path, secrets.token_urlsafe(48) + "\n")


def forget_previous_keys(settings: Settings) -> None:
    """Delete the previous keys that rotations left; nothing may be sealed with them any more."""
    _previous_path(settings).unlink(missing_ok=True)


def _previous_path(settings: Settings) -> Path:
    return settings.data_dir / "secret_key.previous"


def _kept_keys(settings: Settings) -> list[str]:
    path = _previous_path(settings)
    return path.read_text(encoding="ascii").split() if path.exists() else []


def _write_private(path: Path, text: str) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(draft).replace(path)


def _derive(secret: str, purpose: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"click2cart {purpose}".encode())
    return derivation.derive(secret.encode())


def _fernet(settings: Settings, purpose: str) -> MultiFernet:
    """Seals with today's key, opens what any key so far has sealed."""
    keys = derived_keys(settings, purpose)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])


@dataclass(frozen=True, slots=True)
class StoreSecrets:
    """Seals and opens stores' secret options; what is sealed is safe to keep in the database."""

    _fernet: MultiFernet

    @classmethod
    def from_settings(cls, settings: Settings) -> StoreSecrets:
        """With the key derived from this installation's secret."""
        return cls(_fernet(settings, "store options"))

    def seal(self, options: Mapping[str, str]) -> dict[str, str]:
        """Each value encrypted and authenticated (Fernet); names stay readable."""
        return {name: self._fernet.encrypt(value.encode()).decode() for name, value in options.items()}

    def open(self, sealed: Mapping[str, str]) -> dict[str, str]:
        """The values again; raises EnvironmentProblem where they were sealed with another key."""
        try:
            return {name: self._fernet.decrypt(value).decode() for name, value in sealed.items()}
        except InvalidToken as error:
            raise EnvironmentProblem(
                "the stores' secret options were sealed with another secret key; "
                "restore that key, or give the options again with stores add --set"
            ) from error


@dataclass(frozen=True, slots=True)
class PersonalSecrets:
    """Seals and opens what people told us (addresses, phones, second factors), and finds it again by a keyed hash."""

    _fernet: MultiFernet
    _index_keys: tuple[bytes, ...]

    @classmethod
    def from_settings(cls, settings: Settings) -> PersonalSecrets:
        """With keys derived from this installation's secret, and from the previous ones for reading."""
        return cls(_fernet(settings, "personal data"), derived_keys(settings, "personal index"))

    def seal(self, text: str) -> str:
        """Encrypted and authenticated (Fernet)."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text again; raises EnvironmentProblem where it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise EnvironmentProblem(
                "personal data were sealed with another secret key; restore that key"
            ) from error

    def index(self, text: str) -> bytes:
        """What the text is found by: HMAC-SHA256 under today's key."""
        return self.indexes(text)[0]

    def indexes(self, text: str) -> list[bytes]:
        """What the text may have been kept under, today's first."""
        return [hmac.new(key, text.encode(), hashlib.sha256).digest() for key in self._index_keys]
