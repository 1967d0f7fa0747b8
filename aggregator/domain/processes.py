"""The processes and queues that operators see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ProcessKind = Literal["worker", "clock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """One worker or clock. `is_alive` while its last heartbeat is recent; of several clocks one is the leader."""

    id: str
    kind: ProcessKind
    host: str
    pid: int
    version: str
    is_leader: bool
    is_alive: bool
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One queue: jobs that nobody has taken yet, and since when there have been some without a break."""

    name: str
    waiting: int
    waiting_since: datetime | None
    seen_at: datetime
