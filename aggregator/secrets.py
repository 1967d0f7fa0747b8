"""The installation's secret key, what is derived from it, and the sealing of stores' secret options."""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
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
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"click2cart {purpose}".encode())
    return derivation.derive(secret_key(settings).encode())


@dataclass(frozen=True, slots=True)
class StoreSecrets:
    """Seals and opens stores' secret options; what is sealed is safe to keep in the database."""

    _fernet: Fernet

    @classmethod
    def from_settings(cls, settings: Settings) -> StoreSecrets:
        """With the key derived from this installation's secret."""
        return cls(Fernet(base64.urlsafe_b64encode(derived_key(settings, "store options"))))

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
