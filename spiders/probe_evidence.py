"""What a probe may look at: a fetcher that asks nothing twice, and each platform's turn within the common budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from aggregator.domain.crawling import NO_VALIDATORS
from aggregator.domain.errors import StoreError
from aggregator.domain.stores import Page
from aggregator.domain.web_addresses import is_on_site, join_web_address
from aggregator.fetching import Answer, Fetcher
from aggregator.fetching.answers import gunzipped_if_gzip
from aggregator.fetching.fetcher import Download
from aggregator.settings import Settings
from spiders.html_trees import is_too_deep, is_too_wide

MOST_REQUESTS = 8
_MOST_BYTES = 20_000_000


class RememberingFetcher(Fetcher):
    """Answers an address that was asked before from memory, and cuts long answers off."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(settings, **options)
        self._known: dict[str, Answer | StoreError] = {}

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        """As Fetcher.get, once an address; an error is remembered, too."""
        options = {**options, "max_bytes": _MOST_BYTES, "is_cut": True}
        answer = self._once(
            _key(url, headers), lambda: super(RememberingFetcher, self).get(url, headers=headers, **options)
        )
        self._known.setdefault(_key(answer.url, headers), answer)
        return answer

    def post_json(
        self, url: str, document: Any, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Answer:
        """As Fetcher.post_json, once a question."""
        return self._once(
            _key(url, headers, document),
            lambda: super(RememberingFetcher, self).post_json(url, document, headers=headers, **options),
        )

    @contextmanager
    def download(self, url: str, **options: Any) -> Iterator[Download]:
        """As Fetcher.download; of an address that was asked before, the beginning that is remembered."""
        if not self.knows(url):
            with super().download(url, **options) as download:
                yield download
            return
        answer = self.get(url).expect_ok()
        yield Download(False, NO_VALIDATORS, gunzipped_if_gzip([answer.body], url=answer.url))

    def knows(self, url: str, document: Any = None) -> bool:
        """Whether asking (without headers) would cost no request."""
        return _key(url, None, document) in self._known

    def _once(self, key: str, ask: Callable[[], Answer]) -> Answer:
        if key not in self._known:
            try:
                self._known[key] = ask()
            except StoreError as error:
                self._known[key] = error
        known = self._known[key]
        if isinstance(known, StoreError):
            raise known
        return known


def _key(url: str, headers: Mapping[str, str] | None, document: Any = None) -> str:
    # "https://shop.example" and "https://shop.example/" are one request.
    address = url if urlsplit(url).path else f"{url}/"
    return json.dumps([address, sorted((headers or {}).items()), document], default=str)


class Turn:
    """The evidence as one platform sees it: the home page, and so many more requests."""

    def __init__(self, fetcher: Fetcher, home: Page, *, allowance: int) -> None:
        self._fetcher = fetcher
        self._home = home
        self._last_request = fetcher.requests + allowance

    @property
    def home(self) -> Page:
        """The store's first page, after redirects."""
        return self._home

    def get(self, path: str) -> Page | None:
        """One more page of the store's own site; None when refused, failed or beyond the allowance."""
        if path == "/robots.txt":
            return self._robots()
        return self._ask(path, lambda url: self._fetcher.get(url))

    def post_json(self, path: str, document: Any) -> Page | None:
        """As `get`, with a posted question that changes nothing."""
        return self._ask(path, lambda url: self._fetcher.post_json(url, document), document)

    def _ask(self, path: str, ask: Callable[[str], Answer], document: Any = None) -> Page | None:
        url = join_web_address(self._home.url, path)
        if url is None or not is_on_site(url, self._home.url):
            return None
        is_free = isinstance(self._fetcher, RememberingFetcher) and self._fetcher.knows(url, document)
        if not is_free and self._fetcher.requests >= self._last_request:
            return None
        try:
            return as_page(ask(url))
        except StoreError:
            return None

    def _robots(self) -> Page | None:
        url = join_web_address(self._home.url, "/robots.txt") or self._home.url
        try:
            rules = self._fetcher.robots(url)
        except StoreError:
            return None
        return Page(url, 200 if rules.state == "read" else 404, {}, rules.text)


def as_page(answer: Answer) -> Page:
    """An answer as detection reads it, a gzip file's content decompressed; nothing of a page nested without end."""
    body = answer.body
    if body.startswith(b"\x1f\x8b"):
        pieces: list[bytes] = []
        try:
            for piece in gunzipped_if_gzip([body], url=answer.url):
                pieces.append(piece)
                if len(pieces) * 65_536 > _MOST_BYTES:
                    break
        except StoreError:
            pass  # Cut off in the middle of the file: its beginning is enough to tell what it is.
        answer = Answer(answer.url, answer.status, {}, b"".join(pieces))
    text = answer.text
    return Page(
        answer.url, answer.status, answer.headers, "" if is_too_deep(text) or is_too_wide(text) else text
    )
