"""For authors of plug-ins: checks that a store platform keeps its contract, also with hostile answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import Any

import httpx

from aggregator.domain.errors import StoreError
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Detection, HandOff, HandOffLine, Page, Store
from aggregator.domain.web_addresses import is_on_site
from aggregator.fetching import Fetcher
from aggregator.platforms import StorePlatform
from aggregator.settings import Settings

STORE = Store(
    id="store1", slug="shop-example", name="Shop", url="https://shop.example", platform="", currency="EUR"
)
_RANKS = {"product_link": 0, "item_link": 1, "cart_link": 2}
_SURE = 0.6

# What no store should answer, and some do: not what was asked for, cut off, of wrong types, endless.
HOSTILE_BODIES: tuple[bytes, ...] = (
    b"",
    b"<!doctype html><title>Just a moment...</title>",
    b"\xff\xfe\x00\x01\x02",
    b"null",
    b"[]",
    b"{}",
    b'{"products": ',
    b'{"products": [null, 7, [], {"id": {}, "variants": [null, {"id": []}]}]}',
    b'{"products": [{"id": 1, "variants": [{"id": 2, "price": NaN}]}]}',
    b'{"products": [{"id": 1, "title": ["x"], "options": [5], "variants": [{"id": 1e999, "price": {}}]}]}',
    b'[{"id": 1, "name": "\\u0000", "prices": {"price": "9e99", "currency_minor_unit": 99}}]',
    b'[{"id": true, "name": 7, "type": ["simple"], "prices": [], "images": {"src": 1}, "permalink": "javascript:1"}]',
    b"[" * 20_000,
    b'[{"id": ' + b"9" * 6_000 + b"}]",
    b'<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>1</g:id>',
    b'<!DOCTYPE r [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><rss><channel><item><id>&b;</id></item></channel></rss>',
    b"<urlset><url><loc>file:///etc/passwd</loc></url></urlset>",
)


def check_platform(platform: StorePlatform) -> None:
    """Raise AssertionError with one sentence where the platform breaks its contract."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", platform.name), f"{platform.name!r}: a name is snake_case"
    assert platform.title.strip(), f"{platform.name}: a title says what people call it"
    assert (platform.source is None) != (platform.spider is None), f"{platform.name}: a source or a spider"
    assert not set(platform.options) & set(platform.secret_options), (
        f"{platform.name}: an option is secret or not"
    )
    if platform.spider is not None:
        module, _, name = platform.spider.partition(":")
        assert hasattr(import_module(module), name), f"{platform.name}: there is no spider {platform.spider}"
    _check_detection(platform)
    _check_handoff(platform)
    if platform.source is not None:
        _check_source(platform)
    _check_live(platform)


class _SameAnswer:
    """A site that answers everything with one body."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.home = Page(STORE.url + "/", status, {}, body.decode("utf-8", "replace"))

    def get(self, path: str) -> Page | None:
        """The same again."""
        return replace(self.home, url=STORE.url + path) if path.startswith("/") else self.home

    def post_json(self, path: str, document: Any) -> Page | None:
        """The same again."""
        return self.get(path)


def _check_detection(platform: StorePlatform) -> None:
    for body in HOSTILE_BODIES:
        for status in (200, 404, 503):
            detection = platform.detect(_SameAnswer(body, status))
            assert isinstance(detection, Detection), f"{platform.name}: detect gives a Detection"
            assert 0 <= detection.confidence < _SURE, (
                f"{platform.name}: sure of a site that answers {body[:40]!r}"
            )


def example_lines(count: int = 2) -> list[HandOffLine]:
    """Lines to hand over: numeric ids, as most platforms have them."""
    return [
        HandOffLine(
            external_id=str(4000 + number),
            title=f"Thing {number}",
            url=f"{STORE.url}/products/thing-{number}",
            quantity=number,
        )
        for number in range(1, count + 1)
    ]


def _check_handoff(platform: StorePlatform) -> None:
    odd = [replace(line, external_id="a/b?c=d&e:1,2 \u2013") for line in example_lines(1)]
    for lines in (example_lines(1), example_lines(2), odd):
        built = platform.handoff.build(STORE, lines)
        check_handoff(built, STORE, lines)
        assert _RANKS[built.kind] <= _RANKS[platform.handoff.kind], (
            f"{platform.name}: better than it declares"
        )


def check_handoff(built: HandOff, store: Store, lines: Sequence[HandOffLine]) -> None:
    """Raise AssertionError unless a hand-off has the shape of its kind and stays on the store's site."""
    if built.kind == "cart_link":
        assert built.url is not None, "a cart_link has its url"
        addresses: tuple[str, ...] = (built.url, *built.item_urls)
        assert len(built.item_urls) in {0, len(lines)}, "one address a line, or none"
    else:
        assert built.url is None, "only a cart_link has a url"
        assert len(built.item_urls) == len(lines), "one address a line"
        addresses = built.item_urls
    for address in addresses:
        assert is_on_site(address, store.url), f"{address} is not on the store's site"


def same_answer_fetcher(body: bytes, status: int = 200) -> Fetcher:
    """A fetcher to which every address answers the same; it never waits and gives up after 30 requests."""
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
    return Fetcher(Settings(), transport=transport, budget=30, obey_robots=False, sleep=lambda seconds: None)


def _check_source(platform: StorePlatform) -> None:
    store = replace(STORE, platform=platform.name, options=_options(platform))
    for body in HOSTILE_BODIES:
        for offer in _read(platform, store, body):
            assert isinstance(offer, RawOffer | InvalidOffer), f"{platform.name}: yields offers"
            json.dumps(offer.raw, default=str)
            if isinstance(offer, RawOffer):
                normalize_offer(offer, default_currency="EUR")


def _read(platform: StorePlatform, store: Store, body: bytes) -> Iterator[RawOffer | InvalidOffer]:
    assert platform.source is not None
    with same_answer_fetcher(body) as fetcher:
        try:
            yield from islice(platform.source.fetch_offers(store, fetcher), 10_000)
        except StoreError:
            return


def _check_live(platform: StorePlatform) -> None:
    store = replace(STORE, platform=platform.name, options=_options(platform))
    lines = example_lines(2)
    for body in HOSTILE_BODIES:
        for status in (200, 404, 500):
            with same_answer_fetcher(body, status) as fetcher:
                states = platform.check_offers(store, lines, fetcher)
            answered = [state.external_id for state in states]
            assert answered == [line.external_id for line in lines], (
                f"{platform.name}: one state a line, in order"
            )
            assert all(state.price is not None or state.problem for state in states), (
                f"{platform.name}: a state without price says why"
            )


def _options(platform: StorePlatform) -> dict[str, str]:
    return {
        name: f"{STORE.url}/{name}"
        for name in (*platform.options, *platform.secret_options)
        if name.endswith("url")
    }
