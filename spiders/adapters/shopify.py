"""Shopify: the public products.json, variants as offers, cart permalinks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from aggregator.domain.cart_links import quantities
from aggregator.domain.errors import FetchFailed, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import (
    NOT_DETECTED,
    Detection,
    HandOff,
    HandOffLine,
    Page,
    Signal,
    Source,
    Store,
)
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.adapters import shopify_storefront
from spiders.handoffs import origin, product_links
from spiders.json_pages import page_json
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.sitemaps import SitemapListing
from spiders.untrusted import address, code, decimal, mapping, price, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title

PAGE_SIZE = 250
# Shopify's own cap: beyond 25,000 products the listing repeats or fails.
MAX_PAGES = 100
MOST_LISTED = 200_000
_MARKS = ("cdn.shopify.com", "Shopify.theme", "window.Shopify", "shopify-digital-wallet", "/cdn/shop/")


@dataclass(frozen=True, slots=True)
class _Shop:
    names: frozenset[str]
    currency: str | None


class ShopifySource:
    """Walks products.json to its empty page, and what lies beyond its cap by the sitemap; each variant is an offer."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every variant. Raises StoreError where the walk cannot be ended."""
        if store.options.get("storefront_token"):
            return (yield from shopify_storefront.fetch_offers(store, fetcher))
        root = origin(store)
        shop = _read_shop(store, fetcher)
        seen: set[str] = set()
        handles: set[str] = set()
        repeated_pages = 0
        for page in range(1, MAX_PAGES + 1):
            url = f"{root}/products.json?limit={PAGE_SIZE}&page={page}"
            products = _products(url, fetcher.get_json(url)[1])
            if not products:
                return
            known = len(seen)
            for product in products:
                handles.add(text(mapping(product).get("handle")) or "")
                yield from self._new_offers(root, product, shop, seen)
            # Some shops repeat a page now and then; one that only repeats ignores paging and never ends.
            repeated_pages = repeated_pages + 1 if len(seen) == known else 0
            if page == MAX_PAGES and len(products) < PAGE_SIZE:
                return
            if repeated_pages == 2:
                raise UnreadableAnswer(url, "repeats what earlier pages listed, so its end cannot be found")
        yield from self._beyond_the_cap(root, shop, fetcher, seen, handles)

    def _beyond_the_cap(
        self, root: str, shop: _Shop, fetcher: Fetcher, seen: set[str], handles: set[str]
    ) -> Iterator[RawOffer | InvalidOffer]:
        """The products that only the sitemap lists, one request each. Raises StoreError where one does not answer."""
        listing = SitemapListing(fetcher, root, sitemap_url=f"{root}/sitemap.xml", most_pages=MOST_LISTED)
        for page in listing.pages():
            handle = _handle(page)
            if "/products/" not in page or handle in handles:
                continue
            handles.add(handle)
            answer = fetcher.get(f"{root}/products/{quote(handle, safe='-')}.js")
            if answer.status not in {404, 410}:
                yield from self._new_offers(root, answer.expect_ok().json(), shop, seen)
        if listing.problem:
            raise UnreadableAnswer(root, listing.problem)

    def _new_offers(
        self, root: str, product: object, shop: _Shop, seen: set[str]
    ) -> Iterator[RawOffer | InvalidOffer]:
        product_id = code(mapping(product).get("id"))
        if product_id is None:
            yield refused(
                "no_id", product, title=mapping(product).get("title"), detail="a product without id"
            )
        elif product_id not in seen:
            seen.add(product_id)
            yield from read_product(mapping(product), root, shop.currency, shop.names)


def _products(url: str, document: Any) -> list[Any]:
    products = mapping(document).get("products")
    if not isinstance(products, list):
        raise UnreadableAnswer(url, "has no list of products")
    return products


def _read_shop(store: Store, fetcher: Fetcher) -> _Shop:
    """Names and currency in the session that the prices come in; either answer may be closed to us."""
    root = origin(store)
    cart, meta = _optional(fetcher, f"{root}/cart.js"), _optional(fetcher, f"{root}/meta.json")
    currency = code(cart.get("currency")) or code(meta.get("currency")) or store.currency
    return _Shop(_shop_names(store.name, text(meta.get("name"))), currency)


