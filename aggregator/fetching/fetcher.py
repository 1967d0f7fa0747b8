"""The fetcher: guarded, polite, bounded in size, time and redirects."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import httpx

from aggregator.domain.crawling import NO_VALIDATORS, Validators
from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.web_addresses import WebAddress, join_web_address
from aggregator.fetching.answers import Answer, decoded, gunzipped_if_gzip
from aggregator.fetching.guard import AddressGuard, Deadline, GuardedTransport
from aggregator.fetching.patience import Patience, failure_of, repeat_words
from aggregator.fetching.politeness import (
    AGENT,
    ROBOTS_MAX_BYTES,
    SHARED_POLITENESS,
    AutoThrottle,
    Politeness,
    RobotsRules,
    read_robots,
)
from aggregator.settings import Settings

MAX_REDIRECTS = 5
_ATTEMPTS = 3
_NEVER = float("inf")
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_THE_BODY = frozenset({307, 308})


def user_agent(settings: Settings) -> str:
    """How every request names us, with the operator's contact where one is set."""
    contact = "".join(
        character for character in settings.contact if character.isascii() and character.isprintable()
    )
    return f"{AGENT}/{version('click2cart')}" + (f" (+{contact})" if contact else "")


@dataclass(frozen=True, slots=True)
class _Question:
    """What is sent to an address; a question with a body is posted."""

    headers: Mapping[str, str]
    body: bytes | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    def unconditional(self) -> _Question:
        """The question without what only its first address can answer."""
        kept = {name: value for name, value in self.headers.items() if not name.startswith("If-")}
        return _Question(kept, self.body)


_PLAIN = _Question({})


@dataclass(frozen=True, slots=True)
class _Arrival:
    response: httpx.Response
    url: str
    is_downgraded: bool


@dataclass(frozen=True, slots=True)
class Download:
    """A long file as it arrives. Where it `is_unchanged` there are no pieces."""

    is_unchanged: bool
    validators: Validators
    pieces: Iterator[bytes]


