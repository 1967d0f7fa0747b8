"""WooCommerce: the public Store API; simple products and variations as offers, checkout links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aggregator.domain.cart_links import quantities
from aggregator.domain.errors import FetchFailed, StoreError, UnreadableAnswer
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
from aggregator.fetching import Answer, Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import product_links
from spiders.json_pages import page_json
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.site_names import site_name
from spiders.untrusted import address, code, mapping, minor_units, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title

PAGE_SIZE = 100
MAX_PAGES = 2000
MAX_LISTING_BYTES = 50_000_000
# Checkout links are there in 11.0 and were not in 8.9; they were merged for 10.0.
_CHECKOUT_LINKS_SINCE = 10
_UNLIMITED = 9999
_GENERATOR = re.compile(r"WooCommerce (\d+(?:\.\d+){1,3})")
_PRETTY, _PLAIN = "/wp-json/wc/store/v1/products", "/?rest_route=/wc/store/v1/products"


@dataclass(slots=True)
class Parents:
    """What variations take from their products, by the product's id."""

    products: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    # Variations with an attribute that is left to the shopper ("Any colour"): no link can add them.
    open_variations: set[int] = field(default_factory=set)

    def learn(self, product: Mapping[str, Any]) -> None:
        """Keep the few fields that are asked for later."""
        product_id = whole(product.get("id"))
        if product_id is None:
            return
        kept = {name: product.get(name) for name in ("name", "brands", "categories")}
        self.products[product_id] = {**kept, "images": rows(product.get("images"))[:1]}
        for variation in map(mapping, rows(product.get("variations"))):
            chosen = [mapping(attribute).get("value") for attribute in rows(variation.get("attributes"))]
            variation_id = whole(variation.get("id"))
            if variation_id is not None and not all(chosen):
                self.open_variations.add(variation_id)


class WooCommerceSource:
    """Two listings: the products, then all variations."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every simple product and variation. Raises StoreError where a listing cannot be read to its end."""
        root = _root(store)
        parents = Parents()
        api, first = _open_listing(root, fetcher)
        for product in _walk(api, {}, fetcher, first):
            if text(mapping(product).get("type")) == "variable":
                parents.learn(mapping(product))
            else:
                yield from read_product(product, root)
        # Asked for even where no variable product was listed: a hidden parent can have visible variations.
        for variation in _walk(api, {"type": "variation"}, fetcher):
            yield from read_product(variation, root, parents)


def _root(store: Store) -> str:
    return store.url.partition("?")[0].rstrip("/")


def _open_listing(root: str, fetcher: Fetcher) -> tuple[str, Answer]:
    """The listing's address and its first page; shops without pretty permalinks have it elsewhere."""
    answer = fetcher.get(_listing_url(f"{root}{_PRETTY}", {}, 1), max_bytes=MAX_LISTING_BYTES)
    if answer.status != 404:
        return f"{root}{_PRETTY}", answer
    return f"{root}{_PLAIN}", fetcher.get(_listing_url(f"{root}{_PLAIN}", {}, 1), max_bytes=MAX_LISTING_BYTES)


def _listing_url(api: str, filters: Mapping[str, str], page: int) -> str:
    query = urlencode({**filters, "orderby": "id", "order": "asc", "per_page": PAGE_SIZE, "page": page})
    return f"{api}{'&' if '?' in api else '?'}{query}"


def _walk(
    api: str, filters: Mapping[str, str], fetcher: Fetcher, first: Answer | None = None
) -> Iterator[object]:
    """Every entry of a listing, page by page. The Link header is not followed: its address is broken."""
    page, pages = 1, 1
    seen: set[str] = set()
    while page <= pages:
        url = _listing_url(api, filters, page)
        answer, products = _page(url, fetcher, first if page == 1 else None)
        if not isinstance(products, list):
            raise UnreadableAnswer(url, "is no list of products")
        known = len(seen)
        seen.update(code(mapping(product).get("id")) or "" for product in products)
        if products and len(seen) == known:
            raise UnreadableAnswer(url, "repeats what earlier pages listed, so its end cannot be found")
        yield from products
        told = whole(answer.headers.get("x-wp-totalpages"))
        # Without the header (a cache may drop it) only an empty page tells the end.
        pages = told if told is not None else page + 1 if products else page
        page += 1
        if page > MAX_PAGES:
            raise UnreadableAnswer(url, f"has more than the {MAX_PAGES} pages that are walked")


