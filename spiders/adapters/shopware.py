"""Shopware 6: the Store API with a sales channel's access key, else the pages of its sitemap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from aggregator.domain.errors import FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Signal, Source, Store
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.adapters.generic import check_offers as check_pages
from spiders.handoffs import origin, product_links
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.page_walks import read_listed_pages
from spiders.site_names import site_name
from spiders.store_options import api_address, header_value, product_page
from spiders.untrusted import address, code, decimal, mapping, price, rows, storable, text, whole
from spiders.variant_titles import variant_title

# The server's own maximum unless a shop raises it.
PAGE_SIZE = 100
MAX_PAGES = 5000
API_PATH = "/store-api"
USUAL_PAGE = "/detail/{id}"
_ASSOCIATIONS: Mapping[str, Any] = {
    "manufacturer": {},
    "cover": {},
    "options": {"associations": {"group": {}}},
    "categories": {},
}
_HEADERS = ("sw-context-token", "sw-language-id", "sw-version-id", "sw-invalidation-states")
_MARKS = (
    '<meta name="application-name" content="Shopware"',
    "/bundles/storefront/",
    "window.activeRoute = 'frontend.",
    'window.router["frontend.',
    "window.router['frontend.",
)


class ShopwareSource:
    """Walks the products of a sales channel; without its access key, the product pages of the storefront."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every product and variant. Raises StoreError where they cannot be read to their end."""
        if not store.options.get("access_key"):
            yield from read_listed_pages(store, fetcher)
            return
        api = _Api(store, fetcher)
        context = api.context()
        seen: set[str] = set()
        for page in range(1, MAX_PAGES + 1):
            listing = api.products({"page": page, "limit": PAGE_SIZE})
            products, total = listing.get("elements"), whole(listing.get("total"))
            if not isinstance(products, list) or total is None:
                raise UnreadableAnswer(api.root, "has no list of products")
            known = len(seen)
            for product in map(mapping, products):
                seen.add(text(product.get("id"), 200) or "")
                # A product with variants is only their container: what can be bought is listed beside it.
                if not whole(product.get("childCount")):
                    yield read_product(product, store, context)
            if len(products) < PAGE_SIZE:
                if len(seen) < total:
                    raise UnreadableAnswer(api.root, f"listed {len(seen)} products of {total}")
                return
            if len(seen) == known:
                raise UnreadableAnswer(api.root, "repeats what it listed before, so its end cannot be found")
        raise UnreadableAnswer(api.root, f"has more than the {MAX_PAGES} pages that are walked")


class _Api:
    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self.root = api_address(store, API_PATH).rstrip("/")
        key = header_value(store, "access_key", store.options.get("access_key", ""))
        self._headers = {"sw-access-key": key, "sw-include-seo-urls": "1", "Accept": "application/json"}
        for option in ("language_id", "currency_id"):
            if value := store.options.get(option):
                self._headers[f"sw-{option.replace('_', '-')}"] = header_value(store, option, value)
        self._fetcher = fetcher

    def context(self) -> Mapping[str, Any]:
        answer = self._fetcher.get(f"{self.root}/context", headers=self._headers)
        self._refuse_bad_key(answer.status)
        return mapping(answer.expect_ok().json())

    def products(self, criteria: Mapping[str, Any]) -> Mapping[str, Any]:
        body = {**criteria, "associations": _ASSOCIATIONS, "total-count-mode": 1}
        body.setdefault("sort", [{"field": "id", "order": "ASC"}])
        answer = self._fetcher.post_json(f"{self.root}/product", body, headers=self._headers)
        self._refuse_bad_key(answer.status)
        return mapping(answer.expect_ok().json())

    def _refuse_bad_key(self, status: int) -> None:
        if status in {401, 403, 412}:
            raise FetchRefused(
                self.root, f"does not accept the access key (HTTP {status}); set it with --set access_key=…"
            )


