"""Locks that the kernel drops when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aggregator.db.embedded.layout import DataLayout, unusable
from aggregator.domain.errors import EnvironmentProblem

START_PATIENCE = 180.0


def _lock(path: Path, operation: int) -> int | None:
    """A descriptor that holds the lock, or None when another process holds it."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unusable(path, error) from error
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        # The last holder removes the file: a lock on a removed file guards nothing.
        try:
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def try_exclusive(path: Path) -> int | None:
    """Hold `path` alone, or None. Release with `release_exclusive`."""
    return _lock(path, fcntl.LOCK_EX)


def release_exclusive(path: Path, descriptor: int) -> None:
    """Give the lock up and leave no file."""
    path.unlink(missing_ok=True)
    os.close(descriptor)


@contextmanager
def starting_or_stopping(layout: DataLayout) -> Iterator[None]:
    """Let one process at a time start or stop the embedded servers; the others wait."""
    give_up_at = time.monotonic() + START_PATIENCE
    while (descriptor := try_exclusive(layout.start_lock)) is None:
        if time.monotonic() > give_up_at:
            raise EnvironmentProblem(
                f"another process has been starting or stopping the database in {layout.root} for minutes;"
                " end it and try again"
            )
        time.sleep(0.02)
    try:
        yield
    finally:
        release_exclusive(layout.start_lock, descriptor)


def join_users(layout: DataLayout) -> int:
    """Count this process among the users. Call it, like `leave_users`, while `starting_or_stopping`."""
    while (descriptor := _lock(layout.users_lock, fcntl.LOCK_SH)) is None:
        time.sleep(0.02)
    return descriptor


def leave_users(layout: DataLayout, descriptor: int) -> bool:
    """Leave the users; True when nobody is left."""
    os.close(descriptor)
    last = try_exclusive(layout.users_lock)
    if last is None:
        return False
    release_exclusive(layout.users_lock, last)
    return True


@contextmanager
def sole_supervisor(layout: DataLayout) -> Iterator[None]:
    """Hold the supervisor's place in this data directory; raises EnvironmentProblem naming who holds it."""
    descriptor = try_exclusive(layout.supervisor_lock)
    if descriptor is None:
        raise EnvironmentProblem(f"Click2Cart already runs here{_who_runs(layout)}; stop it first or use it")
    try:
        yield
    finally:
        release_exclusive(layout.supervisor_lock, descriptor)


def _who_runs(layout: DataLayout) -> str:
    try:
        record = json.loads(layout.supervisor_record.read_text())
        return f" (pid {record['pid']}, {record['url']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