def _page(url: str, fetcher: Fetcher, fetched: Answer | None) -> tuple[Answer, Any]:
    if fetched is not None:
        try:
            return fetched, fetched.expect_ok().json()
        except UnreadableAnswer:
            pass
    return fetcher.get_json(url, max_bytes=MAX_LISTING_BYTES)


def read_product(
    product: object, root: str, parents: Parents | None = None
) -> Iterator[RawOffer | InvalidOffer]:
    """One entry of a listing as the offer it is; nothing for a variable parent, which nobody can buy.

    Prices are strings in minor units of the payload's own `currency_minor_unit`; names are HTML-escaped.
    """
    entry = mapping(product)
    kind, name = text(entry.get("type")) or "simple", text(entry.get("name"))
    product_id = whole(entry.get("id"))
    url = address(root, entry.get("permalink"))
    if kind == "variable":
        return
    if product_id is None:
        yield refused("no_id", product, title=name, url=url or "")
        return
    if kind in {"external", "grouped"}:
        detail = {
            "external": "is sold on another site",
            "grouped": "only groups products listed by themselves",
        }
        yield refused(
            f"{kind}_product", product, external_id=product_id, title=name, url=url or "", detail=detail[kind]
        )
        return
    yield listed_offer(entry, root, parents)


def listed_offer(entry: Mapping[str, Any], root: str, parents: Parents | None = None) -> RawOffer:
    """What a listing shows of any entry, also of one that cannot be bought by itself: then its lowest price."""
    kind, name = text(entry.get("type")) or "simple", text(entry.get("name"))
    product_id = whole(entry.get("id"))
    parent = (parents or Parents()).products.get(whole(entry.get("parent")) or 0, {})
    prices = mapping(entry.get("prices"))
    exponent = whole(prices.get("currency_minor_unit"))
    exponent = exponent if exponent is not None and 0 <= exponent <= 6 else 2
    now, before = (minor_units(prices.get(key), exponent) for key in ("price", "regular_price"))
    is_reduced = (
        not isinstance(now, str) and not isinstance(before, str) and bool(now and before and before > now)
    )
    attributes = _attributes(text(entry.get("variation")) or "") if kind == "variation" else {}
    title = name or text(parent.get("name")) or ""
    picture = next(iter(rows(entry.get("images")) or rows(parent.get("images"))), None)
    needs_choice = bool(entry.get("has_options")) or product_id in (
        parents.open_variations if parents else ()
    )
    return RawOffer(
        external_id="" if product_id is None else str(product_id),
        url=address(root, entry.get("permalink")) or "",
        title=variant_title(title, attributes.values()),
        price=now,
        price_currency=text(prices.get("currency_code"), 3),
        list_price=before if is_reduced else None,
        price_kind="from" if kind in {"variable", "grouped"} else "sale" if is_reduced else None,
        availability=_availability(entry),
        stock_level=_stock_level(entry),
        brand=_first_name(entry.get("brands")) or _first_name(parent.get("brands")),
        sku=code(entry.get("sku")),
        category=_first_name(entry.get("categories")) or _first_name(parent.get("categories")),
        image_url=address(root, mapping(picture).get("src")),
        item_group_id=code(entry.get("parent")) if kind == "variation" else None,
        variant_attributes=attributes,
        handoff={"needs_choice": "yes"} if needs_choice else {},
        source="store_api",
        raw=storable(
            {key: entry.get(key) for key in ("id", "name", "type", "sku", "variation", "permalink", "prices")}
        ),
    )


def _attributes(words: str) -> dict[str, str]:
    """ "Colour: Black, Storage: 128GB" as a mapping; a comma inside of a value stays with it."""
    pairs = re.findall(r"([^:,][^:]*?):\s*(.*?)(?=,\s*[^:,]+:|$)", words)
    return {name.strip(): value.strip() for name, value in pairs if name.strip() and value.strip()}


def _first_name(terms: object) -> str | None:
    return next((name for term in rows(terms) if (name := text(mapping(term).get("name"), 200))), None)


def _availability(entry: Mapping[str, Any]) -> str | None:
    if entry.get("is_on_backorder") is True:
        return "BackOrder"
    in_stock = entry.get("is_in_stock")
    return ("InStock" if in_stock else "OutOfStock") if isinstance(in_stock, bool) else None


def _stock_level(entry: Mapping[str, Any]) -> int | None:
    """How many one order can hold, where the store says so."""
    if entry.get("sold_individually") is True:
        return 1
    left = whole(entry.get("low_stock_remaining"))
    most = whole(mapping(entry.get("add_to_cart")).get("maximum"))
    return left if left is not None else most if most is not None and 0 < most < _UNLIMITED else None


