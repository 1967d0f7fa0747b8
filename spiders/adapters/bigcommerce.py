"""BigCommerce: one of its APIs with a merchant's token, else product pages; checkout links by SKU."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

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
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.adapters import bigcommerce_storefront, generic
from spiders.handoffs import origin, product_links
from spiders.json_pages import page_json
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.page_walks import read_listed_pages
from spiders.site_names import site_name
from spiders.store_options import header_value, needed_key
from spiders.untrusted import (
    address,
    code,
    decimal,
    mapping,
    price,
    refused,
    rows,
    storable,
    text,
    whole,
)
from spiders.variant_titles import variant_title

PAGE_SIZE = 250
_MOST_PAGES = 4000
_API = "https://api.bigcommerce.com/stores"
_SITEMAP = "/xmlsitemap.php"
_CARTS = "/api/storefront/carts"
_MARKS = (
    (
        "meta platform=bigcommerce",
        0.6,
        re.compile(r"<meta\b(?=[^<>]*\bplatform\b)[^<>]*=[\"']?bigcommerce", re.I),
    ),
    ("assets of cdn…bigcommerce.com", 0.5, re.compile(r"//cdn\d*\.bigcommerce\.com/s-\w+/", re.I)),
    ("stencil's script", 0.4, re.compile(r"\bstencilBootstrap\(|/stencil/[0-9a-f-]{20,}", re.I)),
    ("bigcommerce_config", 0.4, re.compile(r"\bbigcommerce_config\b", re.I)),
)
# A link that names a SKU of digits alone may be read as a product's id.
_LINKABLE_SKU = re.compile(r"(?=.*[^\W\d_])[^,:]{1,100}")
_AVAILABLE = {"available": True, "disabled": False}


class BigCommerceSource:
    """The catalogue by one of its APIs where a token is set, else every page that the sitemap lists."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every purchasable variant. Raises StoreError where the catalogue cannot be read to its end."""
        if store.options.get("storefront_token"):
            return bigcommerce_storefront.fetch_offers(store, fetcher)
        if "access_token" not in store.options and "store_hash" not in store.options:
            return read_listed_pages(store, fetcher, sitemap_url=origin(store) + _SITEMAP)
        return self._from_api(store, fetcher)

    def _from_api(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        currency = code(mapping(_ask(store, fetcher, "/v2/store", {})).get("currency")) or store.currency
        page, pages = 1, 1
        while page <= pages:
            query = {
                "include": "variants,primary_image", "is_visible": "true", "limit": str(PAGE_SIZE),
                "page": str(page),
            }  # fmt: skip
            document = mapping(_ask(store, fetcher, "/v3/catalog/products", query))
            products = document.get("data")
            told = whole(mapping(mapping(document.get("meta")).get("pagination")).get("total_pages"))
            if not isinstance(products, list) or told is None or told > _MOST_PAGES:
                raise UnreadableAnswer(store.url, "has no list of products with its number of pages")
            for product in products:
                yield from read_product(product, origin(store), currency=currency)
            pages = told
            page += 1


def _ask(store: Store, fetcher: Fetcher, path: str, query: Mapping[str, str]) -> Any:
    # Either of the two says that the API is meant; then both are needed.
    store_hash = needed_key(store, "store_hash", "the last part of the API path in the store's settings")
    token = header_value(store, "access_token", needed_key(store, "access_token", "of an API account"))
    if not re.fullmatch(r"[A-Za-z0-9_]{3,40}", store_hash):
        raise FetchRefused(
            store.url, "store_hash holds letters and digits only; set it anew with --set store_hash=…"
        )
    url = f"{_API}/{store_hash}{path}" + (f"?{urlencode(query)}" if query else "")
    headers = {"X-Auth-Token": token, "Accept": "application/json"}
    return fetcher.get(url, headers=headers, max_bytes=50_000_000).expect_ok().json()


def read_product(
    product: object, root: str, *, currency: str | None = None
) -> Iterator[RawOffer | InvalidOffer]:
    """One product of the V3 or V2 catalogue: its variants where it has several, else itself.

    Amounts are numbers or decimal strings in major units of the store's currency, which no answer names; zero in
    `sale_price` or `retail_price` says that there is none.
    """
    entry = mapping(product)
    product_id, name = code(entry.get("id")), text(entry.get("name"))
    if product_id is None:
        yield refused("no_id", product, title=name, detail="a product without id")
        return
    place = entry.get("custom_url")
    url = address(root, mapping(place).get("url") if isinstance(place, dict) else place) or root
    if entry.get("is_price_hidden") is True:
        yield refused(
            "hidden_price", product, external_id=product_id, title=name, url=url,
            detail="the store does not show its price",
        )  # fmt: skip
        return
    variants = [mapping(one) for one in rows(entry.get("variants"))]
    # A product without options has one variant that stands for itself.
    if len(variants) == 1 and not rows(variants[0].get("option_values")):
        variants = []
    for variant in variants or [{}]:
        yield _offer(entry, variant, product_id, name or "", url, currency)


def _offer(
    product: Mapping[str, Any],
    variant: Mapping[str, Any],
    product_id: str,
    name: str,
    url: str,
    currency: str | None,
) -> RawOffer | InvalidOffer:
    variant_id = code(variant.get("id"))
    if variant and variant_id is None:
        return refused("no_id", dict(variant), title=name, url=url, detail="a variant without id")
    chosen = {
        (text(mapping(one).get("option_display_name"), 50) or f"Option {place}"): label
        for place, one in enumerate(rows(variant.get("option_values")), start=1)
        if (label := text(mapping(one).get("label"), 100))
    }
    own = {**product, **{key: value for key, value in variant.items() if value not in (None, "")}}
    now = _first_price(own, "calculated_price", "sale_price", "price")
    before = _amount(own.get("retail_price")) or _amount(own.get("price"))
    is_reduced = isinstance(now, Decimal) and before is not None and before > now
    sku = code(own.get("sku"))
    picture = own.get("image_url") or next(
        (
            found
            for key in ("url_standard", "standard_url")
            if (found := mapping(own.get("primary_image")).get(key))
        ),
        None,
    )
    return RawOffer(
        external_id=f"{product_id}-{variant_id}" if variant else product_id,
        url=f"{url}?{urlencode({'sku': sku})}" if variant and sku else url,
        title=variant_title(name, chosen.values()),
        price=now,
        price_currency=currency,
        list_price=before if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        availability=_availability(product, variant),
        stock_level=_stock(own),
        item_condition=text(own.get("condition"), 40),
        gtin=code(own.get("gtin")) or code(own.get("upc")),
        mpn=code(own.get("mpn")),
        sku=sku,
        image_url=address(url, picture),
        item_group_id=product_id if variant else None,
        variant_attributes=chosen,
        source="catalog_api",
        raw=storable(
            {
                "group": {"sku": code(product.get("sku")), "name": name} if variant else None,
                "product": {key: product.get(key) for key in ("id", "name", "sku", "price", "availability")},
                "variant": dict(variant),
            }
        ),
    )


def _first_price(own: Mapping[str, Any], *names: str) -> Decimal | str | None:
    """The first that tells an amount; zero only where all others are missing, too."""
    return next((amount for name in names if (amount := _amount(own.get(name)))), None) or price(
        own.get("price")
    )


def _amount(value: object) -> Decimal | None:
    """An amount above zero: zero stands for none here."""
    amount = decimal(value)
    return amount if amount is not None and amount > 0 else None


def _availability(product: Mapping[str, Any], variant: Mapping[str, Any]) -> str | bool | None:
    """What can be bought now: stock counts only where the product tracks it."""
    if product.get("is_preorder_only") is True or product.get("availability") == "preorder":
        return "PreOrder"
    if variant.get("purchasing_disabled") is True or product.get("availability") == "disabled":
        return False
    stock = _stock({**product, **variant})
    if stock is not None:
        return stock > 0
    return _AVAILABLE.get(text(product.get("availability"), 20) or "")


def _stock(own: Mapping[str, Any]) -> int | None:
    tracked = text(own.get("inventory_tracking"), 20)
    level = whole(own.get("inventory_level"))
    # Tracked by SKU, the product's own number is the sum of its variants.
    is_tracked = tracked in {"product", "simple", "sku", "variant"}
    return level if is_tracked and level is not None and level >= 0 else None


def detect(evidence: Evidence) -> Detection:
    """Marks of its storefront, confirmed by its own sitemap."""
    home = evidence.home
    seen = [(what, weight) for what, weight, mark in _MARKS if mark.search(home.text[:500_000])]
    signals = [Signal(what, "home page") for what, _ in seen]
    if re.search(r"\b(?:fornax_anonymousId|SHOP_SESSION_TOKEN)=", home.headers.get("set-cookie", "")):
        signals.append(Signal("its session cookies", "header"))
        seen.append(("cookie", 0.5))
    if not seen:
        return NOT_DETECTED
    if sum(weight for _, weight in seen) < 0.8:
        return Detection(confidence=0.4, signals=tuple(signals))
    page = evidence.get(_SITEMAP)
    if page is not None and page.status == 200 and "<sitemapindex" in page.text[:2000]:
        signals.append(Signal("a sitemap index", _SITEMAP))
    elif isinstance(page_json(evidence.get(_CARTS)), list):
        signals.append(Signal("the storefront's own API", _CARTS))
    else:
        return Detection(confidence=0.4, signals=tuple(signals))
    root = read_web_address(home.url).origin
    return Detection(
        confidence=0.9,
        signals=tuple(signals),
        sources=(Source(kind="sitemap", url=f"{root}{_SITEMAP}"),),
        name=site_name(home),
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read by the product's number where a token is set, else each line's own page."""
    if "access_token" not in store.options and not store.options.get("storefront_token"):
        return generic.check_offers(store, lines, fetcher)
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    try:
        ids = {whole(line.external_id.partition("-")[0]) for line in lines} - {None}
        for offer in _chosen(store, fetcher, sorted(number for number in ids if number is not None)):
            found[offer.external_id] = state_of(offer, store)
    except StoreError as error:
        problem = error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


def _chosen(store: Store, fetcher: Fetcher, ids: Sequence[int]) -> Iterator[RawOffer | InvalidOffer]:
    if store.options.get("storefront_token"):
        yield from bigcommerce_storefront.fetch_chosen(store, fetcher, ids)
        return
    query = {"include": "variants", "limit": str(PAGE_SIZE), "id:in": ",".join(map(str, ids))}
    for product in rows(mapping(_ask(store, fetcher, "/v3/catalog/products", query)).get("data")):
        yield from read_product(product, origin(store), currency=store.currency)


def build_handoff(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """One checkout link for all lines by SKU; it makes a new cart at each visit.

    Ids cannot choose a variant, and how a SKU of digits alone is told from an id is unknown: those get pages.
    """
    wanted: dict[str, int] = {}
    for line in lines:
        if line.sku is None or not _LINKABLE_SKU.fullmatch(line.sku):
            return product_links(store, lines)
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    if not wanted:
        return product_links(store, lines)
    pairs = ",".join(f"{quote(sku, safe='')}:{quantity}" for sku, quantity in wanted.items())
    url = f"{origin(store)}/checkout/?products={pairs}&order_source=www&action=buy"
    return HandOff(kind="cart_link", url=url, replaces_cart=True)


platform = StorePlatform(
    name="bigcommerce",
    title="BigCommerce",
    detect=detect,
    source=BigCommerceSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="cart_link", build=build_handoff),
    options=("store_hash", "sitemap_url"),
    secret_options=("access_token", "storefront_token"),
)
