"""Fetching many pages of one store at once: the same guard, robots, patience and limits as everywhere, in asyncio."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping

import aiohttp
import httpx
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from aggregator.domain.crawling import Validators
from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError
from aggregator.domain.stores import Store
from aggregator.domain.web_addresses import WebAddress, is_on_site, is_public_ip, join_web_address
from aggregator.fetching import AddressGuard, Answer, Fetcher, RobotsRules, user_agent
from aggregator.fetching.answers import decoded
from aggregator.fetching.fetcher import MAX_REDIRECTS, REDIRECTS
from aggregator.fetching.patience import Patience, failure_of, repeat_words
from aggregator.fetching.politeness import SHARED_POLITENESS, AutoThrottle
from aggregator.settings import Settings

MAX_PAGE_BYTES = 8_000_000
_ATTEMPTS = 3


class PageFetcher:
    """Fetches pages of one store. Counts `requests`, `bytes_received` and `seconds` (of all answers together).

    Use it as an asynchronous context manager, inside of one event loop.
    """

    def __init__(self, settings: Settings, store: Store, *, concurrency: int, throttle: AutoThrottle) -> None:
        self.requests = 0
        self.bytes_received = 0
        self.seconds = 0.0
        # Why pages were asked for again, and how often.
        self.repeats: Counter[str] = Counter()
        self._guard = AddressGuard(settings)
        self._store = store
        self._resumes_at = 0.0
        self._throttle = throttle
        self._robots = _RobotsReader(settings)
        # What was found out of an address before its path, by "scheme://host:port".
        self._known: dict[str, tuple[WebAddress, bool]] = {}
        resolver = _GuardedResolver(self._guard)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=concurrency,
                resolver=resolver,
                socket_factory=resolver.socket_for,
                ssl=httpx.create_ssl_context(trust_env=False),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=settings.page_seconds, sock_connect=15, sock_read=20),
            headers={
                "User-Agent": user_agent(settings),
                "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
                "Accept-Encoding": "gzip, deflate",
            },
        )

    async def __aenter__(self) -> PageFetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._robots.close()

    @property
    def all_requests(self) -> int:
        """Requests with those for further robots files."""
        return self.requests + self._robots.requests

    @property
    def all_bytes(self) -> int:
        """Bytes received with those of further robots files."""
        return self.bytes_received + self._robots.bytes_received

    async def get(self, url: str, validators: Validators) -> Answer:
        """The answer of whatever status, after redirects and retries; 304 where nothing changed.

        Raises as `Fetcher.get` does; FetchRefused also for an address that is not on the store's site.
        """
        patience = Patience(_ATTEMPTS)
        while True:
            await self._rest()
            failure: FetchFailed | None
            try:
                answer = await self._follow(url, validators)
            except (aiohttp.ClientError, OSError) as error:
                # A refused connection arrives wrapped; what the guard said is its cause.
                for cause in (error, error.__cause__, getattr(error, "os_error", None)):
                    if isinstance(cause, _Refused):
                        raise cause.refusal from error
                failure = FetchFailed(url, f"cannot be reached: {str(error) or type(error).__name__}")
            else:
                failure = failure_of(answer.url, answer.status, answer.headers)
                if failure is None:
                    return answer
            pause = patience.pause_after(failure)
            self.repeats[repeat_words(failure)] += 1
            self._resumes_at = max(self._resumes_at, time.monotonic() + pause)

    async def _rest(self) -> None:
        # Whoever asked for patience last counts, so look again after each rest.
        while (rest := self._resumes_at - time.monotonic()) > 0:
            await asyncio.sleep(rest)
        if (gap := self._throttle.gap) > 0:
            await asyncio.sleep(gap)

    async def _follow(self, url: str, validators: Validators) -> Answer:
        headers = validators.headers()
        for _ in range(MAX_REDIRECTS + 1):
            await self._check(url)
            answer = await self._ask(url, headers)
            target = answer.headers.get("location") if answer.status in REDIRECTS else None
            if target is None:
                return answer
            joined = join_web_address(url, target)
            if joined is None:
                raise FetchRefused(url, "redirects to an address that is not fetched")
            # What was known of the first address says nothing of another.
            url, headers = joined, {}
        raise FetchRefused(url, f"redirects more than {MAX_REDIRECTS} times")

    async def _check(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        place = f"{scheme}://{rest.partition('/')[0]}"
        known = self._known.get(place)
        if known is None or "\\" in url or "@" in place:
            address = self._guard.check(url)
            known = self._known[place] = (address, is_on_site(url, self._store.url))
        address, is_at_home = known
        if not is_at_home:
            raise FetchRefused(url, "is not on the store's site")
        rules = SHARED_POLITENESS.kept_rules(address.origin)
        if rules is None:
            rules = await asyncio.to_thread(self._robots.read, url)
        if not rules.allows(url):
            raise FetchRefused(url, "robots.txt forbids it")

    async def _ask(self, url: str, headers: Mapping[str, str]) -> Answer:
        self.requests += 1
        began = time.monotonic()
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                raw = bytearray()
                async for chunk in response.content.iter_any():
                    raw += chunk
                    self.bytes_received += len(chunk)
                    if len(raw) > MAX_PAGE_BYTES:
                        raise FetchRefused(url, f"is larger than {MAX_PAGE_BYTES:,} bytes")
                fields = {name.lower(): value for name, value in response.headers.items()}
                status = response.status
        finally:
            took = time.monotonic() - began
            self.seconds += took
            self._throttle.note(took)
        encoding = fields.get("content-encoding", "")
        body = bytes(raw)
        if encoding and status not in REDIRECTS:
            body = b"".join(decoded([body], url=url, encoding=encoding, max_bytes=MAX_PAGE_BYTES))
        return Answer(url, status, fields, body)


class _Refused(OSError):
    """Carries the guard's word through aiohttp."""

    def __init__(self, refusal: FetchRefused) -> None:
        self.refusal = refusal
        super().__init__(str(refusal))