def read_product(product: Mapping[str, Any], store: Store, context: Mapping[str, Any]) -> RawOffer:
    """One product or variant as an offer; what a variant leaves out the server has filled in from its parent.

    Amounts are decimals in major units. Where the customer group is shown net prices, the tax is added.
    """
    words = mapping(product.get("translated"))
    product_id = code(product.get("id")) or ""
    tiers = [mapping(tier) for tier in rows(product.get("calculatedPrices"))]
    asked = tiers[0] if tiers else mapping(product.get("calculatedPrice"))
    unit, before = decimal(asked.get("unitPrice")), decimal(mapping(asked.get("listPrice")).get("price"))
    if text(context.get("taxState")) == "net" and unit is not None:
        taxes = [decimal(mapping(tax).get("taxRate")) for tax in rows(asked.get("calculatedTaxes"))]
        rate = Decimal(1) + sum((tax for tax in taxes if tax is not None), Decimal(0)) / 100
        unit, before = unit * rate, None if before is None else before * rate
    is_reduced = before is not None and unit is not None and before > unit
    attributes = {
        _name(mapping(option).get("group"), 100) or f"Option {place}": value
        for place, option in enumerate(rows(product.get("options")), start=1)
        if (value := _name(option, 200))
    }
    left = whole(product.get("availableStock"))
    availability = _availability(product, left)
    return RawOffer(
        external_id=product_id,
        url=_page(product, product_id, store) or "",
        title=variant_title(text(words.get("name")) or text(product.get("name")), attributes.values()),
        price=unit if unit is not None else price(asked.get("unitPrice")),
        price_currency=text(mapping(context.get("currency")).get("isoCode"), 10),
        list_price=before if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        availability=availability,
        stock_level=left if availability == "InStock" and left is not None and left > 0 else None,
        brand=_name(product.get("manufacturer"), 200),
        gtin=code(product.get("ean")),
        mpn=code(product.get("manufacturerNumber")),
        sku=code(product.get("productNumber")),
        category=next((name for one in rows(product.get("categories")) if (name := _name(one, 200))), None),
        image_url=address(
            f"{origin(store)}/", mapping(mapping(product.get("cover")).get("media")).get("url")
        ),
        item_group_id=code(product.get("parentId")),
        variant_attributes=attributes,
        source="store_api",
        raw=storable(
            {
                key: product.get(key)
                for key in ("id", "name", "productNumber", "calculatedPrice", "calculatedPrices")
            }
        ),
    )


def _name(holder: object, limit: int) -> str | None:
    named = mapping(holder)
    return text(mapping(named.get("translated")).get("name"), limit) or text(named.get("name"), limit)


def _page(product: Mapping[str, Any], product_id: str, store: Store) -> str | None:
    paths = [text(mapping(seo).get("seoPathInfo")) for seo in rows(product.get("seoUrls"))]
    path = next((path for path in paths if path), None)
    if path and not store.options.get("product_url_template"):
        return address(f"{origin(store)}/", path.lstrip("/"))
    return product_page(
        store, USUAL_PAGE, {"id": product_id, "sku": code(product.get("productNumber")), "path": path}
    )


def _availability(product: Mapping[str, Any], left: int | None) -> str | None:
    available = product.get("available")
    if not isinstance(available, bool):
        return None
    if available and left is not None and left <= 0:
        return "BackOrder"
    return "InStock" if available else "OutOfStock"


def detect(evidence: Evidence) -> Detection:
    """By the storefront's headers and marks, confirmed by the Store API asking for its access key."""
    home = evidence.home
    sent = [Signal(name, "header") for name in _HEADERS if name in home.headers]
    signals = sent + [Signal(mark, "home page") for mark in _MARKS if mark in home.text]
    if not signals:
        return NOT_DETECTED
    path = f"{API_PATH}/context"
    api = evidence.get(path)
    if api is None or api.status not in {401, 403, 412} or "sw-access-key" not in api.text[:4000]:
        # Words in a page can be quoted from elsewhere; a header is not.
        confidence = 0.7 if sent and len(signals) > 1 else 0.4
        return Detection(confidence=confidence, signals=tuple(signals), name=site_name(home))
    signals.append(Signal("the Store API asks for sw-access-key", path))
    signals.append(Signal("product pages unless a key is given: --set access_key=…", "platform"))
    return Detection(
        confidence=0.95,
        signals=tuple(signals),
        sources=(Source(kind="store_api", url=api.url.removesuffix("/context")),),
        name=site_name(home),
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read all lines in one question; without a key, each line's own page."""
    if not store.options.get("access_key"):
        return check_pages(store, lines, fetcher)
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    try:
        api = _Api(store, fetcher)
        context = api.context()
        ids = list(dict.fromkeys(line.external_id for line in lines))
        for start in range(0, len(ids), PAGE_SIZE):
            part = ids[start : start + PAGE_SIZE]
            for product in map(
                mapping, rows(api.products({"ids": part, "limit": len(part)}).get("elements"))
            ):
                offer = read_product(product, store, context)
                found[offer.external_id] = state_of(offer, store)
    except StoreError as error:
        problem = error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


platform = StorePlatform(
    name="shopware",
    title="Shopware",
    detect=detect,
    source=ShopwareSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=("api_url", "language_id", "currency_id", "product_url_template", "sitemap_url"),
    secret_options=("access_key",),
)
