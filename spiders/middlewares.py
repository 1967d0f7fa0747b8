"""Downloader middlewares: what may be requested at all, and patience with a store that asks for it."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response

from aggregator.domain.errors import StoreError
from aggregator.domain.web_addresses import is_on_site
from aggregator.fetching import Fetcher, RobotsRules, retry_after_seconds
from aggregator.fetching.patience import LONGEST_PAUSE
from aggregator.fetching.politeness import SHARED_POLITENESS
from spiders.crawlers.base import StoreSpider
from spiders.http import app_settings_of, guard_of

if TYPE_CHECKING:
    from scrapy.crawler import Crawler


class GuardMiddleware:
    """Lets through what the guard and robots.txt allow on the store's own site; redirects come here again."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._guard = guard_of(crawler)
        self._fetcher = Fetcher(app_settings_of(crawler))
        self._fetching = threading.Lock()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """As Scrapy builds middlewares."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Raises IgnoreRequest for what must not be requested."""
        spider = self._crawler.spider
        if isinstance(spider, StoreSpider) and not is_on_site(request.url, spider.store.url):
            raise IgnoreRequest(f"{request.url} is not on the store's site")
        try:
            address = self._guard.check(request.url)
            # Of the store's own host they are known from the start; a redirect may lead to another.
            rules = SHARED_POLITENESS.kept_rules(address.origin)
            if rules is None:
                rules = await asyncio.to_thread(self._fetch_rules, request.url)
        except StoreError as error:
            raise IgnoreRequest(str(error)) from error
        if not rules.allows(request.url):
            raise IgnoreRequest(f"{request.url}: robots.txt forbids it")

    def _fetch_rules(self, url: str) -> RobotsRules:
        with self._fetching:
            return self._fetcher.robots(url)


class PatientRetryMiddleware(RetryMiddleware):
    """Retries as Scrapy does, but lets the host rest first: as long as Retry-After asks, else longer each time."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self._resumes_at: dict[str, float] = {}

    async def process_request(self, request: Request) -> None:
        """Wait while the host rests."""
        while (rest := self._resumes_at.get(_host(request), 0.0) - time.monotonic()) > 0:
            await asyncio.sleep(rest)

    def process_response(
        self, request: Request, response: Response, spider: Any = None
    ) -> Request | Response:
        """Note the rest that the store asks for; one longer than our patience is a failure at once."""
        if response.status in self.retry_http_codes:
            header = response.headers.get("Retry-After")
            asked = retry_after_seconds(header.decode("latin-1")) if header else None
            if asked is not None and asked > LONGEST_PAUSE:
                return response
            attempts = int(request.meta.get("retry_times", 0)) + 1
            pause = asked if asked is not None else 0.5 * 2**attempts * random.uniform(0.8, 1.2)
            host = _host(request)
            self._resumes_at[host] = max(self._resumes_at.get(host, 0.0), time.monotonic() + pause)
        return super().process_response(request, response)


def _host(request: Request) -> str:
    return request.url.partition("//")[2].partition("/")[0]
