"""EverShop: the product data inside of the pages that the sitemap lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from aggregator.domain.errors import UnreadableAnswer
from aggregator.domain.normalization.prices import UnreadablePrice, read_amount
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Signal, Source, Store
from aggregator.fetching import Answer, Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import product_links
from spiders.html_trees import parse_html
from spiders.page_walks import check_page, walk_sitemap
from spiders.site_names import site_name
from spiders.untrusted import address, code, decimal, mapping, refused, rows, storable, text

_STATE = "var eContext = "
_MOST_OBJECTS = 20_000


class EverShopSource:
    """Reads every page of the sitemap; those without a product of their own yield nothing."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every product. Raises StoreError where sitemap or pages could not be read to their end."""
        yield from walk_sitemap(store, fetcher, read_page)


def read_page(answer: Answer) -> list[RawOffer | InvalidOffer]:
    """The page's own product from its embedded state; prices are numbers in major units."""
    state = read_state(answer.text)
    if state is None:
        return []
    try:
        product = _main_product(mapping(state.get("graphqlResponse")))
    except UnreadableAnswer as error:
        return [refused("unreadable_page", {}, external_id=answer.url, url=answer.url, detail=error.problem)]
    if product is None:
        return []
    document = parse_html(answer.text, answer.url)
    canonical = document.css_first("link[rel='canonical' i]") or document.css_first("meta[property='og:url']")
    own = canonical.attributes.get("href") or canonical.attributes.get("content") if canonical else None
    heading = document.css_first("h1")
    prices = mapping(product.get("price"))
    regular, special = mapping(prices.get("regular")), mapping(prices.get("special"))
    asked, before = decimal(special.get("value")), decimal(regular.get("value"))
    is_reduced = asked is not None and before is not None and 0 < asked < before
    group = mapping(product.get("variantGroup"))
    attributes = _attributes(product)
    return [
        RawOffer(
            external_id=code(product.get("sku")) or "",
            url=address(answer.url, own) or answer.url,
            title=text(product.get("name")) or (text(heading.text()) if heading else None) or "",
            price=asked if is_reduced else before,
            price_currency=_currency(regular) or _currency(special),
            list_price=before if is_reduced else None,
            price_kind="sale" if is_reduced else None,
            availability=_in_stock(product),
            brand=next(
                (attributes[name] for name in attributes if name.casefold() in {"brand", "manufacturer"}),
                None,
            ),
            sku=code(product.get("sku")),
            image_url=address(answer.url, mapping(product.get("image")).get("url")),
            item_group_id=code(group.get("variantGroupId")),
            variant_attributes=attributes if group else {},
            source="embedded_state",
            raw=storable({name: product.get(name) for name in ("sku", "name", "price", "inventory")}),
        )
    ]


def read_state(page: str) -> Mapping[str, Any] | None:
    """The object that the page assigns to eContext; None where there is none to read."""
    start = page.find(_STATE)
    if start < 0:
        return None
    try:
        state, _ = json.JSONDecoder(parse_float=Decimal).raw_decode(page, start + len(_STATE))
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return state if isinstance(state, dict) else None


def _main_product(response: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The product of the page by its shape, as the keys are made up anew for each build.

    Each part of the page asks for its own share of the product, so the shares with its SKU or without any are
    put together. Products in lists are only recommended ones.
    """
    shares = [share for share in response.values() if isinstance(share, dict)]
    whole = [
        share for share in shares if code(share.get("sku")) and mapping(share.get("price")).get("regular")
    ]
    if not whole:
        whole = [
            share
            for share in _nested(shares)
            if code(share.get("sku")) and "inventory" in share and "price" in share
        ]
    if not whole:
        return None
    whole.sort(key=lambda share: "inventory" in share, reverse=True)
    product: dict[str, Any] = dict(whole[0])
    if len({share["sku"] for share in whole if isinstance(share["sku"], str)}) > 1:
        raise UnreadableAnswer("", "the page holds several products")
    for share in shares:
        if share.get("sku") in (None, product["sku"]) and (
            share.get("productId") == product.get("productId") or "inventory" in share
        ):
            product = {**share, **{name: value for name, value in product.items() if value is not None}}
    return product


def _nested(shares: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    waiting, seen = list(reversed(shares)), 0
    while waiting and seen < _MOST_OBJECTS:
        share = waiting.pop()
        seen += 1
        yield share
        waiting.extend(value for value in share.values() if isinstance(value, dict))


def _attributes(product: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value
        for entry in map(mapping, rows(product.get("attributes")))
        if (name := text(entry.get("attributeName") or entry.get("attribute_name"), 100))
        and (value := text(entry.get("optionText") or entry.get("option_text"), 200))
    }


def _in_stock(product: Mapping[str, Any]) -> bool | None:
    there = mapping(product.get("inventory")).get("isInStock")
    if isinstance(there, int) and there in (0, 1):
        return bool(there)
    return None


def _currency(price: Mapping[str, Any]) -> str | None:
    """As the price names it, or as its text shows it."""
    named = text(price.get("currency"), 10)
    shown = text(price.get("text"), 100)
    if named or not shown:
        return named
    try:
        return read_amount(shown)[1]
    except (UnreadablePrice, ArithmeticError):
        return None


def detect(evidence: Evidence) -> Detection:
    """By the state that every page carries."""
    home = evidence.home
    state = read_state(home.text)
    if state is None or "graphqlResponse" not in state:
        return NOT_DETECTED
    return Detection(
        confidence=0.95,
        signals=(Signal("eContext with graphqlResponse", "home page"),),
        sources=(Source(kind="sitemap", url=f"{home.url.rstrip('/')}/sitemap.xml"),),
        name=site_name(home),
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read each line's own page."""
    return [check_page(line, fetcher, read_page, store) for line in lines]


platform = StorePlatform(
    name="evershop",
    title="EverShop",
    detect=detect,
    source=EverShopSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=("sitemap_url",),
)
