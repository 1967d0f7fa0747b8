"""Child processes of the supervisor: started, watched, ended, and found again after a kill -9."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from aggregator.db.embedded.layout import DataLayout, write_private

# The start time of a process is derived from the clock's boot time, which moves when the clock is set.
START_TIME_SLACK = 2.0

_PR_SET_PDEATHSIG = 1
_C_LIBRARY = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `patience` is the time in seconds it gets to end by itself when asked to."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 10.0


@dataclass(slots=True)
class Child:
    """A running program, leader of a process group of its own."""

    program: Program
    process: subprocess.Popen[bytes]
    created: float

    def end(self, *, in_a_hurry: Callable[[], bool]) -> None:
        """Ask it to end, kill what is left of its group, and return when all is gone."""
        end_group(self.process.pid, self.created, patience=self.program.patience, in_a_hurry=in_a_hurry)
        self.process.wait()


def start_child(program: Program, *, output: Path | None) -> Child:
    """Start a program whose output goes to a log, or to our own when `output` is None."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(output.open("ab")) if output else None
        process = subprocess.Popen(
            program.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT if log else None,
            process_group=0,
            preexec_fn=_end_with_parent,  # the supervisor has one thread only
        )
    try:
        created = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        created = time.time()
    return Child(program, process, created)


def _end_with_parent() -> None:
    if _C_LIBRARY is not None:
        _C_LIBRARY.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_group(
    leader: int, created: float, *, patience: float, in_a_hurry: Callable[[], bool] = lambda: False
) -> bool:
    """End the process group that `leader` led; False when nothing of it was there (any more)."""
    try:
        process = psutil.Process(leader)
        if abs(process.create_time() - created) > START_TIME_SLACK:
            return False
        process.terminate()
        give_up_at = time.monotonic() + patience
        while _alive(process) and time.monotonic() < give_up_at and not in_a_hurry():
            time.sleep(0.02)
    except psutil.NoSuchProcess:
        process = None
    # A number is not given away while a group of that number lives: what is in it is ours.
    members = _members(leader)
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(members, timeout=5)
    return process is not None or bool(members)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _members(group: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


def record_children(layout: DataLayout, url: str, children: Sequence[Child]) -> None:
    """Write down who runs, for a second start to name and for the next one to end."""
    record = {
        "pid": os.getpid(),
        "url": url,
        "children": [
            {"name": child.program.name, "pid": child.process.pid, "created": child.created}
            for child in children
        ],
    }
    write_private(layout.supervisor_record, json.dumps(record).encode())


def end_leftovers(layout: DataLayout) -> list[str]:
    """End what a killed supervisor left running; the names of what was there. For the sole supervisor."""
    try:
        record = json.loads(layout.supervisor_record.read_text())
        children = record["children"]
        left = [(str(child["name"]), int(child["pid"]), float(child["created"])) for child in children]
    except (OSError, ValueError, KeyError, TypeError):
        left = []
    ended = [name for name, pid, created in left if end_group(pid, created, patience=2.0)]
    layout.supervisor_record.unlink(missing_ok=True)
    return ended
