"""Walking the pages of a store: listed by its sitemaps, planned by the process that started us, fetched and read here.

An asyncio loop of its own in place of Scrapy's engine, which costs several times what a page costs to read.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from aggregator.domain.crawling import (
    KnownSitemap,
    PageVisit,
    PlannedPage,
)
from aggregator.domain.errors import FetchRefused, StoreError, Throttled
from aggregator.domain.offers import RawOffer
from aggregator.domain.stores import Store
from aggregator.fetching import Fetcher
from aggregator.fetching.politeness import AutoThrottle
from aggregator.settings import Settings
from spiders.crawlers.page_fetching import PageFetcher, failure_words
from spiders.item_lines import (
    Counts,
    Ending,
    LineWriter,
    ListingRead,
    VisitedPage,
)
from spiders.page_reading import read_offers, read_visit, refusal_outcome
from spiders.sitemaps import SitemapListing

MOST_PAGES = 250_000
_GONE = frozenset({404, 410})
# So many pages in a row without an answer, and the store is down rather than a page.
GIVE_UP_AFTER = 20
_COUNTS_EVERY = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlJob:
    """What to crawl and how: `sitemaps` are known from before; the listing is left out where it `is_listed`."""

    settings: Settings
    store: Store
    concurrency: int = 1
    is_own: bool = False
    is_listed: bool = False
    sitemaps: tuple[KnownSitemap, ...] = field(default=())


class PageInbox:
    """Pages to fetch as they come in from the process that plans them; a thread puts, the crawl takes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pages: asyncio.Queue[tuple[PlannedPage, float] | None] = asyncio.Queue()

    def put(self, pages: list[tuple[PlannedPage, float]] | None) -> None:
        """Pages, each with the time it may be asked for (seconds of `time.time`); None says that was all."""
        # A loop that was closed meanwhile wants nothing more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put, pages if pages is not None else [None])

    def _put(self, pages: Sequence[tuple[PlannedPage, float] | None]) -> None:
        for page in pages:
            self._pages.put_nowait(page)

    @property
    def is_empty(self) -> bool:
        """Whether taking means waiting."""
        return self._pages.empty()

    async def take(self) -> tuple[PlannedPage, float] | None:
        """The next page; None, to all who ask, after the last one."""
        page = await self._pages.get()
        if page is None:
            self._pages.put_nowait(None)
        return page


class PageCrawl:
    """One crawl. Complete where every sitemap was read and every page answered; 404 and 410 are answers."""

    def __init__(self, job: CrawlJob, writer: LineWriter, inbox: PageInbox) -> None:
        self.problem: str | None = None
        self._job = job
        self._writer = writer
        self._inbox = inbox
        self._listing_requests = self._listing_bytes = 0
        self._listing_repeats: Counter[str] = Counter()
        self._pages = self._not_modified = self._without_offers = 0
        self._reading_seconds = 0.0
        self._failures_in_a_row = 0
        self._is_over = False
        self._retry_after: float | None = None
        self._since_counts = 0

    async def run(self) -> Ending:
        """List, fetch, read and write lines until everything planned is done or the store is down."""
        if not self._job.is_listed:
            await asyncio.to_thread(self._list)
        throttle = AutoThrottle(is_own=self._job.is_own)
        fetcher = PageFetcher(
            self._job.settings, self._job.store, concurrency=self._job.concurrency, throttle=throttle
        )
        async with fetcher:
            workers = [asyncio.create_task(self._work(fetcher)) for _ in range(self._job.concurrency)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
            self._writer.write(self._counts(fetcher))
        return Ending(self.problem, self._retry_after, dict(self._listing_repeats + fetcher.repeats))

    def _list(self) -> None:
        problem: str | None = None
        store = self._job.store
        known = {sitemap.url: sitemap for sitemap in self._job.sitemaps}
        with Fetcher(self._job.settings) as fetcher:
            listing = SitemapListing(
                fetcher,
                store.url,
                sitemap_url=store.options.get("sitemap_url"),
                most_pages=MOST_PAGES,
                known=known,
            )
            try:
                for found in listing.read():
                    self._writer.write(found)
            except StoreError as error:
                problem = str(error)
                if isinstance(error, Throttled):
                    self._retry_after = error.retry_after
            self._listing_requests, self._listing_bytes = fetcher.requests, fetcher.bytes_received
            self._listing_repeats = fetcher.repeats
        problem = problem or listing.problem
        if problem:
            self._note(problem)
        self._writer.write(ListingRead(problem))

    async def _work(self, fetcher: PageFetcher) -> None:
        while not self._is_over and (taken := await self._inbox.take()) is not None:
            page, not_before = taken
            if (wait := not_before - time.time()) > 0:
                await asyncio.sleep(min(wait, 600.0))
            if self._is_over:
                return
            visited = await self._visit(page, fetcher)
            self._since_counts += 1
            if self._since_counts == _COUNTS_EVERY:
                self._since_counts = 0
                self._writer.write(self._counts(fetcher))
            self._writer.write_soon(visited)
            if self._inbox.is_empty:
                self._writer.flush()

    async def _visit(self, page: PlannedPage, fetcher: PageFetcher) -> VisitedPage:
        try:
            answer = await fetcher.get(page.url, page.validators)
            if answer.status not in _GONE and answer.status != 304:
                answer.expect_ok()
        except StoreError as error:
            return VisitedPage(self._failed(page, error))
        self._failures_in_a_row = 0
        if answer.status in _GONE:
            return VisitedPage(PageVisit(position=page.position, outcome="gone"))
        began = time.perf_counter()
        offers, visit = read_visit(page, answer, lambda answer: read_offers(answer, self._job.store))
        self._reading_seconds += time.perf_counter() - began
        self._not_modified += answer.status == 304
        self._pages += answer.status == 200
        self._without_offers += visit.outcome in {"read", "barren"} and not any(
            isinstance(offer, RawOffer) for offer in offers
        )
        return VisitedPage(visit, tuple(offers))

    def _failed(self, page: PlannedPage, error: StoreError) -> PageVisit:
        """A page closed to us or leading elsewhere is no failure; many others in a row mean that the store is down."""
        if isinstance(error, FetchRefused):
            return PageVisit(position=page.position, outcome=refusal_outcome(error))
        self._failures_in_a_row += 1
        self._note(f"{page.url}: did not answer ({failure_words(error)})")
        if isinstance(error, Throttled) and error.retry_after is not None:
            self._retry_after = error.retry_after
            self._is_over = True
        if self._failures_in_a_row >= GIVE_UP_AFTER:
            self.problem = (
                f"{self._job.store.url}: {self._failures_in_a_row} pages in a row did not answer "
                f"({failure_words(error)}), the rest was left alone"
            )
            self._is_over = True
        return PageVisit(position=page.position, outcome="failed")

    def _counts(self, fetcher: PageFetcher) -> Counts:
        return Counts(
            requests=self._listing_requests + fetcher.all_requests,
            bytes_received=self._listing_bytes + fetcher.all_bytes,
            not_modified=self._not_modified,
            pages=self._pages,
            pages_without_offers=self._without_offers,
            seconds={"fetching": fetcher.seconds, "reading": self._reading_seconds},
        )

    def _note(self, problem: str) -> None:
        self.problem = self.problem or problem
