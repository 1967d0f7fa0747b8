"""Workers and clocks: their heartbeats and the lengths of their queues, by the database's own clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import case, delete, func, null, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.db.models import ProcessRow, QueueRow
from aggregator.domain.processes import ProcessKind, ProcessState, QueueState

# A process beats every few seconds; one silent for this long is taken for dead.
SILENT_AFTER = timedelta(seconds=30)
_FORGOTTEN_AFTER = timedelta(days=1)


def note_process(
    session: Session,
    process_id: str,
    *,
    kind: ProcessKind,
    host: str,
    pid: int,
    version: str,
    is_leader: bool = False,
) -> None:
    """Say that a process lives; the first time it is made known."""
    said = {"kind": kind, "host": host, "pid": pid, "version": version, "is_leader": is_leader}
    session.execute(
        insert(ProcessRow)
        .values(id=process_id, started_at=func.now(), seen_at=func.now(), **said)
        .on_conflict_do_update(index_elements=[ProcessRow.id], set_={"seen_at": func.now(), **said})
    )
    session.execute(delete(ProcessRow).where(ProcessRow.seen_at < func.now() - _FORGOTTEN_AFTER))


def forget_process(session: Session, process_id: str) -> None:
    """A process that ends in good order takes its leave; one that was killed stays, silent, for a day."""
    session.execute(delete(ProcessRow).where(ProcessRow.id == process_id))


def note_queues(session: Session, waiting: Mapping[str, int]) -> None:
    """Keep how many jobs wait in each queue."""
    for name, count in sorted(waiting.items()):
        since = case((func.coalesce(QueueRow.waiting, 0) > 0, QueueRow.waiting_since), else_=func.now())
        session.execute(
            insert(QueueRow)
            .values(name=name, waiting=count, waiting_since=func.now() if count else None, seen_at=func.now())
            .on_conflict_do_update(
                index_elements=[QueueRow.name],
                set_={
                    "waiting": count,
                    "waiting_since": since if count else null(),
                    "seen_at": func.now(),
                },
            )
        )


def list_processes(session: Session) -> list[ProcessState]:
    """Every known worker and clock: the living first, then by kind and start."""
    alive = (ProcessRow.seen_at > func.now() - SILENT_AFTER).label("is_alive")
    found = session.execute(
        select(ProcessRow, alive).order_by(alive.desc(), ProcessRow.kind, ProcessRow.started_at)
    )
    return [
        ProcessState(
            id=row.id,
            kind=row.kind,  # type: ignore[arg-type]  # the table's check constraint holds the same words
            host=row.host,
            pid=row.pid,
            version=row.version,
            is_leader=row.is_leader and is_alive,
            is_alive=is_alive,
            started_at=row.started_at,
            seen_at=row.seen_at,
        )
        for row, is_alive in found
    ]


def list_queues(session: Session) -> list[QueueState]:
    """Every queue as a worker last saw it, by name."""
    return [
        QueueState(name=row.name, waiting=row.waiting, waiting_since=row.waiting_since, seen_at=row.seen_at)
        for row in session.scalars(select(QueueRow).order_by(QueueRow.name))
    ]
