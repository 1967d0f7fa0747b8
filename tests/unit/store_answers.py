"""Stores that answer from memory, for the tests of the platforms that read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from aggregator.domain.errors import StoreError
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from aggregator.domain.stores import HandOffLine, Page, Store
from aggregator.fetching import Fetcher
from aggregator.settings import Settings

CASSETTES = Path("fixtures/cassettes")
Answering = Callable[[httpx.Request], Any]


def saved(name: str) -> Any:
    """A cassette: JSON as its document, anything else as text."""
    content = (CASSETTES / name).read_text("utf-8")
    return json.loads(content) if name.endswith(".json") else content


def store(platform: str, url: str = "https://shop.example", **options: str) -> Store:
    """A store of that platform in Germany, without a currency of its own."""
    return Store(
        id="s", slug="shop", name="My Shop", url=url, platform=platform, country="DE", options=options
    )


def line(external_id: str, quantity: int = 1, **handoff: str) -> HandOffLine:
    """A line of a cart; its page is named after its id."""
    return HandOffLine(
        external_id=external_id,
        title="Thing",
        url=f"https://shop.example/products/{external_id}",
        quantity=quantity,
        handoff=tuple(handoff.items()),
    )


@dataclass
class Shop:
    """Answers each request with what `answer` gives: a response, a JSON document, a text, or None for 404."""

    answer: Answering
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """Method and path with query of each request."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]

    def fetcher(self) -> Fetcher:
        """A fetcher that reaches this shop only, and never waits."""
        transport = httpx.MockTransport(self._respond)
        return Fetcher(Settings(), transport=transport, obey_robots=False, sleep=lambda seconds: None)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answer(request)
        if isinstance(answer, httpx.Response):
            return answer
        if answer is None:
            return httpx.Response(404, json={"message": "none"})
        return (
            httpx.Response(200, text=answer) if isinstance(answer, str) else httpx.Response(200, json=answer)
        )


def by_path(pages: dict[str, Any]) -> Shop:
    """A shop with these pages, by path with query or by path alone."""
    return Shop(lambda request: pages.get(request.url.raw_path.decode(), pages.get(request.url.path)))


def posted(request: httpx.Request) -> Any:
    """The JSON document that was posted."""
    return json.loads(request.content)


def drained(
    offers: Iterable[RawOffer | InvalidOffer],
) -> tuple[list[RawOffer | InvalidOffer], StoreError | None]:
    """What came before the error, and the error."""
    read: list[RawOffer | InvalidOffer] = []
    iterator: Iterator[RawOffer | InvalidOffer] = iter(offers)
    try:
        for offer in iterator:
            read.append(offer)  # noqa: PERF402  # list() would lose what came before an error
    except StoreError as error:
        return read, error
    return read, None


def normalized(offers: Iterable[RawOffer | InvalidOffer], currency: str | None = None) -> list[Offer]:
    """The offers as the catalogue would hold them; all of them must be readable."""
    found: list[Offer] = []
    for raw in offers:
        offer = normalize_offer(raw, default_currency=currency) if isinstance(raw, RawOffer) else raw
        assert isinstance(offer, Offer), offer
        found.append(offer)
    return found


class Site:
    """What detection sees of a site: its home page and some paths; everything else is not there."""

    def __init__(self, home: Page, pages: dict[str, Page] | None = None) -> None:
        self.home = home
        self.asked: list[str] = []
        self._pages = pages or {}

    def get(self, path: str) -> Page | None:
        self.asked.append(path)
        return self._pages.get(path)

    def post_json(self, path: str, document: Any) -> Page | None:
        self.asked.append(f"POST {path}")
        return self._pages.get(f"POST {path}")


def page(path: str, text: str = "", status: int = 200, host: str = "shop.example", **headers: str) -> Page:
    """A page of a site; header names are written with underscores."""
    return Page(
        f"https://{host}{path}",
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        text,
    )
