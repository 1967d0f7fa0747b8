"""Runs: opening one, keeping it alive, taking up one whose reader died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from aggregator.catalog.page_visits import drop_frontier, take_up_frontier
from aggregator.catalog.schedules import plan_next_crawl
from aggregator.catalog.staging import drop_staging
from aggregator.catalog.stores import store_value
from aggregator.db import audit
from aggregator.db.models import QuarantinedOfferRow, RunLogRow, RunRow, StoreRow
from aggregator.db.session import database_now
from aggregator.domain.errors import Conflict, NotFound
from aggregator.domain.normalization import safe_json
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.runs import CrawlCounts, LogLine
from aggregator.domain.stores import Store

# A reader beats every few seconds; one silent for this long is taken for dead.
DEAD_AFTER = timedelta(seconds=20)
# A crawl asked of the queue is asked again if no run began within this time.
ASK_AGAIN_AFTER = timedelta(seconds=60)
MOST_LOG_LINES = 1000
# The trigger of runs that read quarantine again, and not the store.
REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class RunTicket:
    """The right to write into one run; `attempt` fences a reader that was given up for dead."""

    run_id: int
    attempt: int
    public_id: str
    store_id: int
    store: Store
    # What readers that died since had counted already.
    counts: CrawlCounts = field(default_factory=CrawlCounts)


def open_run(
    session: Session, slug: str, *, trigger: str, worker: str, only_if_due: bool = False
) -> RunTicket | None:
    """Begin a run of a store, or take up its dead one: where it stopped if its pages were listed, else anew.

    `trigger` is "schedule", "operator", "command" or "import". Raises NotFound, and Conflict where a live run reads
    the store already. With `only_if_due` a store that is not due (another worker was quicker) gives None.
    """
    now = database_now(session)
    store = session.scalar(select(StoreRow).where(StoreRow.slug == slug).with_for_update())
    if store is None:
        raise NotFound("store", slug)
    if store.removal_asked_at is not None:
        raise Conflict(f"{slug} is being removed")
    run = session.scalar(select(RunRow).where(RunRow.store_id == store.id, RunRow.state == "running"))
    if run is not None:
        if run.heartbeat_at > now - DEAD_AFTER:
            if only_if_due:
                return None
            raise Conflict(f"{slug} is being crawled already (run {run.public_id})")
        run.attempt += 1
        run.worker, run.heartbeat_at = worker, now
        if not take_up_frontier(session, run.id, attempt=run.attempt):
            drop_staging(session, run.id)
            session.execute(delete(QuarantinedOfferRow).where(QuarantinedOfferRow.run_id == run.id))
            run.started_at = now
            run.requests = run.bytes_received = run.seen = run.quarantined = 0
            run.not_modified = run.pages = run.pages_without_offers = 0
            run.stage_seconds, run.listed = {}, None
    else:
        if only_if_due and (store.next_crawl_at is None or store.next_crawl_at > now):
            return None
        run = RunRow(
            store_id=store.id, trigger=trigger, worker=worker, started_at=now, heartbeat_at=now, attempt=1
        )
        session.add(run)
    plan_next_crawl(store, now)
    store.crawl_sent_at = None
    session.flush()
    return RunTicket(run.id, run.attempt, run.public_id, store.id, store_value(store), _counts_of(run))


def open_replay(session: Session, slug: str) -> RunTicket:
    """Begin a run that asks nothing of the store: what waits in quarantine is read again. The schedule stays.

    Raises NotFound, and Conflict where the store is being crawled.
    """
    now = database_now(session)
    store = session.scalar(select(StoreRow).where(StoreRow.slug == slug).with_for_update())
    if store is None:
        raise NotFound("store", slug)
    if session.scalar(select(RunRow.id).where(RunRow.store_id == store.id, RunRow.state == "running")):
        raise Conflict(f"{slug} is being crawled; try again when that run has ended")
    run = RunRow(store_id=store.id, trigger=REPLAY, started_at=now, heartbeat_at=now, attempt=1)
    session.add(run)
    session.flush()
    return RunTicket(run.id, run.attempt, run.public_id, store.id, store_value(store))


def _counts_of(run: RunRow) -> CrawlCounts:
    return CrawlCounts(
        requests=run.requests,
        bytes_received=run.bytes_received,
        not_modified=run.not_modified,
        pages=run.pages,
        pages_without_offers=run.pages_without_offers,
        listed=run.listed,
        stage_seconds=dict(run.stage_seconds),
    )


def beat(session: Session, ticket: RunTicket, counts: CrawlCounts, *, staged: int = 0) -> int:
    """Say that the run lives, and how far it is; returns how many offers it had staged before this call.

    Raises Conflict when the run was cancelled or taken over: then its reader must stop.
    """
    seen = session.scalar(
        update(RunRow)
        .where(RunRow.id == ticket.run_id, RunRow.attempt == ticket.attempt, RunRow.state == "running")
        .values(
            heartbeat_at=func.now(),
            requests=counts.requests,
            bytes_received=counts.bytes_received,
            not_modified=counts.not_modified,
            pages=counts.pages,
            pages_without_offers=counts.pages_without_offers,
            listed=func.coalesce(counts.listed, RunRow.listed),
            stage_seconds={name: round(seconds, 3) for name, seconds in counts.stage_seconds.items()},
            seen=RunRow.seen + staged,
        )
        .returning(RunRow.seen)
    )
    if seen is None:
        raise Conflict(f"run {ticket.public_id} was cancelled or taken over")
    return int(seen) - staged


def note_stages(session: Session, run_id: int, stage_seconds: Mapping[str, float]) -> None:
    """Write down how long each stage took, of a run that ended just now."""
    seconds = {name: round(value, 3) for name, value in stage_seconds.items()}
    session.execute(update(RunRow).where(RunRow.id == run_id).values(stage_seconds=seconds))


def write_log(session: Session, run_id: int, lines: Sequence[LogLine]) -> None:
    """Append to a run's log. Beyond a thousand lines the merely informative are counted, not kept.

    Words of a store in a message are bounded and made printable here.
    """
    if not lines:
        return
    written = session.scalar(
        update(RunRow)
        .where(RunRow.id == run_id)
        .values(log_lines=RunRow.log_lines + len(lines))
        .returning(RunRow.log_lines)
    )
    before = int(written or 0) - len(lines)
    kept = [
        {
            "run_id": run_id,
            "at": line.at,
            "level": line.level,
            "message": clean_text(line.message, 1000),
            "data": safe_json(dict(line.data)),
        }
        for number, line in enumerate(lines, before)
        if number < MOST_LOG_LINES or (line.level != "info" and number < 2 * MOST_LOG_LINES)
    ]
    if kept:
        session.execute(insert(RunLogRow), kept)


def cancel_run(session: Session, public_id: str, *, account_id: int | None = None) -> None:
    """Stop a running run; its staged rows go, the catalogue stays as it is."""
    run_id = session.scalar(
        update(RunRow)
        .where(RunRow.public_id == public_id, RunRow.state == "running")
        .values(state="cancelled", finished_at=func.now())
        .returning(RunRow.id)
    )
    if run_id is None:
        raise NotFound("running run", public_id)
    audit.record(session, account_id, "run_cancelled", f"run:{public_id}")
    drop_staging(session, run_id)
    drop_frontier(session, run_id)


def due_stores(session: Session, *, limit: int = 100) -> list[str]:
    """Slugs of stores to crawl now: due and not being read, or left behind by a dead reader.

    Marks them as asked for, so that the next tick does not ask again while the queue is busy.
    """
    now = database_now(session)
    running = select(RunRow.store_id).where(RunRow.state == "running")
    alive = running.where(RunRow.heartbeat_at > now - DEAD_AFTER)
    dead = running.where(RunRow.heartbeat_at <= now - DEAD_AFTER)
    due = (
        select(StoreRow.id)
        .where(
            or_(
                StoreRow.id.in_(dead),
                (StoreRow.next_crawl_at <= now) & StoreRow.id.not_in(alive),
            ),
            or_(StoreRow.crawl_sent_at.is_(None), StoreRow.crawl_sent_at < now - ASK_AGAIN_AFTER),
        )
        .order_by(StoreRow.next_crawl_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    store_ids = session.scalars(due).all()
    slugs = session.scalars(
        update(StoreRow).where(StoreRow.id.in_(store_ids)).values(crawl_sent_at=now).returning(StoreRow.slug)
    )
    return sorted(slugs)


def leave_run(session: Session, slug: str) -> None:
    """A reader that must stop lets go of its run, so that the next one takes it up at once."""
    session.execute(
        update(RunRow)
        .where(
            RunRow.state == "running",
            RunRow.store_id.in_(select(StoreRow.id).where(StoreRow.slug == slug)),
        )
        .values(heartbeat_at=func.now() - 2 * DEAD_AFTER)
    )
