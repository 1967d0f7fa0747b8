"""Two workers and two clocks on one database, as real processes: each due crawl once, and any of them may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from aggregator.catalog.runs import DEAD_AFTER
from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.fault_shop import FaultShop, Visit, open_shop
from tests.integration.real_processes import process, wait_for

pytestmark = pytest.mark.prove

# Twice what one worker's four threads take ahead of their work, so that something is left for the other.
STORES = 16
INTERVAL = 2
ROUNDS = 2


@pytest.fixture
def shop(sessions: Sessions) -> Iterator[FaultShop]:
    """Sixteen stores, each a feed of its own in one shop, due every two seconds."""
    with open_shop() as shop:
        with sessions.begin() as session:
            for number in range(STORES):
                feed = f"{shop.url}/feed.xml?store={number}"
                register_store(
                    session,
                    NewStore(
                        url=feed, platform="merchant_feed", name=f"Store {number}", slug=f"store-{number}",
                        currency="EUR", crawl_interval=INTERVAL, options={"feed_url": feed},
                    ),
                )  # fmt: skip
        yield shop


class Site:
    """Two workers and two clocks."""

    def __init__(self, stack: ExitStack, settings: Settings, shop: FaultShop, log: Path) -> None:
        self.log = log
        self.workers, self.clocks = (
            [stack.enter_context(process(settings, command, log, {shop.authority})) for _ in range(2)]
            for command in ("worker", "clock")
        )


@pytest.fixture
def site(settings: Settings, shop: FaultShop, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        site = Site(stack, settings, shop, tmp_path / "log")
        yield site
        for child in (*site.workers, *site.clocks):
            child.terminate()


def value(sessions: Sessions, query: str) -> int:
    with sessions.begin() as session:
        return int(session.execute(text(query)).scalar() or 0)


def kill(child: subprocess.Popen[bytes]) -> None:
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def slow_feed(visit: Visit) -> None:
    """The first items at once, the rest only when the shop closes."""
    feed = visit.shop.feed()
    visit.head(200, len(feed), Content_Type="application/xml")
    visit.write(feed[: len(feed) // 2])
    visit.shop.wait(60)


def pause_all(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(text("update stores set is_active = false"))


def check_that_nothing_is_lost_or_double(sessions: Sessions, shop: FaultShop) -> None:
    articles = len(shop.articles)
    assert value(sessions, "select count(*) from offers where gone_at is null") == STORES * articles
    assert value(sessions, "select count(*) from offers") == STORES * articles
    assert value(sessions, "select count(*) from offer_prices") == STORES * articles
    assert value(sessions, "select count(*) from staged_offers") == 0
    broken = "seen <> new + changed + unchanged + held + quarantined"
    assert value(sessions, f"select count(*) from runs where {broken}") == 0
    assert value(sessions, "select sum(new) from runs") == STORES * articles


def test_each_due_crawl_runs_once(site: Site, sessions: Sessions, shop: FaultShop) -> None:
    rounds = (
        "select min(n) from (select count(r.id) as n from stores s"
        " left join runs r on r.store_id = s.id and r.state = 'finished' group by s.id) by_store"
    )
    wait_for("two rounds", lambda: value(sessions, rounds) >= ROUNDS, site.log)
    alive = "select count(*) from processes where kind = '{}' and seen_at > now() - interval '30 s'"
    assert [value(sessions, alive.format(kind)) for kind in ("worker", "clock")] == [2, 2]
    assert value(sessions, "select count(*) from processes where is_leader") == 1
    pause_all(sessions)
    wait_for(
        "quiet", lambda: not value(sessions, "select count(*) from runs where state = 'running'"), site.log
    )
    # No store was read before it was due again, by whichever worker and clock.
    too_soon = f"""
        select count(*) from (
            select started_at - lag(started_at) over (partition by store_id order by started_at) as pause
            from runs
        ) pauses where pause < make_interval(secs => {INTERVAL})
    """
    assert value(sessions, too_soon) == 0
    assert value(sessions, "select count(*) from runs where state <> 'finished' or attempt <> 1") == 0
    fetched = sum(path.startswith("/feed.xml") for path in shop.asked)
    assert fetched == value(sessions, "select count(*) from runs")
    assert value(sessions, "select count(distinct worker) from runs") == 2
    check_that_nothing_is_lost_or_double(sessions, shop)


def test_killing_a_worker_and_the_leading_clock_loses_nothing(
    site: Site, sessions: Sessions, shop: FaultShop
) -> None:
    shop.misbehave("/feed.xml?store=3", slow_feed, times=1)
    wait_for("a run that takes long", lambda: "/feed.xml?store=3" in shop.asked, site.log)
    leader = "select pid from processes where is_leader and seen_at > now() - interval '30 s'"
    wait_for("a leader", lambda: value(sessions, leader), site.log)
    reader = value(
        sessions,
        "select split_part(worker, ':', 2)::int from runs join stores s on s.id = store_id"
        " where s.slug = 'store-3' and state = 'running'",
    )
    led_by = value(sessions, leader)
    (slow,) = [worker for worker in site.workers if worker.pid == reader]
    (leading,) = [clock for clock in site.clocks if clock.pid == led_by]
    kill(slow)
    kill(leading)
    last = value(sessions, "select coalesce(max(id), 0) from runs")
    wait_for(
        "the others' going on",
        lambda: (
            value(sessions, f"select count(*) from runs where id > {last} and state = 'finished'") >= STORES
        ),
        site.log,
    )
    taken_up = "select count(*) from runs where attempt = 2 and state = 'finished'"
    wait_for(
        "the lost run's end", lambda: value(sessions, taken_up), site.log, DEAD_AFTER.total_seconds() + 180
    )
    pause_all(sessions)
    wait_for(
        "quiet", lambda: not value(sessions, "select count(*) from runs where state = 'running'"), site.log
    )
    assert value(sessions, "select count(*) from runs where state <> 'finished'") == 0
    assert value(sessions, "select count(*) from runs where attempt > 1") == 1
    check_that_nothing_is_lost_or_double(sessions, shop)
