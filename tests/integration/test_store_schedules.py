"""A store's schedule in the catalogue: planning, pausing, and a system clock that jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.catalog.runs import due_stores, open_run
from aggregator.catalog.schedules import (
    get_schedule,
    pause_store,
    resume_store,
    right_planned_times,
    set_schedule,
)
from aggregator.catalog.stores import NewStore, get_store_summary, register_store, request_crawl
from aggregator.db.models import AuditEntryRow, RunRow, StoreRow
from aggregator.domain.errors import NotFound
from aggregator.domain.schedules import Schedule
from workers.schedule import JumpWatch

NIGHTLY = Schedule(cron="30 2 * * *", timezone="Europe/Berlin")


@pytest.fixture
def store(session: Session) -> StoreRow:
    register_store(
        session, NewStore(url="https://alpha.example/", platform="generic", name="Alpha", slug="alpha")
    )
    return session.scalars(select(StoreRow)).one()


def read_once(session: Session) -> None:
    ticket = open_run(session, "alpha", trigger="schedule", worker="test", only_if_due=True)
    assert ticket is not None
    run = session.scalars(select(RunRow).where(RunRow.id == ticket.run_id)).one()
    run.state, run.finished_at = "finished", datetime.now(UTC)
    session.flush()


def test_a_crawl_plans_the_next_one_by_the_schedule(session: Session, store: StoreRow) -> None:
    set_schedule(session, "alpha", NIGHTLY)
    read_once(session)
    assert store.next_crawl_at is not None
    local = store.next_crawl_at.astimezone(NIGHTLY.zone)
    assert (local.hour, local.minute) in {(2, 30), (3, 0)}
    assert timedelta(0) < store.next_crawl_at - datetime.now(UTC) <= timedelta(hours=25)
    assert get_schedule(session, "alpha") == (NIGHTLY, store.public_id)
    assert store.crawl_interval in {86_400, 82_800, 90_000}


def test_what_is_due_already_stays_due_when_the_schedule_changes(session: Session, store: StoreRow) -> None:
    set_schedule(session, "alpha", NIGHTLY)
    assert due_stores(session) == ["alpha"]


def test_a_paused_store_is_crawled_only_when_asked_for(session: Session, store: StoreRow) -> None:
    pause_store(session, "alpha")
    assert due_stores(session) == []
    request_crawl(session, "alpha")
    assert due_stores(session) == ["alpha"]
    read_once(session)
    assert store.next_crawl_at is None
    assert not get_store_summary(session, "alpha").is_active
    resume_store(session, "alpha")
    assert store.next_crawl_at is not None
    with pytest.raises(NotFound):
        pause_store(session, "nowhere")


def test_changes_stand_in_the_audit_log_with_what_was_before(session: Session, store: StoreRow) -> None:
    set_schedule(session, "alpha", NIGHTLY, account_id=None)
    set_schedule(session, "alpha", NIGHTLY)
    entries = session.scalars(select(AuditEntryRow).where(AuditEntryRow.action == "store_schedule_set")).all()
    assert [entry.detail["changes"] for entry in entries] == [
        {
            "cron": {"from": None, "to": "30 2 * * *"},
            "interval": {"from": 21_600, "to": None},
            "timezone": {"from": "UTC", "to": "Europe/Berlin"},
        }
    ]


def test_a_clock_set_back_stalls_nothing(session: Session, store: StoreRow) -> None:
    """All that was written before the jump lies a day ahead of the clock now."""
    read_once(session)
    usual = store.next_crawl_at
    later = datetime.now(UTC) + timedelta(days=1)
    store.next_crawl_at = later + timedelta(seconds=store.crawl_interval)
    store.crawl_sent_at = later
    session.add(
        RunRow(store_id=store.id, trigger="schedule", started_at=later, heartbeat_at=later, state="running")
    )
    session.flush()
    assert right_planned_times(session) == ["alpha"]
    session.flush()
    session.expire_all()
    assert usual is not None
    assert store.next_crawl_at is not None
    assert abs(store.next_crawl_at - usual) < timedelta(seconds=30)
    assert store.crawl_sent_at is None
    run = session.scalars(select(RunRow).where(RunRow.state == "running")).one()
    # Its reader beats on if it lives; else it is taken up in twenty seconds, not tomorrow.
    assert run.heartbeat_at <= datetime.now(UTC)
    assert right_planned_times(session) == []


def test_a_clock_set_forward_makes_each_store_due_once_and_no_more(session: Session, store: StoreRow) -> None:
    set_schedule(session, "alpha", Schedule(interval=3600))
    store.next_crawl_at = datetime.now(UTC) - timedelta(days=30)
    session.flush()
    assert due_stores(session) == ["alpha"]
    assert due_stores(session) == []
    read_once(session)
    assert due_stores(session) == []
    assert store.next_crawl_at is not None
    assert store.next_crawl_at > datetime.now(UTC) + timedelta(minutes=50)


def test_a_jump_of_the_clock_is_noticed_and_passing_time_is_none() -> None:
    wall = passing = 1_000.0
    watch = JumpWatch(lambda: wall, lambda: passing)
    wall, passing = wall + 7200, passing + 7200
    assert watch.look() == 0.0
    wall -= 3600
    assert watch.look() == -3600
    assert watch.look() == 0.0
    wall += 86_400
    assert watch.look() == 86_400
