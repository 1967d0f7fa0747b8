"""Broker, database and system clock fail in the middle of a run, with real processes and servers of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from aggregator.catalog.runs import DEAD_AFTER
from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.embedded import embedded_services, restart_what_fell
from aggregator.db.embedded.layout import DataLayout
from aggregator.db.embedded.postgres import postgres_runs
from aggregator.db.embedded.valkey import valkey_runs
from aggregator.db.migrate import migrate
from aggregator.db.session import Sessions, engine_for
from aggregator.settings import Settings
from tests.fault_shop import FaultShop, Visit, open_shop, wait_until
from tests.integration.real_processes import process, wait_for

pytestmark = pytest.mark.prove

INTERVAL = 2
A_DAY = 86_400
SHIFTING = Path(__file__).parent / "jumping_clock"


@dataclass
class Installation:
    """Servers of their own, and one store on a feed whose second half comes when it is told to."""

    settings: Settings
    layout: DataLayout
    sessions: Sessions
    shop: FaultShop
    log: Path
    goes_on: list[bool]

    def value(self, query: str) -> int:
        with self.sessions.begin() as session:
            return int(session.execute(text(query)).scalar() or 0)

    def wait(self, what: str, query: str, *, patience: float = 180) -> None:
        wait_for(what, lambda: self.value(query), self.log, patience)

    @contextmanager
    def working(self, shift: Path | None = None) -> Iterator[None]:
        """A worker and a clock; with `shift` their system clock is off by what that file says."""
        environment = {"PYTHONPATH": _path(), "TEST_CLOCK_SHIFT": str(shift)} if shift else {}
        with ExitStack() as stack:
            children = [
                stack.enter_context(
                    process(self.settings, command, self.log, {self.shop.authority}, environment)
                )
                for command in ("worker", "clock")
            ]
            yield
            for child in children:
                child.terminate()

    def kill(self, program: str, file: str) -> None:
        """kill -9 of a server."""
        folder = self.layout.cluster if program == "postgres" else self.layout.valkey
        os.kill(int((folder / file).read_text().split()[0]), signal.SIGKILL)

    def check(self, *, attempts: int) -> None:
        """Nothing is lost, doubled or poisoned, and every run adds up."""
        articles = self.shop.articles
        with self.sessions.begin() as session:
            offers = session.execute(text("select external_id, price, gone_at from offers")).all()
        assert {sku: (price, gone) for sku, price, gone in offers} == {
            sku: (article.price, None) for sku, article in articles.items()
        }
        assert len(offers) == self.value("select count(*) from offer_prices") == len(articles)
        assert self.value("select count(*) from staged_offers") == 0
        broken = "seen <> new + changed + unchanged + held + quarantined"
        assert self.value(f"select count(*) from runs where {broken}") == 0
        assert self.value("select max(attempt) from runs") == attempts
        assert self.value("select count(*) from runs where state not in ('finished', 'running')") == 0


def _path() -> str:
    return os.pathsep.join(filter(None, [str(SHIFTING), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("servers"))
    with embedded_services(settings, with_broker=True):
        yield settings


@pytest.fixture
def installation(servers: Settings, tmp_path: Path) -> Iterator[Installation]:
    restart_what_fell(servers, with_broker=True)
    goes_on: list[bool] = []

    def slow(visit: Visit) -> None:
        feed = visit.shop.feed()
        visit.head(200, len(feed), Content_Type="application/xml")
        visit.write(feed[: len(feed) // 2])
        while not goes_on and not visit.shop.wait(0.05):
            pass
        visit.write(feed[len(feed) // 2 :])

    with open_shop() as shop, embedded_services(servers, with_broker=True) as services:
        engine = engine_for(services.database_url)
        migrate(engine)
        sessions = sessionmaker(engine)
        shop.misbehave("/feed.xml", slow, times=1)
        with sessions.begin() as session:
            feed = f"{shop.url}/feed.xml"
            register_store(
                session,
                NewStore(
                    url=feed, platform="merchant_feed", name="Shop", slug="shop", currency="EUR",
                    crawl_interval=INTERVAL, options={"feed_url": feed},
                ),
            )  # fmt: skip
        layout = DataLayout.at(servers.data_dir)
        yield Installation(servers, layout, sessions, shop, tmp_path / "log", goes_on)
        goes_on.append(True)
        with engine.begin() as connection:
            connection.execute(text("truncate stores, processes, queues cascade"))
        engine.dispose()


IN_MID_RUN = "select count(*) from runs where state = 'running'"


def until_mid_run(installation: Installation) -> None:
    wait_until(lambda: "/feed.xml" in installation.shop.asked, what="a crawl")
    installation.wait("a run", IN_MID_RUN)


def test_a_broker_killed_in_mid_run_delays_nothing_but_messages(installation: Installation) -> None:
    with installation.working():
        until_mid_run(installation)
        installation.kill("valkey", "valkey.pid")
        wait_until(lambda: not valkey_runs(installation.layout), what="the broker's end")
        installation.goes_on.append(True)
        installation.wait("the end of the run", "select count(*) from runs where state = 'finished'")
        restart_what_fell(installation.settings, with_broker=True)
        installation.wait("further runs", "select count(*) >= 3 from runs where state = 'finished'")
    installation.check(attempts=1)


def test_a_database_killed_and_back_before_the_next_write_costs_the_run_nothing(
    installation: Installation,
) -> None:
    with installation.working():
        until_mid_run(installation)
        installation.kill("postgres", "postmaster.pid")
        wait_until(lambda: not postgres_runs(installation.layout), what="the database's end")
        restart_what_fell(installation.settings, with_broker=True)
        installation.goes_on.append(True)
        installation.wait("further runs", "select count(*) >= 2 from runs where state = 'finished'")
    installation.check(attempts=1)


def test_a_database_away_when_offers_are_to_be_written_makes_the_run_be_read_again(
    installation: Installation,
) -> None:
    with installation.working():
        until_mid_run(installation)
        installation.kill("postgres", "postmaster.pid")
        wait_until(lambda: not postgres_runs(installation.layout), what="the database's end")
        installation.goes_on.append(True)
        wait_until(lambda: "OperationalError" in installation.log.read_text(), what="a write that fails")
        restart_what_fell(installation.settings, with_broker=True)
        installation.wait(
            "the run's end",
            "select count(*) from runs where state = 'finished' and attempt = 2",
            patience=DEAD_AFTER.total_seconds() + 180,
        )
        installation.wait("further runs", "select count(*) >= 2 from runs where state = 'finished'")
    installation.check(attempts=2)


def test_a_clock_that_jumps_in_mid_run_neither_stalls_nor_storms(
    installation: Installation, tmp_path: Path
) -> None:
    shift = tmp_path / "shift"
    shift.write_text("0")
    with installation.working(shift):
        until_mid_run(installation)
        shift.write_text(str(A_DAY))
        installation.goes_on.append(True)
        installation.wait("runs a day ahead", "select count(*) >= 3 from runs where state = 'finished'")
        shift.write_text(str(-A_DAY))
        installation.wait("runs a day back", "select count(*) >= 6 from runs where state = 'finished'")
        too_soon = (
            "select count(*) from (select started_at - lag(started_at) over (order by started_at) as pause"
            f" from runs) pauses where pause < make_interval(secs => {INTERVAL})"
        )
        assert installation.value(too_soon) == 0
    installation.check(attempts=1)
    # Nothing is dated by the clock that was wrong.
    off = "abs(extract(epoch from now() - {})) > 3600"
    for column in ("started_at", "heartbeat_at", "finished_at"):
        assert installation.value(f"select count(*) from runs where {off.format(column)}") == 0
    assert installation.value(f"select count(*) from offer_prices where {off.format('recorded_at')}") == 0
    assert installation.value(f"select count(*) from stores where {off.format('next_crawl_at')}") == 0
