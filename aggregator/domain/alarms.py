"""Alarms: what an operator must know, opened once, told once, closed when it is well again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

AlarmKind = Literal[
    "store_unreachable",  # a run ended before the store was read to its end
    "run_held",  # a run waits for a person
    "yield_drop",  # much less of what a store lists could be read than before
    "store_stale",  # no complete run for several intervals
    "circuit_open",  # a store failed so often that it is left alone for a while
    "robots_disallow",  # robots.txt forbids what was read before
    "certificate",  # the store's certificate cannot be trusted
    "quarantine_growth",  # much more than before waits in quarantine
    "worker_missing",  # no worker lives
    "queue_stuck",  # due work is not begun
    "notices_failing",  # mail or webhooks cannot be delivered
]
ALARM_KINDS: tuple[AlarmKind, ...] = get_args(AlarmKind)
AlarmState = Literal["open", "acknowledged", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm. `sightings` counts how often it was seen since it opened; `figures` are what its message rests on."""

    id: str
    kind: AlarmKind
    state: AlarmState
    store_slug: str | None
    store_name: str | None
    run: str | None
    message: str
    figures: Mapping[str, Any]
    sightings: int
    first_seen_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    closed_at: datetime | None