class Fetcher:
    """Fetches for one job in one thread; use it as a context manager. Counts `requests`, `bytes_received`,
    `not_modified` (answers 304) and `seconds` (waiting for turns and answers).

    `budget` is the most requests it will make, robots.txt and redirects included. `within` is how many seconds from
    now all of them must be over, waiting included: then nothing is asked twice, and what comes later fails at once.
    Without `keep_gaps` two requests to one host need no rest between them: what is handed over is no crawl.
    `transport` and `sleep` are there for tests; a fetcher with its own transport keeps its own robots rules, too.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        obey_robots: bool = True,
        keep_gaps: bool = True,
        budget: int | None = None,
        within: float | None = None,
        transport: httpx.BaseTransport | None = None,
        politeness: Politeness | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.requests = 0
        self.bytes_received = 0
        self.not_modified = 0
        # Why requests were made again, and how often.
        self.repeats: Counter[str] = Counter()
        self.seconds = 0.0
        self._guard = AddressGuard(settings)
        self._feed_seconds = float(settings.feed_seconds)
        self._deadline = Deadline()
        self._throttles: dict[str, AutoThrottle] = {}
        self._obeys_robots = obey_robots
        self._keeps_gaps = keep_gaps
        self._budget = budget
        self._ends_at = _NEVER if within is None else time.monotonic() + within
        self._politeness = politeness or (Politeness() if transport else SHARED_POLITENESS)
        self._sleep = sleep
        self._client = httpx.Client(
            transport=transport or GuardedTransport(self._guard, self._deadline),
            trust_env=False,
            timeout=httpx.Timeout(20.0),
            headers={
                "User-Agent": user_agent(settings),
                "Accept": "*/*",
                "Accept-Encoding": "gzip, deflate",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 20_000_000,
        max_seconds: float = 60.0,
        is_cut: bool = False,
    ) -> Answer:
        """The answer of whatever status, after redirects and retries.

        With `is_cut` a longer body than `max_bytes` is cut off there instead of refused.

        Raises FetchRefused (guard, robots.txt, budget, size), Throttled (the store's patience request is
        longer than ours), FetchFailed (network, or 5xx again and again) and UnreadableAnswer (broken coding).
        """
        return self._ask(url, _Question(headers or {}), max_bytes, max_seconds, is_cut)

    def get_json(
        self, url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int = 50_000_000
    ) -> tuple[Answer, Any]:
        """An answer of status 200 and its JSON document; asked once more where it cannot be read.

        Raises as `get` does, FetchFailed for another status and UnreadableAnswer for what is no JSON.
        """
        try:
            answer = self.get(url, headers=headers, max_bytes=max_bytes).expect_ok()
            return answer, answer.json()
        except UnreadableAnswer:
            self.repeats["could not be read"] += 1
            answer = self.get(url, headers=headers, max_bytes=max_bytes).expect_ok()
            return answer, answer.json()

    def post_json(
        self,
        url: str,
        document: Any,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 50_000_000,
        max_seconds: float = 60.0,
    ) -> Answer:
        """The answer of whatever status to a posted JSON document; for questions that change nothing.

        It may be sent again where no answer came. Redirects are followed within the origin, and only those
        that keep the body (307, 308). Raises as `get` does.
        """
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return self._post(url, "application/json", body, headers, max_bytes, max_seconds)

    def post_bytes(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 100_000,
        max_seconds: float = 60.0,
    ) -> Answer:
        """As `post_json`, with bytes that are no text to us: what is encrypted for whoever reads it."""
        return self._post(url, "application/octet-stream", body, headers, max_bytes, max_seconds)

    def post_form(
        self, url: str, fields: Mapping[str, str], *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """As `post_json`, with the fields of a form: what OAuth asks for tokens with."""
        body = urlencode(fields).encode()
        return self._post(url, "application/x-www-form-urlencoded", body, headers, 1_000_000, 60.0)

    def _post(
        self,
        url: str,
        content_type: str,
        body: bytes,
        headers: Mapping[str, str] | None,
        max_bytes: int,
        max_seconds: float,
    ) -> Answer:
        question = _Question({"Content-Type": content_type, **(headers or {})}, body)
        return self._ask(url, question, max_bytes, max_seconds, is_cut=False)

    def _ask(self, url: str, question: _Question, max_bytes: int, max_seconds: float, is_cut: bool) -> Answer:
        try:
            return self._ask_once(url, question, max_bytes, max_seconds, is_cut)
        except FetchFailed as error:
            if error.status is not None or not isinstance(error.__cause__, httpx.TransportError):
                raise
            # It broke off in the middle of its body, once may be chance.
            self.repeats["broke off"] += 1
            return self._ask_once(url, question, max_bytes, max_seconds, is_cut)

    def _ask_once(
        self, url: str, question: _Question, max_bytes: int, max_seconds: float, is_cut: bool
    ) -> Answer:
        with self._arriving(url, question, max_seconds, _ATTEMPTS) as arrival:
            body = self._beginning(arrival, max_bytes) if is_cut else b"".join(self._body(arrival, max_bytes))
            self.not_modified += arrival.response.status_code == 304
            return Answer(
                arrival.url,
                arrival.response.status_code,
                {name.lower(): value for name, value in arrival.response.headers.items()},
                body,
                arrival.is_downgraded,
            )

    def stream(
        self, url: str, *, max_bytes: int = 2_000_000_000, max_seconds: float | None = None
    ) -> Iterator[bytes]:
        """The pieces of a long file, a gzip file's content decompressed; only status 200 will do.

        `max_bytes` counts after decompression. Raises as `get` does, also in the middle.
        """
        with self.download(url, max_bytes=max_bytes, max_seconds=max_seconds) as download:
            yield from download.pieces

    @contextmanager
    def download(
        self,
        url: str,
        *,
        validators: Validators = NO_VALIDATORS,
        max_bytes: int = 2_000_000_000,
        max_seconds: float | None = None,
    ) -> Iterator[Download]:
        """A long file, asked for only if it changed since `validators` were given; limits and errors as of `stream`."""
        question = _Question(validators.headers())
        with self._arriving(url, question, max_seconds or self._feed_seconds, _ATTEMPTS) as arrival:
            status = arrival.response.status_code
            if status == 304 and question.headers:
                self.not_modified += 1
                yield Download(True, validators, iter(()))
                return
            if status != 200:
                raise FetchFailed(arrival.url, f"answered HTTP {status}", status=status)
            headers = {name.lower(): value for name, value in arrival.response.headers.items()}
            # What another address said of itself cannot be asked of this one.
            given = Validators.of(headers) if arrival.url == url else NO_VALIDATORS
            yield Download(False, given, self._contents(arrival, max_bytes))

    def _contents(self, arrival: _Arrival, max_bytes: int) -> Iterator[bytes]:
        total = 0
        for piece in gunzipped_if_gzip(self._body(arrival, max_bytes), url=arrival.url):
            total += len(piece)
            if total > max_bytes:
                raise FetchRefused(arrival.url, f"is larger than {max_bytes:,} bytes")
            yield piece

    def robots(self, url: str) -> RobotsRules:
        """The robots.txt rules of the origin of `url`: fetched once, kept for 24 hours."""
        address = self._guard.check(url)
        kept = self._politeness.kept_rules(address.origin)
        if kept is not None:
            return kept
        try:
            with self._arriving(f"{address.origin}/robots.txt", _PLAIN, 20.0, 2, is_robots=True) as arrival:
                body = self._robots_body(arrival)
                rules = read_robots(arrival.response.status_code, body)
                final = self._guard.check(arrival.url)
                if arrival.url == f"{final.origin}/robots.txt":
                    # A redirect led to another origin's own file ("www."), which need not be asked for again.
                    self._politeness.keep_rules(final.origin, rules)
        except FetchRefused:
            raise
        except StoreError as error:
            rules = read_robots(error.status if isinstance(error, FetchFailed) else None, "", error.problem)
        self._politeness.keep_rules(address.origin, rules)
        return rules

    def _robots_body(self, arrival: _Arrival) -> str:
        if arrival.response.status_code >= 300:
            return ""
        return self._beginning(arrival, ROBOTS_MAX_BYTES).decode("utf-8-sig", "replace")

    def _beginning(self, arrival: _Arrival, length: int) -> bytes:
        body = bytearray()
        for piece in self._body(arrival, length + (1 << 20)):
            body += piece
            if len(body) >= length:
                break
        return bytes(body[:length])

    @contextmanager
    def _arriving(
        self,
        url: str,
        question: _Question,
        max_seconds: float,
        attempts: int,
        *,
        is_robots: bool = False,
    ) -> Iterator[_Arrival]:
        arrival = self._persist(url, question, max_seconds, attempts, is_robots)
        try:
            yield arrival
        except httpx.TransportError as error:
            raise FetchFailed(arrival.url, f"broke off: {error}") from error
        finally:
            arrival.response.close()

    def _persist(
        self, url: str, question: _Question, max_seconds: float, attempts: int, is_robots: bool
    ) -> _Arrival:
        """Try until there is an answer to hand on, or attempts and patience are used up."""
        patience = Patience(attempts if self._ends_at == _NEVER else 1)
        while True:
            failure: FetchFailed | None
            try:
                arrival = self._follow(url, question, max_seconds, is_robots)
            except httpx.TransportError as error:
                failure = FetchFailed(url, f"cannot be reached: {error}")
            else:
                failure = failure_of(arrival.url, arrival.response.status_code, arrival.response.headers)
                if failure is None:
                    return arrival
                arrival.response.close()
            pause = patience.pause_after(failure)
            if time.monotonic() + pause > self._ends_at:
                raise failure
            self.repeats[repeat_words(failure)] += 1
            self._politeness.pause(self._guard.check(failure.url), pause)

    def _follow(self, url: str, question: _Question, max_seconds: float, is_robots: bool) -> _Arrival:
        started = self._guard.check(url)
        is_downgraded = False
        for _ in range(MAX_REDIRECTS + 1):
            address = self._guard.check(url)
            if self._obeys_robots and not is_robots:
                self._obey(url)
            is_at_home = address.origin == started.origin
            if question.body is not None and not is_at_home:
                raise FetchRefused(url, "a posted question is not sent on to another site")
            response = self._send(url, address, question if is_at_home else _PLAIN, max_seconds)
            if response.status_code not in REDIRECTS or "location" not in response.headers:
                return _Arrival(response, url, is_downgraded)
            response.close()
            if question.body is not None and response.status_code not in _KEEP_THE_BODY:
                raise FetchRefused(
                    url, f"redirects what was posted (to {response.headers['location'][:200]})"
                )
            target = join_web_address(url, response.headers["location"])
            if target is None:
                raise FetchRefused(url, "redirects to an address that is not fetched")
            is_downgraded = is_downgraded or (address.scheme == "https" and target.startswith("http:"))
            url = target
            question = question.unconditional()
        raise FetchRefused(url, f"redirects more than {MAX_REDIRECTS} times")

    def _obey(self, url: str) -> None:
        rules = self.robots(url)
        if not rules.allows(url):
            raise rules.refusal(url)

    def _send(self, url: str, address: WebAddress, question: _Question, max_seconds: float) -> httpx.Response:
        if self._budget is not None and self.requests >= self._budget:
            raise FetchRefused(url, f"the budget of {self._budget} requests is used up")
        needs_no_gap = self._guard.is_allowed_private(address) or not self._keeps_gaps
        throttle = self._throttles.setdefault(address.authority, AutoThrottle(is_own=needs_no_gap))
        wait = self._politeness.turn(address, self._politeness.gap(address, is_own=needs_no_gap))
        wait = max(wait, throttle.gap)
        left = self._ends_at - time.monotonic() - wait
        if left <= 0:
            raise FetchFailed(url, "did not answer in time")
        if wait > 0:
            self._sleep(wait)
        self.seconds += wait
        self.requests += 1
        self._deadline.start(min(max_seconds, left))
        try:
            request = self._client.build_request(
                question.method, url, headers=dict(question.headers), content=question.body
            )
        except (httpx.InvalidURL, ValueError, UnicodeError) as error:
            raise FetchRefused(url, "cannot be read as an address") from error
        began = time.monotonic()
        try:
            return self._client.send(request, stream=True)
        finally:
            took = time.monotonic() - began
            self.seconds += took
            throttle.note(took)

    def _body(self, arrival: _Arrival, max_bytes: int) -> Iterator[bytes]:
        encoding = arrival.response.headers.get("content-encoding", "")
        return decoded(
            self._received(arrival.response), url=arrival.url, encoding=encoding, max_bytes=max_bytes
        )

    def _received(self, response: httpx.Response) -> Iterator[bytes]:
        # Not `iter_raw`, which refuses answers that a test's transport has already read.
        assert isinstance(response.stream, httpx.SyncByteStream)
        for piece in response.stream:
            self.bytes_received += len(piece)
            yield piece
