"""Stores that are down are left alone longer and longer, and found again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.catalog.circuits import (
    FIRST_REST,
    LONGEST_REST,
    begin_try,
    find_crawl_state,
    note_answer,
    note_silence,
)
from aggregator.catalog.host_politeness import SharedHosts, opt_in, opt_out, opted_out_hosts
from aggregator.cli import commands
from aggregator.db.models import AlarmRow, RobotsFileRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.fetching.politeness import KeptRobots
from aggregator.settings import Settings
from tests.integration.page_site import PageSite, Shop, registered, served
from tests.integration.shop_rows import store_row


@pytest.fixture
def shop(settings: Settings, sessions: Sessions) -> Iterator[Shop]:
    with served(PageSite({1: "1.00", 2: "2.00"})) as site:
        own = replace(settings, allow_private_hosts=frozenset({f"127.0.0.1:{site.port}"}))
        yield registered(site, own, sessions)


def test_three_silent_runs_open_it_and_the_rest_doubles(session: Session) -> None:
    store = store_row(session, "down", next_crawl_at=datetime.now(UTC))
    for failures in (1, 2):
        state = note_silence(session, store.id, "no answer")
        assert (state.circuit, state.failures, state.retry_at) == ("closed", failures, None)
    for doubling in range(9):
        state = note_silence(session, store.id, "no answer")
        assert state.circuit == "open"
        assert state.retry_at is not None
        rest = min(FIRST_REST * 2**doubling, LONGEST_REST)
        assert abs(state.retry_at - datetime.now(UTC) - rest) < timedelta(seconds=5)
        assert begin_try(session, store.id)
        assert find_crawl_state(session, store.id).circuit == "half_open"
    session.expire_all()
    assert store.next_crawl_at == state.retry_at
    assert [alarm.kind for alarm in session.scalars(select(AlarmRow).where(AlarmRow.state == "open"))] == [
        "circuit_open"
    ]
    note_answer(session, store.id)
    session.expire_all()
    assert find_crawl_state(session, store.id).circuit == "closed"
    assert session.scalars(select(AlarmRow.state)).all() == ["closed"]
    assert not begin_try(session, store.id)


def test_a_rest_that_the_store_asks_for_is_kept_from_the_first_time_on(session: Session) -> None:
    store = store_row(session, "busy", next_crawl_at=datetime.now(UTC))
    state = note_silence(session, store.id, "HTTP 429", retry_after=7200)
    assert state.circuit == "closed"
    session.expire_all()
    assert store.next_crawl_at is not None
    assert timedelta(minutes=119) < store.next_crawl_at - datetime.now(UTC) <= timedelta(hours=2)


def test_a_store_that_is_down_costs_a_few_requests_a_run_and_is_found_again(shop: Shop) -> None:
    shop.crawl()
    with shop.sessions.begin() as session:
        session.execute(update(RobotsFileRow).values(fetched_at=datetime.now(UTC) - timedelta(days=2)))
    shop.site.answers["/sitemap.xml"] = (404, {}, b"")
    assert [shop.crawl().state for _ in range(3)] == ["failed"] * 3
    assert len(shop.site.asked) <= 4
    with shop.sessions.begin() as session:
        store_id = session.scalar(select(StoreRow.id))
        assert store_id is not None
        assert find_crawl_state(session, store_id).circuit == "open"
    shop.site.answers.clear()
    report = shop.crawl()
    assert (report.state, report.unchanged, report.gone) == ("finished", 2, 0)
    with shop.sessions.begin() as session:
        assert find_crawl_state(session, store_id).circuit == "closed"


def test_a_long_rest_in_the_middle_of_a_run_stops_it_and_moves_the_next(shop: Shop) -> None:
    shop.site.answers["/p/2"] = (429, {"Retry-After": "86400"}, b"")
    report = shop.crawl()
    assert report.state == "failed"
    assert shop.site.pages_asked(429) == ["/p/2"]
    with shop.sessions.begin() as session:
        next_at = session.scalar(select(StoreRow.next_crawl_at))
    assert next_at is not None
    assert next_at > datetime.now(UTC) + timedelta(hours=23)


def test_a_host_that_opted_out_is_never_asked(shop: Shop) -> None:
    with shop.sessions.begin() as session:
        assert opt_out(session, "127.0.0.1", note="by mail") == "127.0.0.1"
    report = shop.crawl()
    assert report.state == "failed"
    assert report.problem is not None
    assert "never fetched" in report.problem
    assert shop.site.asked == []
    with shop.sessions.begin() as session:
        opt_in(session, "127.0.0.1")
    assert shop.crawl().state == "finished"


def test_opted_out_hosts_are_kept_as_hosts(session: Session) -> None:
    assert opt_out(session, "https://www.Shop.Example/x", note="asked on 1 May") == "shop.example"
    assert opted_out_hosts(session) == {"shop.example": "asked on 1 May"}
    with pytest.raises(InvalidInput):
        opt_out(session, "not a host")
    with pytest.raises(NotFound):
        opt_in(session, "other.example")


def test_hosts_are_opted_out_from_a_shell(settings: Settings, sessions: Sessions) -> None:
    environment = {"DATABASE_URL": settings.database_url, "CLICK2CART_DATA_DIR": str(settings.data_dir)}

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(commands, ["opt-outs", *arguments], env=environment)
        assert done.exit_code == 0, done.output
        return done.stdout

    run("add", "shop.example", "--note", "by mail")
    assert run("list") == "shop.example  by mail\n"
    run("remove", "shop.example")
    assert run("list", "--json").strip() == "[]"


def test_turns_and_robots_files_are_shared(sessions: Sessions) -> None:
    here, there = SharedHosts(sessions), SharedHosts(sessions)
    assert here.turn("shop.example:443", 5.0) == 0.0
    assert 4.0 < there.turn("shop.example:443", 5.0) <= 5.0
    assert 9.0 < here.turn("shop.example:443", 5.0) <= 10.0
    assert there.turn("other.example:443", 5.0) == 0.0
    there.pause("other.example:443", 60.0)
    assert 59.0 < here.turn("other.example:443", 0.5) <= 60.0
    here.keep_robots("https://shop.example", KeptRobots("read", "User-agent: *\nDisallow: /x\x00\n"))
    found = there.find_robots("https://shop.example")
    assert found is not None
    assert (found.state, found.body) == ("read", "User-agent: *\nDisallow: /x\n")
    with sessions.begin() as session:
        session.execute(update(RobotsFileRow).values(fetched_at=datetime.now(UTC) - timedelta(hours=25)))
    assert there.find_robots("https://shop.example") is None