class _GuardedResolver(AbstractResolver):
    """Gives aiohttp the checked addresses of a host, which it then connects to."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._resolved: set[tuple[str, int]] = set()

    def socket_for(self, found: AddrInfoType) -> socket.socket:
        """A socket for a connection about to be made: its address is looked at once more, however it was found."""
        ip, port = str(found[4][0]), int(found[4][1])
        address = WebAddress("http", ip, port)
        is_known = (ip, port) in self._resolved or self._guard.is_allowed_private(address)
        if not is_known and not is_public_ip(ip):
            raise _Refused(FetchRefused(address.authority, "is no address of the open internet"))
        return socket.socket(found[0], found[1], found[2])

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError where the guard refuses or the name is unknown."""
        try:
            found = await asyncio.to_thread(self._guard.resolve, host, port)
        except FetchRefused as error:
            raise _Refused(error) from error
        except UnicodeError as error:
            raise OSError(f"the name {host} cannot be resolved") from error
        self._resolved.update((address, port) for address in found)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


class _RobotsReader:
    """Reads the robots.txt of a further host that the store redirects to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fetcher: Fetcher | None = None
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        return self._fetcher.requests if self._fetcher else 0

    @property
    def bytes_received(self) -> int:
        return self._fetcher.bytes_received if self._fetcher else 0

    def read(self, url: str) -> RobotsRules:
        with self._lock:
            self._fetcher = self._fetcher or Fetcher(self._settings)
            return self._fetcher.robots(url)

    def close(self) -> None:
        if self._fetcher is not None:
            self._fetcher.close()


def failure_words(error: Exception) -> str:
    """Why a page did not answer, short enough to stand behind its address."""
    if isinstance(error, FetchFailed) and error.status is not None:
        return f"HTTP {error.status}"
    return error.problem if isinstance(error, StoreError) else type(error).__name__
