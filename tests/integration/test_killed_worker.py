"""kill -9 of a worker in the middle of a crawl, with real processes: the next worker finishes the run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from aggregator.catalog.runs import DEAD_AFTER
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from fixtures.demo.stores import DemoStore, run_demo_stores
from tests.integration.real_processes import process, wait_for
from workers.demo import register_demo_store

SLUG = "fernway"


@pytest.fixture
def store(settings: Settings, sessions: Sessions) -> Iterator[DemoStore]:
    with run_demo_stores() as stores:
        shop = next(store for store in stores if store.slug == SLUG)
        allowed = replace(settings, allow_private_hosts=frozenset({urlsplit(shop.url).netloc}))
        register_demo_store(allowed, sessions, shop)  # type: ignore[arg-type]  # the same five fields
        yield shop


@pytest.mark.prove
def test_a_killed_workers_run_is_finished_with_nothing_lost_and_nothing_double(
    settings: Settings, sessions: Sessions, store: DemoStore, tmp_path: Path
) -> None:
    def value(query: str) -> int:
        with sessions() as session:
            return int(session.execute(text(query)).scalar() or 0)

    log, hosts = tmp_path / "log", {urlsplit(store.url).netloc}
    store.control.slow(3, path="/products.json", times=6)
    with process(settings, "clock", log, hosts):
        with process(settings, "worker", log, hosts) as worker:
            wait_for("a half-read store", lambda: value("select count(*) from staged_offers") > 0, log)
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        assert value("select count(*) from offers") == 0
        assert value("select count(*) from runs where state = 'running'") == 1
        with process(settings, "worker", log, hosts):
            wait_for(
                "a finished run",
                lambda: value("select count(*) from runs where state = 'finished'"),
                log,
                patience=DEAD_AFTER.total_seconds() + 90,
            )
    offered = sum(len(product.variants) for product in store.store.products)
    assert value("select count(*) from offers where gone_at is null") == offered
    assert value("select count(distinct external_id) from offers") == offered
    assert value("select count(*) from offer_prices") == offered
    assert value("select count(*) from staged_offers") == 0
    assert (value("select count(*) from runs"), value("select attempt from runs")) == (1, 2)
