"""The sitemap spider: every page that the store's sitemaps list, read by the page objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response, TextResponse
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from aggregator.domain.errors import StoreError
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.fetching import Fetcher
from spiders.crawlers.base import StoreSpider
from spiders.page_reading import read_offers
from spiders.sitemaps import SitemapListing
from spiders.store_options import is_rendered

MOST_PAGES = 50_000
_GONE = frozenset({404, 410})


class SitemapSpider(StoreSpider):
    """Complete where every sitemap was read and every listed page answered; 404 and 410 are answers."""

    name = "sitemap"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.failed_pages = 0

    async def start(self) -> AsyncIterator[Any]:
        """A request for each listed page."""
        for url in await asyncio.to_thread(self._list_pages):
            yield scrapy.Request(url, callback=self.parse, errback=self.page_failed)

    def _list_pages(self) -> list[str]:
        with Fetcher(self.app_settings) as fetcher:
            listing = SitemapListing(
                fetcher,
                self.store.url,
                sitemap_url=self.store.options.get("sitemap_url"),
                most_pages=MOST_PAGES,
            )
            pages: list[str] = []
            try:
                pages.extend(listing.pages())
            except StoreError as error:
                self.note_problem(str(error))
            self.extra_requests += fetcher.requests
            self.extra_bytes += fetcher.bytes_received
        if listing.problem:
            self.note_problem(listing.problem)
        return pages

    def parse(self, response: Response, **kwargs: Any) -> Iterator[RawOffer | InvalidOffer | scrapy.Request]:
        """The offers of one page; a page that scripts make is asked for again as a browser shows it."""
        if not isinstance(response, TextResponse):
            return
        offers = self._read(response)
        is_fetched = "fetched_page" not in response.meta
        if is_fetched and is_rendered(self.store) and any(map(_needs_browser, offers)):
            yield scrapy.Request(
                response.url,
                callback=self.parse,
                errback=self.rendering_failed,
                dont_filter=True,
                # Before further pages, so that those fetched already do not pile up.
                priority=1,
                meta={"fetched_page": response, "dont_retry": True},
            )
            return
        yield from offers

    def _read(self, response: TextResponse) -> list[RawOffer | InvalidOffer]:
        return read_offers(response, self.store)

    def rendering_failed(self, failure: Failure) -> Iterator[RawOffer | InvalidOffer]:
        """Count the page, and keep what it was without a browser."""
        self.page_failed(failure)
        yield from self._read(failure.request.meta["fetched_page"])  # type: ignore[attr-defined]  # Scrapy adds it

    def page_failed(self, failure: Failure) -> None:
        """Count a page that did not answer; one that is gone or closed to us is no failure."""
        error = failure.value
        if isinstance(error, HttpError) and error.response.status in _GONE:
            return
        if isinstance(error, IgnoreRequest) and not isinstance(error, HttpError):
            return
        self.failed_pages += 1
        url = getattr(getattr(failure, "request", None), "url", self.store.url)
        said = f"HTTP {error.response.status}" if isinstance(error, HttpError) else type(error).__name__
        self.note_problem(f"{url}: did not answer ({said})")


def _needs_browser(offer: RawOffer | InvalidOffer) -> bool:
    return isinstance(offer, InvalidOffer) and offer.reason == "needs_browser"
