"""Best Buy's products API with a developer's key: chosen products as offers, add-to-cart links an item."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from aggregator.domain.errors import FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import (
    NOT_DETECTED,
    Detection,
    HandOff,
    HandOffLine,
    Signal,
    Source,
    Store,
)
from aggregator.domain.web_addresses import is_on_site
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import product_links
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.store_options import names, needed_key
from spiders.untrusted import address, code, mapping, price, refused, rows, storable, text, whole

PAGE_SIZE = 100
_MOST_PAGES = 3000
_SITE = "bestbuy.com"
_API = "https://api.bestbuy.com/v1"
_CURRENCY = "USD"
_FIELDS = (
    "sku,name,salePrice,regularPrice,onSale,priceRestriction,upc,modelNumber,manufacturer,condition,url,addToCartUrl,"
    "image,onlineAvailability,orderable,freeShipping,shippingCost,categoryPath.name,productVariations.sku,active"
)
# The price may only be seen in the cart.
_HIDDEN = frozenset({"MAP", "ICR", "map", "icr", "strict"})


class BestBuySource:
    """Walks the products that `query`, `category` or `skus` choose; all active ones without a choice."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every product chosen. Raises StoreError where the walk cannot be ended."""
        chosen = _filter(store)
        cursor = "*"
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            document = _ask(store, fetcher, chosen, {"pageSize": str(PAGE_SIZE), "cursorMark": cursor})
            products = document.get("products")
            if not isinstance(products, list):
                raise UnreadableAnswer(_API, "has no list of products")
            yield from map(read_product, products)
            following = text(document.get("nextCursorMark"), 500)
            if not products or following is None or following in seen:
                return
            seen.add(following)
            cursor = following
        raise UnreadableAnswer(
            _API, f"lists more than {_MOST_PAGES * PAGE_SIZE:,} products; narrow it with --set category=…"
        )


def _filter(store: Store) -> str:
    """The API's own filter expression; words and ids only, so that no option can break out of it."""
    skus = [sku for sku in names(store.options.get("skus")) if sku.isascii() and sku.isdigit()]
    if skus:
        return f"sku in({','.join(skus[:500])})"
    parts = ["active=true"]
    category = store.options.get("category", "").strip()
    if category:
        if not re.fullmatch(r"[A-Za-z0-9]{3,40}", category):
            raise FetchRefused(
                store.url, "category is an id such as abcat0502000; set it anew with --set category=…"
            )
        parts.append(f"categoryPath.id={category}")
    parts += [f"search={word}" for word in re.findall(r"\w+", store.options.get("query", ""))[:10]]
    return "&".join(parts)


