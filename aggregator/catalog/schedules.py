"""Schedules of stores: reading and setting them, and righting planned times after a jump of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.db import audit
from aggregator.db.models import ProbeRow, RunRow, StoreRow
from aggregator.db.session import database_now
from aggregator.domain.errors import NotFound
from aggregator.domain.schedules import Schedule

# Clocks of several machines differ by less; what lies farther ahead was written before a jump.
_SKEW = timedelta(seconds=60)


def schedule_of(store: StoreRow) -> Schedule:
    """The store's schedule; one that sets none is read at its interval."""
    return (
        Schedule(interval=store.crawl_interval)
        if store.schedule is None
        else Schedule.from_json(store.schedule)
    )


def plan_next_crawl(store: StoreRow, now: datetime) -> None:
    """Set when the store is due next, after a crawl that begins now or a change of its schedule; never while paused."""
    planned = schedule_of(store).next_time(now, store.public_id) if store.is_active else None
    store.next_crawl_at = planned


def get_schedule(session: Session, slug: str) -> tuple[Schedule, str]:
    """The store's schedule and the seed of its jitter; raises NotFound."""
    store = _store(session, slug)
    return schedule_of(store), store.public_id


def set_schedule(session: Session, slug: str, schedule: Schedule, *, account_id: int | None = None) -> None:
    """Give the store another schedule; the next crawl is planned by it. Raises NotFound."""
    store = _store(session, slug)
    before = schedule_of(store).to_json()
    apply_schedule(store, schedule)
    audit.record_change(
        session, account_id, "store_schedule_set", f"store:{slug}", before=before, after=schedule.to_json()
    )


def apply_schedule(store: StoreRow, schedule: Schedule) -> None:
    """Write a schedule into its store and plan by it; a crawl that is due already stays due."""
    now = datetime.now(UTC)
    if schedule.to_json() == schedule_of(store).to_json():
        return
    store.schedule = schedule.to_json()
    store.crawl_interval = schedule.longest_gap(now)
    if store.next_crawl_at is None or store.next_crawl_at > now:
        plan_next_crawl(store, now)


def pause_store(session: Session, slug: str, *, account_id: int | None = None) -> None:
    """Plan no crawl of the store any more; one that runs goes on, and one can still be asked for. Raises NotFound."""
    _set_active(session, slug, False, account_id)


def resume_store(session: Session, slug: str, *, account_id: int | None = None) -> None:
    """Crawl the store by its schedule again: the next time is planned from now. Raises NotFound."""
    _set_active(session, slug, True, account_id)


def _set_active(session: Session, slug: str, is_active: bool, account_id: int | None) -> None:
    store = _store(session, slug)
    if store.is_active == is_active:
        return
    store.is_active = is_active
    plan_next_crawl(store, database_now(session))
    audit.record(session, account_id, "store_resumed" if is_active else "store_paused", f"store:{slug}")


def right_planned_times(session: Session, *, tolerance: timedelta = _SKEW) -> list[str]:
    """Mend what was written before the system's clock was set back; slugs of the stores that were planned anew.

    A crawl planned farther ahead than its schedule plans from now, a message sent or a heartbeat heard in the
    future: each would be waited for until the clock is there again. A crawl may lie `tolerance` beyond its schedule,
    as that of a store does which is left alone for a while.
    """
    now = database_now(session)
    ahead = now + _SKEW
    session.execute(update(StoreRow).where(StoreRow.crawl_sent_at > ahead).values(crawl_sent_at=None))
    session.execute(
        update(RunRow).where(RunRow.state == "running", RunRow.heartbeat_at > ahead).values(heartbeat_at=now)
    )
    session.execute(update(RunRow).where(RunRow.accept_sent_at > ahead).values(accept_sent_at=None))
    session.execute(
        update(ProbeRow).where(ProbeRow.state == "waiting", ProbeRow.sent_at > ahead).values(sent_at=None)
    )
    session.execute(
        update(ProbeRow)
        .where(ProbeRow.state == "running", ProbeRow.started_at > ahead)
        .values(started_at=now)
    )
    planned = select(StoreRow).where(StoreRow.is_active, StoreRow.next_crawl_at > ahead)
    far = []
    for store in session.scalars(planned.with_for_update(skip_locked=True)):
        schedule = schedule_of(store)
        usual = schedule.next_time(now, store.public_id)
        latest = usual + timedelta(seconds=schedule.jitter) + tolerance
        if store.next_crawl_at is not None and store.next_crawl_at > latest:
            store.next_crawl_at = usual
            far.append(store.slug)
    return sorted(far)


def _store(session: Session, slug: str) -> StoreRow:
    store = session.scalar(select(StoreRow).where(StoreRow.slug == slug).with_for_update())
    if store is None:
        raise NotFound("store", slug)
    return store