def detect(evidence: Evidence) -> Detection:
    """Confirmed by the Store API itself; the generator tag tells the version."""
    home = evidence.home
    signals = []
    version = _GENERATOR.search(home.text)
    if version:
        signals.append(Signal(f"generator WooCommerce {version[1]}", "home page"))
    if "/plugins/woocommerce/" in home.text or "wc_add_to_cart_params" in home.text:
        signals.append(Signal("WooCommerce's scripts", "home page"))
    if "https://api.w.org/" in home.headers.get("link", ""):
        signals.append(Signal("a WordPress API link", "header"))
    for path in (_PRETTY, _PLAIN) if signals else (_PRETTY,):
        listing = evidence.get(_listing_url(path, {}, 1))
        products = rows(page_json(listing))
        first = mapping(products[0]) if products else {}
        if "permalink" in first and {"currency_minor_unit", "currency_code"} <= set(
            mapping(first.get("prices"))
        ):
            assert listing is not None
            signals.append(Signal("products priced in minor units", path))
            return Detection(
                confidence=0.98,
                signals=tuple(signals),
                sources=(Source(kind="store_api", url=re.sub(r"[?&]orderby=.*", "", listing.url)),),
                name=site_name(home),
                currency=text(mapping(first.get("prices")).get("currency_code"), 3),
                options={"woocommerce_version": version[1]} if version else {},
                listed=whole(listing.headers.get("x-wp-total")),
            )
        if listing is None or listing.status != 404:
            break
    return Detection(confidence=0.4, signals=tuple(signals)) if signals else NOT_DETECTED


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read one by one by /products/{id}, which knows variations too."""
    root = _root(store)
    return [_check(root, store, line, fetcher) for line in lines]


def _check(root: str, store: Store, line: HandOffLine, fetcher: Fetcher) -> OfferState:
    if not line.external_id.isdigit():
        return unknown_state(line.external_id, "has no product number")
    try:
        answer: Answer | None = None
        for path in (_PRETTY, _PLAIN):
            answer = fetcher.get(f"{root}{path}/{line.external_id}")
            if answer.status != 404 or "rest_no_route" not in answer.text[:500]:
                break
        assert answer is not None
        offers = list(read_product(answer.expect_ok().json(), root))
    except StoreError as error:
        gone = isinstance(error, FetchFailed) and error.status == 404
        return unknown_state(line.external_id, NO_LONGER_LISTED if gone else error.problem)
    if not offers or offers[0].external_id != line.external_id:
        return unknown_state(line.external_id, "is not sold by itself")
    return state_of(offers[0], store)


def build_handoff(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """A checkout link for all lines where the version knows it; it empties the shopper's cart first.

    Older and unknown versions take one add-to-cart link a line; a product that leaves a choice to the
    shopper is only linked to.
    """
    root = _root(store)
    if not lines or not all(line.external_id.isascii() and line.external_id.isdigit() for line in lines):
        return product_links(store, lines)
    is_linkable = ["needs_choice" not in dict(line.handoff) for line in lines]
    if all(is_linkable) and _knows_checkout_links(store.options.get("woocommerce_version", "")):
        pairs = ",".join(f"{product_id}:{quantity}" for product_id, quantity in quantities(lines).items())
        url = f"{root}/checkout-link/?products={pairs}"
        return HandOff(kind="cart_link", url=url, item_urls=_add_links(root, lines), replaces_cart=True)
    if not any(is_linkable):
        return product_links(store, lines)
    links = (
        link if linkable else line.url
        for line, link, linkable in zip(lines, _add_links(root, lines), is_linkable, strict=True)
    )
    return HandOff(kind="item_link", url=None, item_urls=tuple(links))


def _add_links(root: str, lines: Sequence[HandOffLine]) -> tuple[str, ...]:
    """What adds one line after another to the cart that there is."""
    return tuple(f"{root}/?add-to-cart={line.external_id}&quantity={line.quantity}" for line in lines)


def _knows_checkout_links(version: str) -> bool:
    major = version.partition(".")[0]
    return major.isdecimal() and int(major) >= _CHECKOUT_LINKS_SINCE


platform = StorePlatform(
    name="woocommerce",
    title="WooCommerce",
    detect=detect,
    source=WooCommerceSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="cart_link", build=build_handoff),
    options=("woocommerce_version",),
)