def _optional(fetcher: Fetcher, url: str) -> Mapping[str, Any]:
    try:
        return mapping(fetcher.get(url, max_bytes=1_000_000).expect_ok().json())
    except StoreError:
        return {}


def _shop_names(*names: str | None) -> frozenset[str]:
    return frozenset(_compact(name) for name in names if name)


def _compact(name: str) -> str:
    return re.sub(r"\W+", "", name).casefold()


def read_product(
    product: Mapping[str, Any], root: str, currency: str | None, shop_names: frozenset[str] = frozenset()
) -> Iterator[RawOffer | InvalidOffer]:
    """One product of products.json: each of its variants as an offer of one item group.

    Prices are decimal strings in major units; in the form of one product (`.js`), which tells a price of its own,
    they are whole hundredths in every currency. `vendor` is no brand where it is the shop's own name.
    """
    title, handle = text(product.get("title")), text(product.get("handle"))
    variants = rows(product.get("variants"))
    if not variants:
        yield refused(
            "no_variants", product, external_id=product.get("id"), title=title, detail="nothing to sell in it"
        )
    names = [text(mapping(option).get("name")) for option in rows(product.get("options"))]
    pictures = [mapping(picture).get("src") or picture for picture in rows(product.get("images"))]
    vendor = text(product.get("vendor"))
    unit = Decimal(100) if whole(product.get("price")) is not None else Decimal(1)
    for variant in map(mapping, variants):
        variant_id = code(variant.get("id"))
        if variant_id is None:
            yield refused("no_id", variant, title=title, detail="a variant without id")
            continue
        values = [text(variant.get(f"option{number}")) for number in (1, 2, 3)]
        attributes = {
            name or f"Option {place}": value
            for place, (name, value) in enumerate(zip_longest(names[:3], values), start=1)
            if value and value.casefold() != "default title"
        }
        path = f"{root}/products/{quote(handle or '', safe='-')}"
        before, now = _amount(variant.get("compare_at_price"), unit), _amount(variant.get("price"), unit)
        is_reduced = before is not None and now is not None and before > now
        picture = mapping(variant.get("featured_image")).get("src") or next(iter(pictures), None)
        yield RawOffer(
            external_id=variant_id,
            url=f"{path}?variant={variant_id}" if len(variants) > 1 else path,
            title=variant_title(title, attributes.values()),
            price=now if now is not None else price(variant.get("price")),
            price_currency=currency,
            list_price=before if is_reduced else None,
            price_kind="sale" if is_reduced else None,
            availability=_is_available(variant),
            stock_level=_stock_level(variant),
            brand=vendor if vendor and _compact(vendor) not in shop_names else None,
            gtin=code(variant.get("barcode")),
            sku=code(variant.get("sku")),
            category=text(product.get("product_type")) or text(product.get("type")),
            image_url=address(root, picture),
            item_group_id=code(product.get("id")) if len(variants) > 1 else None,
            variant_attributes=attributes,
            source="products_json",
            raw=storable(
                {"product": product.get("id"), "handle": handle, "title": title, "variant": variant}
            ),
        )


def _amount(value: object, unit: Decimal) -> Decimal | None:
    amount = decimal(value)
    return None if amount is None else amount / unit


def _is_available(variant: Mapping[str, Any]) -> bool | None:
    """As the public listing says it, else by the stock that the merchant's own form of it tells."""
    if isinstance(variant.get("available"), bool):
        return bool(variant["available"])
    if "inventory_management" not in variant:
        return None
    if variant["inventory_management"] is None or variant.get("inventory_policy") == "continue":
        return True
    quantity = whole(variant.get("inventory_quantity"))
    return None if quantity is None else quantity > 0


