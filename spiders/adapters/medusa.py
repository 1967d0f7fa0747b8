"""Medusa 2: the Store API with a publishable key, variants as offers in one region."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Signal, Source, Store
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import product_links
from spiders.json_pages import is_bare_api
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.store_options import api_address, header_value, needed_key, product_page
from spiders.untrusted import address, code, decimal, mapping, price, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title

PAGE_SIZE = 100
MAX_PAGES = 5000
# The starter storefront names its pages so; others set product_url_template.
USUAL_PAGE = "/{country}/products/{handle}"
_FIELDS = "*variants.calculated_price,+variants.inventory_quantity,+metadata"
_STOREFRONT = re.compile(r"\bpk_[0-9a-f]{64}\b")
_KEY_WANTED = "publishable api key required"
_KEY_HINT = "a publishable API key, made in the shop's own settings"


@dataclass(frozen=True, slots=True)
class _Market:
    region: str
    currency: str | None
    country: str | None


class MedusaSource:
    """Walks the products of one region; each variant is an offer."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every variant. Raises StoreError where the listing cannot be read to its end."""
        api = _Api(store, fetcher)
        market = api.market()
        offset = 0
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            listing = api.get("/products", {**_asked(market), "limit": str(PAGE_SIZE), "offset": str(offset)})
            products, total = rows(listing.get("products")), whole(listing.get("count"))
            if total is None or (not products and offset < total):
                raise UnreadableAnswer(api.root, f"lists nothing from {offset} on, of {total}")
            known = len(seen)
            for product in products:
                seen.add(text(mapping(product).get("id"), 200) or "")
                yield from read_product(mapping(product), store, market.country)
            offset += len(products)
            if offset >= total:
                return
            if len(seen) == known:
                raise UnreadableAnswer(api.root, "repeats what it listed before, so its end cannot be found")
        raise UnreadableAnswer(api.root, f"has more than the {MAX_PAGES} pages that are walked")


def _asked(market: _Market) -> dict[str, str]:
    asked = {"region_id": market.region, "fields": _FIELDS}
    # Only with a country does the server add the tax that a shopper pays.
    return {**asked, "country_code": market.country} if market.country else asked


