"""Pages as a browser shows them: whatever they ask for is fetched by the guarded fetcher, within limits."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error as BrowserError
from playwright.async_api import Page, Route
from scrapy.http import Request, Response, TextResponse
from scrapy_playwright.handler import ScrapyPlaywrightDownloadHandler
from scrapy_playwright.page import PageMethod

from aggregator.domain.errors import FetchRefused, StoreError
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import Answer, Fetcher
from spiders.crawlers.base import StoreSpider
from spiders.http import app_settings_of

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

logger = logging.getLogger(__name__)

PAGE_SECONDS = 25.0
PAGE_REQUESTS = 60
PAGE_BYTES = 20_000_000
_SETTLING_MS = 8_000
_HTML_BYTES = 8_000_000
_KEPT_FILES = 40
_FETCHED = frozenset({"script", "stylesheet", "xhr", "fetch"})
_SAME_ON_EVERY_PAGE = frozenset({"script", "stylesheet"})
# They speak of the connection that the body came over, or would open one of the browser's own.
_NOT_HANDED_ON = frozenset(
    "alt-svc clear-site-data connection content-encoding content-length keep-alive link refresh report-to "
    "reporting-endpoints set-cookie transfer-encoding".split()
)


def abort(request: Any) -> bool:
    """Nothing that our own handler has not answered is let through."""
    return True


class _Visit:
    """One page in the browser: its limits, and the answers to what it asks for."""

    def __init__(self, handler: GuardedBrowserHandler, fetched: TextResponse) -> None:
        self._handler = handler
        self._fetched = fetched
        self._is_opened = False
        self.is_over = False
        self.page: Page | None = None
        self.ends_at = time.monotonic() + PAGE_SECONDS
        self.requests_left = PAGE_REQUESTS
        self.bytes_left = PAGE_BYTES

    async def prepare(self, page: Page, request: Request) -> None:
        """As scrapy-playwright calls it before the page is opened."""
        self.page = page
        page.on("popup", lambda popup: popup.close())
        await page.route("**/*", self._answer)

    async def _answer(self, route: Route) -> None:
        with suppress(BrowserError):  # the page may be closed by now
            asked = route.request
            if asked.method == "GET" and asked.resource_type == "document" and not self._is_opened:
                self._is_opened = True
                html = self._fetched.text.encode("utf-8", "replace")
                await route.fulfill(status=200, content_type="text/html; charset=utf-8", body=html)
                return
            answer = None
            if asked.method == "GET" and asked.resource_type in _FETCHED:
                answer = await self._handler.fetch(self, asked.url, asked.resource_type)
            if answer is None:
                await route.abort("blockedbyclient")
                return
            headers = {name: value for name, value in answer.headers.items() if name not in _NOT_HANDED_ON}
            await route.fulfill(status=answer.status, headers=headers, body=answer.body)

    async def settle(self, page: Page) -> None:
        """Wait until it asks for nothing more. Raises FetchRefused for a page too large to be taken over."""
        with suppress(BrowserError):
            await page.wait_for_load_state("networkidle", timeout=_SETTLING_MS)
        if await page.evaluate("document.documentElement.outerHTML.length") > _HTML_BYTES:
            raise FetchRefused(self._fetched.url, f"is larger than {_HTML_BYTES:,} bytes when rendered")


class GuardedBrowserHandler(ScrapyPlaywrightDownloadHandler):  # type: ignore[misc]  # ships no types
    """Scrapy's downloads; `fetched_page` in a request's meta is opened in the browser, one page at a time."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler=crawler)
        self._one_page = asyncio.Lock()
        # The fetcher belongs to one thread.
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._fetching_for: _Visit | None = None
        self._kept: dict[str, Answer] = {}
        spider = crawler.spider
        assert isinstance(spider, StoreSpider)
        self._store_spider = spider
        self._counted = (0, 0)
        settings = app_settings_of(crawler)
        own = settings.allow_private_hosts & {read_web_address(spider.store.url).authority}
        # A page may not make us ask other private hosts, though the operator allows them for other stores.
        self._fetcher = Fetcher(replace(settings, allow_private_hosts=own), sleep=self._sleep)

    async def download_request(self, request: Request) -> Response:
        """Raises TimeoutError for a page that does not come to an end."""
        fetched = request.meta.get("fetched_page")
        if fetched is None:
            response: Response = await super().download_request(request)
            return response
        async with self._one_page:
            visit = _Visit(self, fetched)
            request.meta.update(
                playwright=True,
                playwright_context_kwargs={"service_workers": "block", "accept_downloads": False},
                playwright_page_init_callback=visit.prepare,
                playwright_page_goto_kwargs={"wait_until": "domcontentloaded"},
                playwright_page_methods=[PageMethod(visit.settle)],
            )
            try:
                async with asyncio.timeout(PAGE_SECONDS):
                    rendered: Response = await super().download_request(request)
            finally:
                visit.is_over = True
                # Scrapy counts a request for the page, which was not made again.
                self._count(-1)
                if visit.page is not None and not visit.page.is_closed():
                    await self._close_page(visit.page)
        # A script may have changed the address that the browser shows.
        return rendered.replace(url=request.url)

    async def fetch(self, visit: _Visit, url: str, kind: str) -> Answer | None:
        """What the guarded fetcher gets for a request of the page; None for nothing."""
        visit.requests_left -= 1
        if visit.requests_left < 0:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._fetch, visit, url, kind)

    def _fetch(self, visit: _Visit, url: str, kind: str) -> Answer | None:
        if url in self._kept:
            return self._kept[url]
        self._fetching_for = visit
        try:
            self._sleep(0)
            left = visit.ends_at - time.monotonic()
            answer = self._fetcher.get(url, max_bytes=visit.bytes_left, max_seconds=left)
        except StoreError as error:
            logger.info("a page does without %s", error)
            return None
        visit.bytes_left -= len(answer.body)
        if kind in _SAME_ON_EVERY_PAGE and answer.status == 200 and len(self._kept) < _KEPT_FILES:
            self._kept[url] = answer
        return answer

    def _sleep(self, seconds: float) -> None:
        """The fetcher's pauses. Raises FetchRefused for one that would outlast the page."""
        visit = self._fetching_for
        if visit is None or visit.is_over or time.monotonic() + seconds > visit.ends_at:
            raise FetchRefused(self._store_spider.store.url, "the time for a page is up")
        time.sleep(seconds)

    def _count(self, more: int = 0) -> None:
        """Tell the spider what was fetched beside Scrapy."""
        requests, received = self._fetcher.requests, self._fetcher.bytes_received
        self._store_spider.extra_requests += requests - self._counted[0] + more
        self._store_spider.extra_bytes += received - self._counted[1]
        self._counted = (requests, received)

    async def _close_page(self, page: Page) -> None:
        """A page that cannot even be closed takes its browser with it; the next one starts anew."""
        try:
            async with asyncio.timeout(5.0):
                await page.close()
        except (BrowserError, TimeoutError):
            with suppress(BrowserError, AttributeError):
                await self.browser.close()

    async def close(self) -> None:
        """Close the browser and what was fetched with."""
        await super().close()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._fetcher.close()
        self._count()