def _stock_level(variant: Mapping[str, Any]) -> int | None:
    """How many there are, where the store sells no more than that."""
    is_limited = variant.get("inventory_management") and variant.get("inventory_policy") == "deny"
    quantity = whole(variant.get("inventory_quantity")) if is_limited else None
    return quantity if quantity is not None and quantity > 0 else None


def detect(evidence: Evidence) -> Detection:
    """Confirmed by the catalogue in its own JSON form."""
    home = evidence.home
    signals = [Signal(mark, "home page") for mark in _MARKS if mark in home.text]
    signals += [Signal(name, "header") for name in ("x-shopid", "x-shopify-stage") if name in home.headers]
    root = "/products.json"
    listing = evidence.get(f"{root}?limit={PAGE_SIZE}&page=1")
    products = rows(mapping(page_json(listing)).get("products"))
    first = mapping(products[0]) if products else {}
    if not first or "handle" not in first or not rows(first.get("variants")):
        return Detection(confidence=0.3, signals=tuple(signals)) if len(signals) > 1 else NOT_DETECTED
    assert listing is not None
    signals.append(Signal("products with handles and variants", root))
    cart, meta = mapping(page_json(evidence.get("/cart.js"))), mapping(page_json(evidence.get("/meta.json")))
    if "item_count" in cart:
        signals.append(Signal("a cart with item_count", "/cart.js"))
    if meta.get("myshopify_domain"):
        signals.append(Signal("myshopify_domain", "/meta.json"))
    confirmed = "item_count" in cart or bool(meta.get("myshopify_domain"))
    return Detection(
        confidence=0.98 if confirmed else 0.9 if len(signals) > 1 else 0.75,
        signals=tuple(signals),
        sources=(Source(kind="products_json", url=_base(listing) + root),),
        name=text(meta.get("name"), 100),
        currency=code(cart.get("currency")) or code(meta.get("currency")),
        country=code(meta.get("country")),
        listed=whole(meta.get("published_products_count")),
    )


def _base(page: Page) -> str:
    parts = urlsplit(page.url)
    return f"{parts.scheme}://{parts.netloc}"


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read by /products/{handle}.js, whose prices are whole hundredths in every currency."""
    shop = _read_shop(store, fetcher)
    found: dict[str, OfferState] = {}
    problems: dict[str, str] = {}
    for handle in dict.fromkeys(_handle(line.url) for line in lines):
        url = f"{origin(store)}/products/{quote(handle, safe='-')}.js"
        try:
            product = mapping(fetcher.get_json(url)[1])
        except StoreError as error:
            gone = isinstance(error, FetchFailed) and error.status == 404
            problems[handle] = NO_LONGER_LISTED if gone else error.problem
            continue
        for variant in map(mapping, rows(product.get("variants"))):
            cents, variant_id = decimal(variant.get("price")), code(variant.get("id"))
            if variant_id is not None:
                raw = RawOffer(
                    external_id=variant_id,
                    url=store.url,
                    title=text(product.get("title")) or handle,
                    price=None if cents is None else cents / Decimal(100),
                    price_currency=shop.currency,
                    availability=variant.get("available")
                    if isinstance(variant.get("available"), bool)
                    else None,
                )
                found[variant_id] = state_of(raw, store)
    return [
        found.get(line.external_id)
        or unknown_state(line.external_id, problems.get(_handle(line.url), NO_LONGER_LISTED))
        for line in lines
    ]


def _handle(url: str) -> str:
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])


def build_handoff(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """A cart permalink: /cart/VARIANT:QUANTITY,… It takes variant ids only, and replaces the cart."""
    wanted = quantities(lines)
    if not wanted or not all(external_id.isascii() and external_id.isdigit() for external_id in wanted):
        return product_links(store, lines)
    pairs = ",".join(f"{variant_id}:{quantity}" for variant_id, quantity in wanted.items())
    return HandOff(kind="cart_link", url=f"{origin(store)}/cart/{pairs}", replaces_cart=True)


platform = StorePlatform(
    name="shopify",
    title="Shopify",
    detect=detect,
    source=ShopifySource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="cart_link", build=build_handoff),
    options=("country", "api_version"),
    secret_options=("storefront_token",),
)