def _ask(store: Store, fetcher: Fetcher, chosen: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    key = needed_key(store, "api_key", "from developer.bestbuy.com")
    options = urlencode({"format": "json", "show": _FIELDS, **query, "apiKey": key})
    url = f"{_API}/products({quote(chosen, safe='=&,()')})?{options}"
    try:
        answer = fetcher.get(url, max_bytes=50_000_000)
    except StoreError as error:
        # Its address holds the key, and errors are kept and shown.
        error.url = _API
        error.args = (f"{_API}: {error.problem}",)
        raise
    if answer.status == 403:
        raise FetchRefused(_API, "takes the key no more, or its quota is used up (HTTP 403): --set api_key=…")
    if answer.status != 200:
        raise UnreadableAnswer(_API, f"answered HTTP {answer.status}")
    try:
        return mapping(answer.json())
    except UnreadableAnswer as error:
        raise UnreadableAnswer(_API, error.problem) from None


def read_product(product: object) -> RawOffer | InvalidOffer:
    """One product of the products API, or of the open-box API, whose entry tells the new product's price, too.

    Prices are numbers in US dollars before tax.
    """
    entry = mapping(product)
    prices, links, images = (mapping(entry.get(key)) for key in ("prices", "links", "images"))
    sku = code(entry.get("sku"))
    name = text(entry.get("name")) or text(mapping(entry.get("names")).get("title"))
    if sku is None:
        return refused("no_id", product, title=name, detail="a product without SKU")
    page = f"https://www.{_SITE}/site/{sku}.p?{urlencode({'skuId': sku})}"
    told = address(page, entry.get("url") or links.get("web"))
    url = told if told and is_on_site(told, page) else page
    if text(entry.get("priceRestriction"), 20) in _HIDDEN:
        return refused(
            "hidden_price",
            product,
            external_id=sku,
            title=name,
            url=url,
            detail="its price is shown in the cart only",
        )
    now = price(_told(entry.get("salePrice"), prices.get("current"), entry.get("regularPrice")))
    before = price(_told(entry.get("regularPrice"), prices.get("regular")))
    is_reduced = isinstance(now, Decimal) and isinstance(before, Decimal) and before > now
    cart = address(page, entry.get("addToCartUrl") or links.get("addToCart"))
    categories = [text(mapping(one).get("name"), 100) for one in rows(entry.get("categoryPath"))]
    shipping = price(entry.get("shippingCost"))
    available = entry.get("onlineAvailability")
    return RawOffer(
        external_id=sku,
        url=url,
        title=name or "",
        price=now,
        price_currency=_CURRENCY,
        list_price=before if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        availability=available if isinstance(available, bool) else None,
        item_condition=text(entry.get("condition"), 40),
        brand=text(entry.get("manufacturer"), 100),
        gtin=code(entry.get("upc")),
        mpn=code(entry.get("modelNumber")),
        sku=sku,
        category=" > ".join(found for found in categories[1:] if found) or None,
        image_url=address(page, entry.get("image") or images.get("standard")),
        shipping_cost=Decimal(0) if entry.get("freeShipping") is True else shipping,
        handoff={"add_to_cart_url": cart} if cart else {},
        source="products_api",
        raw=storable(dict(entry)),
    )


def _told(*values: object) -> object:
    return next((value for value in values if value is not None), None)


def products_of(document: object) -> list[Any]:
    """The products of an answer: a page of them, open-box results, or a single product."""
    entry = mapping(document)
    for name in ("products", "results"):
        if isinstance(entry.get(name), list):
            return rows(entry[name])
    return [entry] if "sku" in entry else []


def detect(evidence: Evidence) -> Detection:
    """By its address alone: an API of one seller."""
    host = (urlsplit(evidence.home.url).hostname or "").removeprefix("www.")
    if host != _SITE:
        return NOT_DETECTED
    return Detection(
        confidence=0.97,
        signals=(Signal("the site that the API belongs to", host),),
        sources=(Source(kind="products_api", url=f"{_API}/products"),),
        name="Best Buy",
        currency=_CURRENCY,
        country="US",
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read by SKU, one hundred in a question."""
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    skus = sorted({line.external_id for line in lines if whole(line.external_id) is not None})
    try:
        for start in range(0, max(len(skus), 1), PAGE_SIZE):
            chosen = f"sku in({','.join(skus[start : start + PAGE_SIZE])})"
            document = _ask(store, fetcher, chosen, {"pageSize": str(PAGE_SIZE)})
            for product in rows(document.get("products")):
                offer = read_product(product)
                found[offer.external_id] = state_of(offer, store)
    except StoreError as error:
        problem = error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


def build_handoff(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """The API's own add-to-cart link a line, which adds one piece; pages where there is none or more are wanted."""
    links = [
        link if line.quantity == 1 and link and is_on_site(link, store.url) else None
        for line in lines
        for link in [dict(line.handoff).get("add_to_cart_url")]
    ]
    if not any(links):
        return product_links(store, lines)
    urls = tuple(link or line.url for link, line in zip(links, lines, strict=True))
    return HandOff(kind="item_link", url=None, item_urls=urls)


platform = StorePlatform(
    name="bestbuy",
    title="Best Buy",
    detect=detect,
    source=BestBuySource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="item_link", build=build_handoff),
    options=("query", "category", "skus"),
    secret_options=("api_key",),
)
