"""The sitemap spider: every page that the store's sitemaps list, read by the page objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
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
from spiders.pages import select_page
from spiders.sitemaps import SitemapListing
from spiders.untrusted import refused

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

    def parse(self, response: Response, **kwargs: Any) -> Iterator[RawOffer | InvalidOffer]:
        """The offers of one page; a page that breaks its reader is kept as unreadable, never lost."""
        if not isinstance(response, TextResponse):
            return
        try:
            offers = select_page(response, self.store.reading_rules).to_raw_offers()
        except Exception as error:  # a hostile page must not end the crawl
            self.logger.exception("cannot read %s", response.url)
            detail = f"{type(error).__name__}: {error}"[:200]
            offers = [
                refused("unreadable_page", {}, external_id=response.url, url=response.url, detail=detail)
            ]
        by_address = self.store.options.get("offer_key") == "url"
        for offer in offers:
            is_keyed_anew = by_address and isinstance(offer, RawOffer) and offer.url
            yield replace(offer, external_id=offer.url) if is_keyed_anew else offer

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