class _Api:
    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        key = needed_key(store, "publishable_key", _KEY_HINT)
        self.root = api_address(store, "/store").rstrip("/")
        self._headers = {"x-publishable-api-key": header_value(store, "publishable_key", key)}
        self._store, self._fetcher = store, fetcher

    def get(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        url = f"{self.root}{path}?{urlencode(query)}"
        try:
            return mapping(self._fetcher.get_json(url, headers=self._headers)[1])
        except FetchFailed as error:
            if error.status in {400, 401, 403}:
                raise FetchRefused(
                    url, f"refuses the key or the question (HTTP {error.status}); see --set publishable_key=…"
                ) from error
            raise

    def market(self) -> _Market:
        """The region whose prices are read: the option `region` (id, name, country or currency), else the first."""
        regions = [mapping(region) for region in rows(self.get("/regions", {"limit": "100"}).get("regions"))]
        wanted = self._store.options.get("region", "").strip().casefold()
        country = (self._store.options.get("country") or self._store.country or "").strip().lower()
        for region in regions:
            countries = [
                iso for one in rows(region.get("countries")) if (iso := text(mapping(one).get("iso_2"), 2))
            ]
            words = {region.get("id"), region.get("name"), region.get("currency_code"), *countries}
            names = {word.casefold() for word in words if isinstance(word, str)}
            if wanted in names or (not wanted and (not country or country in countries)):
                if wanted in countries:
                    country = wanted
                chosen = country if country in countries else next(iter(countries), None)
                return _Market(
                    text(region.get("id"), 200) or "", text(region.get("currency_code"), 10), chosen
                )
        there = ", ".join(filter(None, (text(region.get("name"), 60) for region in regions[:20]))) or "none"
        raise FetchRefused(self.root, f"has no such region; set one with --set region=… (it has: {there})")


def read_product(
    product: Mapping[str, Any], store: Store, country: str | None
) -> Iterator[RawOffer | InvalidOffer]:
    """One product's variants as offers of one item group.

    Amounts are decimals in major units, the tax-inclusive ones not yet rounded; without tax only where the
    server was not told a country.
    """
    title, variants = text(product.get("title")), rows(product.get("variants"))
    if not variants:
        yield refused(
            "no_variants", product, external_id=product.get("id"), title=title, detail="nothing to sell in it"
        )
    pictures = [mapping(picture).get("url") for picture in rows(product.get("images"))]
    about = mapping(product.get("metadata"))
    for variant in map(mapping, variants):
        asked = mapping(variant.get("calculated_price"))
        now = asked.get("calculated_amount_with_tax", asked.get("calculated_amount"))
        before = decimal(asked.get("original_amount_with_tax", asked.get("original_amount")))
        exact = decimal(now)
        is_reduced = before is not None and exact is not None and before > exact
        attributes = {
            text(mapping(mapping(option).get("option")).get("title"), 100) or f"Option {place}": value
            for place, option in enumerate(rows(variant.get("options")), start=1)
            if (value := text(mapping(option).get("value"), 200))
        }
        if len(variants) == 1:
            attributes = {name: value for name, value in attributes.items() if "default" not in value.lower()}
        details = mapping(variant.get("metadata"))
        page = product_page(
            store,
            USUAL_PAGE if country else "/products/{handle}",
            {
                "handle": text(product.get("handle")),
                "slug": text(product.get("handle")),
                "id": text(variant.get("id"), 200),
                "product_id": text(product.get("id"), 200),
                "sku": code(variant.get("sku")),
                "country": country,
            },
        )
        availability, left = _stock(variant)
        picture = variant.get("thumbnail") or product.get("thumbnail") or next(iter(pictures), None)
        yield RawOffer(
            external_id=code(variant.get("id")) or "",
            url=page or "",
            title=variant_title(title, attributes.values()),
            price=price(now),
            price_currency=text(asked.get("currency_code"), 10),
            list_price=before if is_reduced else None,
            price_kind="sale" if is_reduced else None,
            availability=availability,
            stock_level=left,
            brand=text(details.get("brand") or about.get("brand") or about.get("manufacturer"), 200),
            gtin=code(variant.get("ean")) or code(variant.get("upc")) or code(variant.get("barcode")),
            mpn=code(details.get("mpn")) or code(about.get("mpn")),
            sku=code(variant.get("sku")),
            category=text(mapping(product.get("type")).get("value"), 200)
            or text(mapping(product.get("collection")).get("title"), 200),
            image_url=address(f"{store.url}/", picture),
            item_group_id=code(product.get("id")) if len(variants) > 1 else None,
            variant_attributes=attributes,
            handoff={"product_id": code(product.get("id")) or ""},
            source="store_api",
            raw=storable({"product": product.get("id"), "title": title, "variant": variant}),
        )


def _stock(variant: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """(availability, how many are left); unknown where the key's sales channel tells no quantity."""
    if variant.get("manage_inventory") is False:
        return "InStock", None
    left = whole(variant.get("inventory_quantity"))
    if left is None:
        return None, None
    if left <= 0 and variant.get("allow_backorder") is True:
        return "BackOrder", None
    return ("InStock" if left > 0 else "OutOfStock"), max(left, 0)


def detect(evidence: Evidence) -> Detection:
    """By the Store API asking for its publishable key; of shops in front of one only the starter's marks tell."""
    home = evidence.home
    has_marks = "_medusa_" in home.headers.get("set-cookie", "") or _STOREFRONT.search(home.text[:1_000_000])
    if not is_bare_api(home) and not has_marks:
        return NOT_DETECTED
    path = "/store/regions"
    page = evidence.get(path)
    if page is None or page.status != 400 or _KEY_WANTED not in page.text[:2000].lower():
        return NOT_DETECTED
    return Detection(
        confidence=0.95,
        signals=(
            Signal("the Store API asks for a publishable key", path),
            Signal("needs a key: --set publishable_key=…", "platform"),
        ),
        sources=(Source(kind="store_api", url=page.url.removesuffix("/regions")),),
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read each line's product."""
    found: dict[str, OfferState] = {}
    problems: dict[str, str] = {}
    products = {line.external_id: dict(line.handoff).get("product_id", "") for line in lines}
    try:
        api = _Api(store, fetcher)
        market = api.market()
    except StoreError as error:
        return [unknown_state(line.external_id, error.problem) for line in lines]
    for product_id in dict.fromkeys(products.values()):
        try:
            answer = api.get(f"/products/{quote(product_id, safe='')}", _asked(market))
            for offer in read_product(mapping(answer.get("product")), store, market.country):
                found[offer.external_id] = state_of(offer, store)
        except StoreError as error:
            gone = isinstance(error, FetchFailed) and error.status == 404
            problems[product_id] = NO_LONGER_LISTED if gone else error.problem
    return [
        found.get(line.external_id)
        or unknown_state(line.external_id, problems.get(products[line.external_id], NO_LONGER_LISTED))
        for line in lines
    ]


platform = StorePlatform(
    name="medusa",
    title="Medusa",
    detect=detect,
    source=MedusaSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=("api_url", "product_url_template", "region", "country"),
    secret_options=("publishable_key",),
)
