"""Saved answers of platforms, read by the same functions that read the live ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aggregator.domain.errors import FetchRefused
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.fetching import Answer
from aggregator.fetching.answers import gunzipped_if_gzip
from spiders.adapters import (
    bestbuy,
    bigcommerce,
    magento,
    medusa,
    merchant_feed,
    prestashop,
    saleor,
    shopify,
    vendure,
    woocommerce,
)
from spiders.feed_rows import read_rows
from spiders.untrusted import mapping, rows

Offers = Iterator[RawOffer | InvalidOffer]
# Where the links of a saved answer lead: it does not name its store.
ROOT = "https://store.invalid"
_PIECE = 1 << 16


def read_saved_answer(platform: str, file: Path, *, currency: str | None = None) -> Offers:
    """The offers of one saved answer; `currency` is what the live store would tell.

    Raises FetchRefused for a platform whose answers are not read here, UnreadableAnswer for what is none of its
    answers, OSError.
    """
    if platform in {"google_feed", "merchant_feed"}:
        for row in read_rows(file_pieces(file), url=str(file)):
            yield merchant_feed.read_item(row, ROOT)
        return
    reader = _READERS.get(platform)
    if reader is None:
        raise FetchRefused(str(file), f"saved answers of {platform!r} are not read")
    yield from reader(Answer(str(file), 200, {}, file.read_bytes()), currency)


def file_pieces(file: Path) -> Iterator[bytes]:
    """A file's content piece by piece, a gzip file's decompressed. Raises OSError, UnreadableAnswer."""
    return gunzipped_if_gzip(_pieces(file), url=str(file))


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            yield piece


def _shopify(answer: Answer, currency: str | None) -> Offers:
    for product in _listed(answer.json(), "products", "product"):
        yield from shopify.read_product(mapping(product), ROOT, currency)


def _woocommerce(answer: Answer, currency: str | None) -> Offers:
    parents = woocommerce.Parents()
    products = _listed(answer.json())
    for product in products:
        parents.learn(mapping(product))
    for product in products:
        yield from woocommerce.read_product(product, ROOT, parents)


def _magento(answer: Answer, currency: str | None) -> Offers:
    found = mapping(mapping(mapping(answer.json()).get("data")).get("products")).get("items")
    for item in found if isinstance(found, list) else []:
        yield from magento.read_item(item, f"{ROOT}/", currency=currency)


def _bigcommerce(answer: Answer, currency: str | None) -> Offers:
    for product in _listed(answer.json(), "data"):
        yield from bigcommerce.read_product(product, ROOT, currency=currency)


def _prestashop(answer: Answer, currency: str | None) -> Offers:
    for product in prestashop.products_of(prestashop.read_document(answer)):
        yield from prestashop.read_product(product, ROOT, currency=currency)


def _bestbuy(answer: Answer, currency: str | None) -> Offers:
    yield from map(bestbuy.read_product, bestbuy.products_of(answer.json()))


def _vendure(answer: Answer, currency: str | None) -> Offers:
    products = mapping(mapping(mapping(answer.json()).get("data")).get("products"))
    for product in rows(products.get("items")):
        yield from vendure.read_product(mapping(product), _store("vendure", currency))


def _medusa(answer: Answer, currency: str | None) -> Offers:
    for product in _listed(answer.json(), "products", "product"):
        yield from medusa.read_product(mapping(product), _store("medusa", currency), None)


def _saleor(answer: Answer, currency: str | None) -> Offers:
    products = mapping(mapping(mapping(answer.json()).get("data")).get("products"))
    for edge in rows(products.get("edges")):
        yield from saleor.read_product(mapping(mapping(edge).get("node")), _store("saleor", currency))


def _store(platform: str, currency: str | None) -> Store:
    return Store(id="", slug="", name="", url=ROOT, platform=platform, currency=currency)


def _listed(document: object, *names: str) -> list[Any]:
    """The entries of an answer: a list, a list or an entry under one of the names, or the entry itself."""
    for name in names:
        inner = mapping(document).get(name)
        if isinstance(inner, list | dict):
            document = inner
            break
    if isinstance(document, list):
        return document
    return [document] if isinstance(document, dict) and document else []


_READERS: dict[str, Callable[[Answer, str | None], Offers]] = {
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "woocommerce_store": _woocommerce,
    "magento": _magento,
    "magento_graphql": _magento,
    "bigcommerce": _bigcommerce,
    "prestashop": _prestashop,
    "bestbuy": _bestbuy,
    "vendure": _vendure,
    "medusa": _medusa,
    "saleor": _saleor,
}
