"""The side that starts a crawl process: it reads the lines and decides, beside the database, what is fetched."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import IO, Any

from aggregator.domain.errors import StoreError, Throttled
from aggregator.domain.stores import Store
from aggregator.fetching import AddressGuard, Fetcher, RobotsRules
from aggregator.fetching.politeness import SHARED_POLITENESS
from aggregator.settings import Settings
from spiders.frontier import PageFrontier
from spiders.item_lines import (
    Counts,
    Ending,
    Line,
    Listed,
    ListingRead,
    SitemapRead,
    VisitedPage,
    from_line,
)
from spiders.store_options import crawl_pace

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
