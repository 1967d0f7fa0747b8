"""A crawl that was killed goes on where it stopped: nothing lost, nothing doubled, next to nothing fetched twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import func, select, update

from aggregator.db.models import OfferRow, PageVisitRow, RunRow, StagedOfferRow
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.integration.page_site import PageSite, registered, served

# Handed to the crawl at once, and taken in by its parent but not written yet.
IN_FLIGHT = 128 + 50


def test_a_killed_crawl_is_taken_up_where_it_stopped(settings: Settings, sessions: Sessions) -> None:
    site = PageSite({number: f"{number}.00" for number in range(1, 801)})
    reached = threading.Event()
    site.before = lambda path: reached.set() if path == "/p/500" else None
    with served(site):
        own = replace(settings, allow_private_hosts=frozenset({f"127.0.0.1:{site.port}"}))
        shop = registered(site, own, sessions)
        environment = {
            **os.environ,
            "CLICK2CART_DATA_DIR": str(own.data_dir),
            "CLICK2CART_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{site.port}",
            "DATABASE_URL": own.database_url or "",
        }
        worker = subprocess.Popen(
            [str(Path(sys.executable).parent / "click2cart"), "crawl", "shop", "--json"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert reached.wait(60)
        children = psutil.Process(worker.pid).children(recursive=True)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        # The crawl process notices that nobody reads its lines any more.
        psutil.wait_procs(children, timeout=10)
        before = Counter(site.pages_asked())
        with sessions.begin() as session:
            session.execute(update(RunRow).values(heartbeat_at=datetime.now(UTC) - timedelta(minutes=5)))
            recorded = session.scalar(
                select(func.count()).where(PageVisitRow.state == "visited", PageVisitRow.kind == "page")
            )
            staged = session.scalar(select(func.count()).select_from(StagedOfferRow))
        assert recorded == staged
        assert recorded
        assert recorded >= sum(before.values()) - IN_FLIGHT
        report = shop.crawl()
        again = Counter(site.pages_asked())
    assert (report.state, report.new, report.seen, report.quarantined) == ("finished", 800, 800, 0)
    # The listing was not read again, and a page only if nobody wrote down what came of it.
    assert "/sitemap.xml" not in [path for path, _ in site.asked]
    assert sum(again.values()) == 800 - recorded
    assert set(before) | set(again) == {f"/p/{number}" for number in range(1, 801)}
    with sessions.begin() as session:
        assert session.scalar(select(func.count()).select_from(OfferRow)) == 800
        run = session.scalars(select(RunRow)).one()
        assert (run.attempt, run.state) == (2, "finished")
