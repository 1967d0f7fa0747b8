"""Server processes that outlive the command which started them."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from aggregator.db.embedded.account import ServiceAccount
from aggregator.db.embedded.layout import unusable
from aggregator.domain.errors import EnvironmentProblem

# No key or address of ours gets into a server's environment, and no locale of the machine into its texts.
SERVER_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

# The shell leaves at once, so a server is nobody's child: no zombie, and no Ctrl-C from our terminal.
_DETACH = '"$@" >&2 & echo $!'


@dataclass(frozen=True, slots=True)
class Launch:
    """A server that was just started: its pid, and where its own lines begin in the log."""

    pid: int
    log: Path
    log_start: int

    def output(self) -> str:
        """What this server has written so far."""
        with self.log.open("rb") as stream:
            stream.seek(self.log_start)
            return stream.read(100_000).decode(errors="replace")

    def end(self) -> None:
        """Stop this server, which may not have come far enough to be found by its pid file."""
        end = functools.partial(alive, self.pid)
        stop(self.pid, gently=signal.SIGINT, firmly=signal.SIGTERM, patience=10.0, alive=end)


def launch(
    command: Sequence[str | Path], *, folder: Path, account: ServiceAccount | None, log: Path
) -> Launch:
    """Start a server in `folder`, in a session of its own, writing to `log`."""
    try:
        with log.open("ab") as output:
            start = output.tell()
            done = subprocess.run(
                ["/bin/sh", "-c", _DETACH, "sh", *map(str, command)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                env=SERVER_ENVIRONMENT,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                umask=0o077,
                start_new_session=True,
                text=True,
                check=True,
            )
    except OSError as error:
        raise unusable(log, error) from error
    return Launch(int(done.stdout), log, start)


def alive(pid: int) -> bool:
    """Whether `pid` still runs; where nobody collects the dead (a container's bare process 1) a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def running(pid: int, *, name: str, folder: Path) -> bool:
    """Whether `pid` is the program `name` at work in `folder`, and not a stranger who got its number."""
    try:
        process = psutil.Process(pid)
        return alive(pid) and process.name() == name and os.path.samefile(process.cwd(), folder)
    except (psutil.Error, OSError):
        return False


def stop(
    pid: int, *, gently: signal.Signals, firmly: signal.Signals, patience: float, alive: Callable[[], bool]
) -> None:
    """Ask a server to end, insist after `patience` seconds, and return when it has gone."""
    for number, seconds in ((gently, patience), (firmly, 10.0), (signal.SIGKILL, 5.0)):
        if not alive():
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        give_up_at = time.monotonic() + seconds
        while alive() and time.monotonic() < give_up_at:
            time.sleep(0.01)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(preferred: int | None) -> int:
    """The port used last time when it is still free, so that saved addresses keep working; otherwise any."""
    if preferred is not None and port_is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def failure(what: str, output: str, log: Path) -> EnvironmentProblem:
    """The one line for a server that would not start, from what it wrote."""
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return EnvironmentProblem(
            f"{what} cannot start: the disk of {log.parent.parent} is full; free some space"
        )
    told = [
        line
        for line in output.splitlines()
        if any(word in line for word in ("FATAL", "PANIC", "rror", "ailed"))
    ]
    reason = (told or output.splitlines() or ["it said nothing"])[-1].strip()
    return EnvironmentProblem(f"{what} cannot start: {reason}; more in {log}")
