"""What no run says by itself: stale stores, open circuits, work that nobody does, notices that do not leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.catalog.alarms import raise_alarm, settle_alarms
from aggregator.catalog.processes import list_processes, list_queues
from aggregator.db.models import AlarmRow, StoreCrawlStateRow, StoreRow
from aggregator.db.session import database_now
from aggregator.domain.alarms import AlarmKind
from aggregator.domain.notices import OutboxState

# What is meant to be done every few seconds is left alone this long before anybody is told.
_PATIENCE = timedelta(minutes=2)
_QUEUE_PATIENCE = timedelta(minutes=15)
# Demo stores are read every minute or so; no store is called stale sooner than this.
_SOONEST_STALE = timedelta(minutes=10)
_NOTICES_LATE = timedelta(minutes=15)
_EVERYWHERE = "installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    kind: AlarmKind
    subject: str
    message: str
    store_id: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)


def watch(session: Session, *, stale_after: int, outbox: OutboxState) -> int:
    """Open alarms for what is wrong now and close those of what is well again; how many are wrong.

    `stale_after` is in crawl intervals. Asks nothing of any store; a few short queries.
    """
    now = database_now(session)
    found = [
        *_stale_stores(session, now, stale_after),
        *_open_circuits(session),
        *_missing_workers(session, now),
        *_stuck_queues(session, now),
        *_failing_notices(outbox, now),
    ]
    _settle_what_is_well(session, found)
    for each in found:
        raise_alarm(
            session,
            each.kind,
            subject=each.subject,
            message=each.message,
            store_id=each.store_id,
            figures=each.figures,
        )
    return len(found)


_WATCHED: tuple[AlarmKind, ...] = (
    "store_stale",
    "circuit_open",
    "worker_missing",
    "queue_stuck",
    "notices_failing",
)


def _settle_what_is_well(session: Session, found: list[_Finding]) -> None:
    wrong = {(each.kind, each.subject) for each in found}
    for kind in _WATCHED:
        present = session.scalars(
            select(AlarmRow.subject).where(AlarmRow.kind == kind, AlarmRow.state != "closed")
        ).all()
        for subject in present:
            if (kind, subject) not in wrong:
                settle_alarms(session, subject, kind)


def _stale_stores(session: Session, now: datetime, stale_after: int) -> Iterator[_Finding]:
    """Stores that are to be read and were not for several intervals, counted from when they were first due."""
    rows = session.execute(
        select(
            StoreRow.id,
            StoreRow.slug,
            StoreRow.name,
            StoreRow.crawl_interval,
            StoreRow.checked_at,
            StoreRow.created_at,
        ).where(StoreRow.is_active, StoreRow.next_crawl_at.is_not(None), StoreRow.removal_asked_at.is_(None))
    )
    for row in rows:
        allowed = max(stale_after * timedelta(seconds=row.crawl_interval), _SOONEST_STALE)
        age = now - (row.checked_at or row.created_at)
        if age <= allowed:
            continue
        yield _Finding(
            kind="store_stale",
            subject=row.slug,
            store_id=row.id,
            message=f"{row.name} was not read to its end for {_duration(age)}; its prices grow old."
            if row.checked_at
            else f"{row.name} was not read to its end since it was added; its prices grow old.",
            figures={"age_seconds": int(age.total_seconds()), "interval_seconds": row.crawl_interval},
        )


def _open_circuits(session: Session) -> Iterator[_Finding]:
    rows = session.execute(
        select(StoreCrawlStateRow, StoreRow.id, StoreRow.slug, StoreRow.name)
        .join(StoreRow, StoreRow.id == StoreCrawlStateRow.store_id)
        .where(StoreCrawlStateRow.circuit != "closed")
    )
    for state, store_id, slug, name in rows:
        yield _Finding(
            kind="circuit_open",
            subject=slug,
            store_id=store_id,
            message=f"{name} failed {state.failures} times in a row and is left alone for a while: "
            f"{state.reason or 'no reason was given'}",
            figures={"failures": state.failures, "retry_at": state.retry_at},
        )


def _missing_workers(session: Session, now: datetime) -> Iterator[_Finding]:
    """Work is due, and no worker has said for a while that it lives."""
    if any(process.is_alive and process.kind == "worker" for process in list_processes(session)):
        return
    due = session.scalars(
        select(StoreRow.next_crawl_at).where(StoreRow.is_active, StoreRow.next_crawl_at < now - _PATIENCE)
    ).all()
    if due:
        yield _Finding(
            kind="worker_missing",
            subject=_EVERYWHERE,
            message=f"No worker lives, and {len(due)} stores are due. Start one with `click2cart worker`.",
            figures={"due": len(due)},
        )


def _stuck_queues(session: Session, now: datetime) -> Iterator[_Finding]:
    """A queue that was not empty once for a long time, while nobody reads a store."""
    for queue in list_queues(session):
        since = queue.waiting_since
        if queue.waiting and since is not None and now - since > _QUEUE_PATIENCE:
            yield _Finding(
                kind="queue_stuck",
                subject=queue.name,
                message=f"{queue.waiting} jobs wait in the queue {queue.name}, for {_duration(now - since)} without "
                "a pause. More workers, or more threads a worker, would help.",
                figures={"waiting": queue.waiting, "waiting_seconds": int((now - since).total_seconds())},
            )


def _failing_notices(outbox: OutboxState, now: datetime) -> Iterator[_Finding]:
    is_late = outbox.oldest_waiting_at is not None and now - outbox.oldest_waiting_at > _NOTICES_LATE
    if outbox.given_up or (is_late and outbox.retried):
        yield _Finding(
            kind="notices_failing",
            subject=_EVERYWHERE,
            message=f"{outbox.waiting} notices wait and {outbox.given_up} were given up: "
            f"{outbox.last_problem or 'no reason was given'}",
            figures={"waiting": outbox.waiting, "given_up": outbox.given_up},
        )


def _duration(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
