"""A crawl of pages in a process of its own: a job and pages to fetch come in, lines go out.

The process lists and fetches; which of the listed pages are worth fetching is decided by who started it, page by page
and while it runs, so that a host's turns are kept over all processes and nothing is lost when it dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from importlib import import_module
from typing import IO, Any

from aggregator.domain.crawling import KnownSitemap, PlannedPage, Validators
from aggregator.domain.errors import StoreError, Throttled
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.stores import Store
from aggregator.domain.vocabulary import TaxBasis
from aggregator.fetching import AddressGuard, Fetcher, RobotsRules
from aggregator.fetching.politeness import SHARED_POLITENESS, read_kept_robots
from aggregator.settings import Settings
from spiders.frontier import PageFrontier
from spiders.item_lines import (
    Counts,
    Ending,
    Line,
    LineWriter,
    Listed,
    ListingRead,
    SitemapRead,
    VisitedPage,
    from_line,
)
from spiders.store_options import crawl_pace, is_rendered

# Pages handed to the crawl before it is done with others: of a foreign host few, since each takes a turn with it.
_WINDOW = 128
_POLITE_WINDOW = 2


@contextmanager
def crawl_lines(
    settings: Settings, store: Store, spider: str, frontier: PageFrontier | None = None
) -> Iterator[Iterator[Line]]:
    """Start a crawl and read its lines; leaving the block ends the process, whatever it is doing.

    What is listed goes to the frontier (by default one without a past), what it plans goes to the crawl; neither shows
    up among the lines. The last line is an Ending, unless the process died.
    """
    frontier = frontier or PageFrontier()
    with Fetcher(settings) as fetcher:
        try:
            rules = fetcher.robots(store.url)
            pace = crawl_pace(store, AddressGuard(settings), SHARED_POLITENESS)
        except StoreError as error:
            yield iter([Ending(str(error), error.retry_after if isinstance(error, Throttled) else None)])
            return
        counted = Counts(fetcher.requests, fetcher.bytes_received)
        if rules.state == "unreachable":
            yield iter([counted, Ending(str(rules.refusal(store.url)))])
            return
    process = subprocess.Popen(
        [sys.executable, "-m", "spiders.crawl_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        # Ctrl-C is for the process that started the crawl: it ends this one when it is done with it.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        job = _job(settings, store, spider, frontier, rules)
        job |= {"gap": pace.gap, "concurrency": pace.concurrency, "is_own": pace.is_own}
        _say(process.stdin, job)
        window = _WINDOW if pace.gap == 0 else max(_POLITE_WINDOW, pace.concurrency)
        feed = _Feed(process.stdin, frontier, store, window=window, gap=pace.gap)
        if frontier.is_listed:
            feed.fill()
        yield _conversation(process.stdout, frontier, feed, counted)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()


def _job(
    settings: Settings, store: Store, spider: str, frontier: PageFrontier, rules: RobotsRules
) -> dict[str, Any]:
    return {
        "spider": spider,
        "store": {
            **asdict(store),
            "shipping": store.shipping.to_json() if store.shipping else None,
            # How prices are taken is decided where offers are normalized, not where pages are read.
            "offer_rules": None,
        },
        "settings": {
            "allow_private_hosts": sorted(settings.allow_private_hosts),
            "never_fetch": sorted(settings.never_fetch),
            "contact": settings.contact,
            "data_dir": str(settings.data_dir),
            "page_seconds": settings.page_seconds,
        },
        "robots": {"state": rules.state, "text": rules.text},
        "is_listed": frontier.is_listed,
        "sitemaps": [asdict(sitemap) for sitemap in frontier.sitemaps],
    }


class _Feed:
    """Hands planned pages to the crawl, a window of them at a time."""

    def __init__(
        self, pipe: IO[str], frontier: PageFrontier, store: Store, *, window: int, gap: float
    ) -> None:
        self._pipe = pipe
        self._frontier = frontier
        self._address = AddressGuard.read(store.url)
        self._window = window
        self._gap = gap
        self._under_way = 0
        self._is_done = False

    def done(self) -> None:
        """The crawl is done with a page."""
        self._under_way -= 1
        if self._under_way * 2 <= self._window:
            self.fill()

    def fill(self) -> None:
        """Hand on as many pages as there is room for; after the last one, say so."""
        if self._is_done:
            return
        pages = self._frontier.take(self._window - self._under_way)
        self._under_way += len(pages)
        lines = []
        for page in pages:
            wait = SHARED_POLITENESS.turn(self._address, self._gap) if self._gap else 0.0
            validators = page.validators
            lines.append(
                [
                    page.position,
                    page.url,
                    validators.etag,
                    validators.last_modified,
                    page.body_digest,
                    time.time() + wait if wait else 0.0,
                ]
            )
        if lines:
            _say(self._pipe, lines)
        if not pages:
            self._is_done = True
            _say(self._pipe, None)


def _say(pipe: IO[str], document: object) -> None:
    # A crawl that died says so by its lines, which end.
    with suppress(BrokenPipeError):
        pipe.write(json.dumps(document) + "\n")
        pipe.flush()


def _conversation(output: IO[str], frontier: PageFrontier, feed: _Feed, counted: Counts) -> Iterator[Line]:
    for line in map(from_line, output):
        if isinstance(line, Listed):
            frontier.list_pages(line.sitemap, line.pages)
        elif isinstance(line, SitemapRead):
            frontier.note_sitemap(line.sitemap, is_unchanged=line.is_unchanged)
        elif isinstance(line, ListingRead):
            frontier.close_listing(line.problem)
            feed.fill()
        elif isinstance(line, VisitedPage):
            yield line
            feed.done()
        elif isinstance(line, Counts):
            yield Counts(
                line.requests + counted.requests,
                line.bytes_received + counted.bytes_received,
                line.not_modified,
                line.pages,
                line.pages_without_offers,
                line.seconds,
            )
        elif isinstance(line, Ending):
            yield replace(line, problem=line.problem or frontier.problem)
        else:
            yield line


def main() -> None:
    """Crawl one store. Standard input stays open as long as somebody wants the result."""
    job = json.loads(sys.stdin.readline())
    # What any library prints goes to standard error: standard output is for lines only.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stored = {**job["store"], "offer_rules": Store.__dataclass_fields__["offer_rules"].default}
    shipping = stored.pop("shipping")
    store = Store(
        **{**stored, "tax_basis": TaxBasis(stored["tax_basis"])},
        shipping=ShippingRule.from_json(shipping) if shipping else None,
    )
    environment = {
        "CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(job["settings"]["allow_private_hosts"]),
        "CLICK2CART_NEVER_FETCH": ",".join(job["settings"]["never_fetch"]),
        "CLICK2CART_CONTACT": job["settings"]["contact"],
        "CLICK2CART_DATA_DIR": job["settings"]["data_dir"],
        "CLICK2CART_PAGE_SECONDS": str(job["settings"]["page_seconds"]),
    }
    settings = Settings.from_env(environment)
    robots = job["robots"]
    SHARED_POLITENESS.keep_rules(
        AddressGuard.read(store.url).origin, read_kept_robots(robots["state"], robots["text"])
    )
    module, _, name = job["spider"].partition(":")
    crawler: Any = getattr(import_module(module), name)
    writer = LineWriter(output)
    if hasattr(crawler, "from_crawler") or is_rendered(store):
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        _crawl_with_scrapy(settings, store, job, writer)
    else:
        asyncio.run(_walk_pages(crawler, settings, store, job, writer))


async def _walk_pages(
    crawler: Any, settings: Settings, store: Store, job: dict[str, Any], writer: LineWriter
) -> None:
    from spiders.crawlers.pages import CrawlJob, PageInbox

    inbox = PageInbox(asyncio.get_running_loop())
    threading.Thread(target=_read_pages, args=(inbox,), daemon=True).start()
    sitemaps = tuple(
        KnownSitemap(known["url"], Validators(**known["validators"]), tuple(known["children"]))
        for known in job["sitemaps"]
    )
    crawl_job = CrawlJob(
        settings=settings,
        store=store,
        concurrency=job["concurrency"],
        is_own=job["is_own"],
        is_listed=job["is_listed"],
        sitemaps=sitemaps,
    )
    writer.write(await crawler(crawl_job, writer, inbox).run())


def _read_pages(inbox: Any) -> None:
    """Hand on what comes in; when nothing more can come, nobody wants the result any more."""
    for line in sys.stdin:
        pages = json.loads(line)
        inbox.put(
            None
            if pages is None
            else [
                (PlannedPage(position, url, Validators(etag, last_modified), digest), at)
                for position, url, etag, last_modified, digest, at in pages
            ]
        )
    os._exit(1)


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _crawl_with_scrapy(settings: Settings, store: Store, job: dict[str, Any], writer: LineWriter) -> None:
    from spiders.scrapy_crawl import crawl_with_scrapy

    crawl_with_scrapy(settings, store, job, writer)


if __name__ == "__main__":
    main()
