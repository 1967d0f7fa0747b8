"""Crawling beside Scrapy and extruct: CPU and bytes of a first crawl, and of one that finds nothing changed.

    python -m benchmarks.crawling [--pages 5000] [--rounds 3]

All crawl the same pages of about 60 kB from a server in a process of its own, whose CPU does not count: robots.txt,
sitemap, guard, robots rules, limits and patience on. "Fetched, read, yielded" goes as far as the peer does; a whole run
normalizes the offers, too, stages them in a real database and releases them. CPU-seconds are those of the crawl process
and of the process that started it, the database's client included; the database server's own are not. "Start-up apart"
takes off what a crawl of one page costs, from ours and from the peer's alike.

The peer is a new Scrapy project with extruct (`benchmarks.crawl_peer`): it keeps no offers at all.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.models import StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.stores import Store
from aggregator.settings import Settings
from benchmarks.crawl_pages import BenchmarkSite, served_pages
from benchmarks.scratch import print_table, scratch_database
from spiders.crawl_conversation import crawl_lines
from spiders.item_lines import VisitedPage
from spiders.runner import crawl_store


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU-seconds and bytes sent by the server."""

    cpu: float
    sent: int


def cost_of(work: Callable[[], object], site: BenchmarkSite) -> Cost:
    """What the work costs this process and the processes that it starts and waits for."""
    cpu, sent = _cpu(), site.sent
    work()
    return Cost(_cpu() - cpu, site.sent - sent)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def crawl_by_peer(site: BenchmarkSite, pages: int) -> None:
    """One crawl of the peer; fails unless it yielded an item a page."""
    peer = subprocess.run(
        [sys.executable, "-m", "benchmarks.crawl_peer", f"{site.base}/sitemap.xml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    assert int(peer.stdout) == pages, peer.stdout


def crawl_without_past(site: BenchmarkSite, pages: int) -> None:
    """One crawl of ours as far as the peer goes: every page fetched, read and yielded to another process."""
    settings = Settings(allow_private_hosts=frozenset({f"127.0.0.1:{site.port}"}))
    store = Store(id="b", slug="b", name="B", url=site.base, platform="generic")
    with crawl_lines(settings, store, "spiders.crawlers.pages:PageCrawl") as lines:
        offers = sum(len(line.offers) for line in lines if isinstance(line, VisitedPage))
    assert offers == pages, offers


class OurCrawl:
    """A store of ours in a scratch database, crawled by whole runs."""

    def __init__(self, sessions: Sessions, site: BenchmarkSite, slug: str) -> None:
        self._sessions = sessions
        self._settings = Settings(allow_private_hosts=frozenset({f"127.0.0.1:{site.port}"}))
        self._slug = slug
        with sessions.begin() as session:
            register_store(
                session, NewStore(url=site.base, platform="generic", name=slug, slug=slug), may_move=True
            )

    def ignore_lastmod(self) -> None:
        """Ask for every page from now on."""
        with self._sessions.begin() as session:
            row = session.scalars(select(StoreRow).where(StoreRow.slug == self._slug)).one()
            row.options = {**row.options, "lastmod": "ignore"}

    def forget(self) -> None:
        """As if the store had never been read."""
        with self._sessions.begin() as session:
            session.delete(session.scalars(select(StoreRow).where(StoreRow.slug == self._slug)).one())

    def run(self, *, new: int, unchanged: int) -> None:
        """One run; fails unless it came to these counts."""
        report = crawl_store(self._settings, self._sessions, self._slug, trigger="command")
        assert report is not None
        got = (report.state, report.new, report.unchanged)
        assert got == ("finished", new, unchanged), report


def measure(sessions: Sessions, pages: int, rounds: int) -> dict[str, list[Cost]]:
    """Costs by kind of crawl, a round of each kind after the other."""
    costs: dict[str, list[Cost]] = {"peer": [], "crawl": [], "first": [], "lastmod": [], "304": []}
    with served_pages(pages) as site:
        for number in range(rounds):
            costs["peer"].append(cost_of(partial(crawl_by_peer, site, pages), site))
            costs["crawl"].append(cost_of(partial(crawl_without_past, site, pages), site))
            ours = OurCrawl(sessions, site, f"shop-{pages}-{number}")
            costs["first"].append(cost_of(partial(ours.run, new=pages, unchanged=0), site))
            costs["lastmod"].append(cost_of(partial(ours.run, new=0, unchanged=pages), site))
            ours.ignore_lastmod()
            costs["304"].append(cost_of(partial(ours.run, new=0, unchanged=pages), site))
            ours.forget()
    return costs


def _middle(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(c.cpu for c in costs), int(statistics.median(c.sent for c in costs)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    pages = arguments.pages
    with scratch_database() as sessions:
        measure(sessions, 1, 1)  # what is imported and connected once
        starts = measure(sessions, 1, arguments.rounds)
        costs = measure(sessions, pages, arguments.rounds)
    start = {kind: _middle(each) for kind, each in starts.items()}
    middle = {kind: _middle(each) for kind, each in costs.items()}
    apart = {kind: middle[kind].cpu - start[kind].cpu for kind in middle}
    names = {
        "peer": "Scrapy and extruct",
        "crawl": "ours: fetched, read, yielded",
        "first": "ours, a whole first run",
        "lastmod": "a whole run again, by lastmod",
        "304": "a whole run again, by 304s alone",
    }
    rows = [
        (
            name,
            f"{middle[kind].cpu:.2f}",
            f"{start[kind].cpu:.2f}",
            f"{pages / middle[kind].cpu:,.0f}",
            f"{middle['peer'].cpu / middle[kind].cpu:.2f}",
            f"{apart[kind] / apart['peer']:.3f}",
            f"{middle[kind].sent / 1e6:,.2f}",
            f"{middle[kind].sent / middle['peer'].sent:.4f}",
        )
        for kind, name in names.items()
    ]
    print_table(
        f"{pages:,} pages of {middle['peer'].sent / pages / 1000:.1f} kB, median of {arguments.rounds}",
        (
            "crawl",
            "CPU-s",
            "of it start-up",
            "pages/CPU-s",
            "× peer",
            "CPU / peer's, start-up apart",
            "MB",
            "bytes / peer's",
        ),
        rows,
    )


if __name__ == "__main__":
    main()
