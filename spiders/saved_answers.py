"""Saved answers of platforms, read by the same functions that read the live ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aggregator.domain.errors import FetchRefused
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.fetching import Answer
from aggregator.fetching.answers import gunzipped_if_gzip
from spiders.adapters import (
    amazon,
    bestbuy,
    bigcommerce,
    bigcommerce_storefront,
    ebay,
    etsy,
    magento,
    medusa,
    merchant_feed,
    prestashop,
    saleor,
    shopify,
    vendure,
    walmart,
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
            offer = merchant_feed.read_item(row, ROOT)
            is_listed = isinstance(offer, InvalidOffer) and offer.reason in {"no_id", "no_link"}
            yield merchant_feed.listed_item(row, ROOT) if is_listed else offer
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
    products = [mapping(product) for product in _listed(answer.json())]
    for product in products:
        parents.learn(product)
    of_variations = {product.get("parent") for product in products if product.get("type") == "variation"}
    for product in products:
        for offer in woocommerce.read_product(product, ROOT, parents):
            is_listed = isinstance(offer, InvalidOffer) and offer.reason in {
                "external_product",
                "grouped_product",
            }
            yield _only_listed(woocommerce.listed_offer(product, ROOT), offer) if is_listed else offer
        if product.get("type") == "variable" and product.get("id") not in of_variations:
            yield _only_listed(woocommerce.listed_offer(product, ROOT), None)


def _magento(answer: Answer, currency: str | None) -> Offers:
    for item in _objects_with(answer.json(), "sku", "price_range", "price"):
        for offer in magento.read_item(item, f"{ROOT}/", currency=currency):
            is_listed = isinstance(offer, InvalidOffer) and offer.reason == "grouped_product"
            listed = magento.listed_offer(item, f"{ROOT}/", currency=currency)
            yield _only_listed(listed, offer) if is_listed else offer


def _only_listed(shown: RawOffer, refusal: RawOffer | InvalidOffer | None) -> RawOffer:
    """What a listing shows of something that is not sold by itself, marked so."""
    reason = refusal.reason if isinstance(refusal, InvalidOffer) else "sold_as_variants"
    return replace(shown, raw={**(shown.raw or {}), "problem": reason})


def _objects_with(document: object, name: str, *one_of: str, depth: int = 8) -> Iterator[Mapping[str, Any]]:
    """The objects in an answer, whatever question it answers, that have the name and one of the others."""
    if isinstance(document, list):
        for one in document:
            yield from _objects_with(one, name, *one_of, depth=depth)
    elif isinstance(document, dict):
        if name in document and any(other in document for other in one_of):
            yield document
        elif depth:
            for one in document.values():
                yield from _objects_with(one, name, *one_of, depth=depth - 1)


def _bigcommerce(answer: Answer, currency: str | None) -> Offers:
    document = answer.json()
    for product in _objects_with(document, "entityId", "prices"):
        yield from bigcommerce_storefront.read_product(product, ROOT)
    if "site" not in mapping(mapping(document).get("data")):
        for product in _listed(document, "data"):
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


def _ebay(answer: Answer, currency: str | None) -> Offers:
    yield from map(ebay.read_item, _objects_with(answer.json(), "itemId", "title", "price"))


def _walmart(answer: Answer, currency: str | None) -> Offers:
    for item in _objects_with(answer.json(), "itemId", "name", "salePrice"):
        yield walmart.read_item(item, _store("walmart", currency))


def _etsy(answer: Answer, currency: str | None) -> Offers:
    yield from map(etsy.read_listing, _objects_with(answer.json(), "listing_id", "title", "price"))


def _amazon(answer: Answer, currency: str | None) -> Offers:
    for item in _objects_with(answer.json(), "asin", "itemInfo", "offersV2"):
        yield amazon.read_item(item, _store("amazon", currency))


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
    "ebay": _ebay,
    "ebay_browse": _ebay,
    "walmart": _walmart,
    "etsy": _etsy,
    "amazon": _amazon,
}
