"""Heartbeats of workers and clocks, and what is known of their queues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from aggregator.catalog.processes import (
    SILENT_AFTER,
    forget_process,
    list_processes,
    list_queues,
    note_process,
    note_queues,
)
from aggregator.db.models import ProcessRow


def note(session: Session, process_id: str, **changes: object) -> None:
    said = {"kind": "worker", "host": "north", "pid": 7, "version": "1", **changes}
    note_process(session, process_id, **said)  # type: ignore[arg-type]  # the same fields by name


def test_a_process_lives_while_it_beats(session: Session) -> None:
    note(session, "w")
    note(session, "c", kind="clock", is_leader=True)
    assert [(p.id, p.kind, p.is_alive, p.is_leader) for p in list_processes(session)] == [
        ("c", "clock", True, True),
        ("w", "worker", True, False),
    ]
    silent = datetime.now(UTC) - SILENT_AFTER - timedelta(seconds=5)
    session.execute(update(ProcessRow).where(ProcessRow.id == "c").values(seen_at=silent))
    assert [(p.id, p.is_alive, p.is_leader) for p in list_processes(session)] == [
        ("w", True, False),
        ("c", False, False),
    ]
    forget_process(session, "w")
    assert [p.id for p in list_processes(session)] == ["c"]


def test_one_that_was_silent_for_a_day_is_forgotten(session: Session) -> None:
    note(session, "old")
    long_ago = datetime.now(UTC) - timedelta(days=2)
    session.execute(update(ProcessRow).values(seen_at=long_ago))
    note(session, "new")
    assert [p.id for p in list_processes(session)] == ["new"]


def test_a_queue_tells_since_when_jobs_wait(session: Session) -> None:
    note_queues(session, {"crawling": 0})
    (queue,) = list_queues(session)
    assert (queue.name, queue.waiting, queue.waiting_since) == ("crawling", 0, None)
    note_queues(session, {"crawling": 3})
    session.execute(text("update queues set waiting_since = waiting_since - interval '1 minute'"))
    (queue,) = list_queues(session)
    assert queue.waiting_since is not None
    before = queue.waiting_since
    note_queues(session, {"crawling": 2})
    session.expire_all()
    (queue,) = list_queues(session)
    assert (queue.waiting, queue.waiting_since) == (2, before)
    note_queues(session, {"crawling": 0})
    session.expire_all()
    (queue,) = list_queues(session)
    assert queue.waiting_since is None
