"""Where each thing lies in the data directory, and whether it can be written at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from aggregator.db.embedded.account import ServiceAccount
from aggregator.domain.errors import EnvironmentProblem

ROTATE_LOGS_AT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DataLayout:
    """The folders and files below `root`, the data directory."""

    root: Path

    @classmethod
    def at(cls, data_dir: Path) -> DataLayout:
        """The layout of a data directory, its path made absolute and free of links."""
        return cls(data_dir.expanduser().resolve())

    @property
    def postgresql(self) -> Path:
        """Belongs to the account that PostgreSQL runs as; holds the cluster."""
        return self.root / "postgresql"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory: there as soon as it is complete, never half made."""
        return self.postgresql / "data"

    @property
    def valkey(self) -> Path:
        """Belongs to the account that Valkey runs as."""
        return self.root / "valkey"

    @property
    def passwords(self) -> Path:
        """The servers' own passwords, one file each, mode 0600. They fit this directory's servers only."""
        return self.root / "passwords"

    @property
    def secret_key(self) -> Path:
        """The site's key, unless a setting gives it. A backup takes it along."""
        return self.root / "secret_key"

    @property
    def users_lock(self) -> Path:
        """Held shared by every process that uses the embedded servers."""
        return self.root / "services.users"

    @property
    def start_lock(self) -> Path:
        """Held by the one process that is starting or stopping the embedded servers."""
        return self.root / "services.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor, and by a restore so that none starts."""
        return self.root / "supervisor.lock"

    @property
    def supervisor_record(self) -> Path:
        """What the supervisor runs, for the one that comes after a kill -9."""
        return self.root / "supervisor.json"

    def log(self, name: str) -> Path:
        """The log of one process; a long one is put aside first."""
        logs = self.root / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        log = logs / f"{name}.log"
        if log.exists() and log.stat().st_size > ROTATE_LOGS_AT:
            log.replace(log.with_suffix(".log.1"))
        return log

    def prepare(self) -> None:
        """Make the data directory; raises EnvironmentProblem when it cannot be written."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.root / f".writable-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise unusable(self.root, error) from error

    def require_space(self, megabytes: int) -> None:
        """Raise EnvironmentProblem when the disk has less room than that."""
        free = shutil.disk_usage(self.root).free // 1_000_000
        if free < megabytes:
            raise EnvironmentProblem(
                f"the disk of {self.root} is full ({free} MB free, {megabytes} MB needed); free some space"
                " or set CLICK2CART_DATA_DIR"
            )

    def password(self, name: str) -> str:
        """The password of that name, made on first use. Call it under the start lock or once it is there."""
        file = self.passwords / name
        try:
            return file.read_text()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise unusable(file, error) from error
        if self.cluster.exists() and name.startswith("postgresql"):
            raise EnvironmentProblem(
                f"{file} is missing; put it back, or restore a backup into an empty CLICK2CART_DATA_DIR"
            )
        password = secrets.token_urlsafe(24)
        write_private(file, password.encode())
        return password


def write_private(file: Path, content: bytes, *, owner: ServiceAccount | None = None) -> None:
    """Write a file that only its owner (ourselves if None) may read, whole or not at all."""
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        # The folder may be the servers' account's, so no link that lies there is followed.
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            if owner:
                os.fchown(descriptor, owner.uid, owner.gid)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except OSError as error:
        raise unusable(file, error) from error


def unusable(path: Path, error: OSError) -> EnvironmentProblem:
    """What to tell a person about a path that the system refuses."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentProblem(f"the disk of {path} is full; free some space or set CLICK2CART_DATA_DIR")
    return EnvironmentProblem(
        f"{path} cannot be used ({os.strerror(error.errno or 0)}); make it writable for this user or set"
        " CLICK2CART_DATA_DIR to a folder that is"
    )
