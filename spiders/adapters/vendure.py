"""Vendure: the shop API (GraphQL), variants as offers with tax; product pages are the merchant's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aggregator.domain.errors import StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Page, Signal, Source, Store
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.graphql import GraphQLProblem, ask_graphql
from spiders.handoffs import product_links
from spiders.json_pages import is_bare_api
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.store_options import api_address, header_value, product_page
from spiders.untrusted import code, mapping, minor_units, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title

PAGE_SIZE = 100
MAX_PAGES = 5000
API_PATH = "/shop-api"
USUAL_PRECISION = 2
# The starter storefronts name their pages so; others set product_url_template.
USUAL_PAGE = "/products/{slug}"
# Every answer of the server names this header as readable, and no other software has it.
_MARK = "vendure-auth-token"
# A storefront on the same host tells its scripts where the API is.
_NAMED = re.compile(r"[\"'/]shop-api[\"'/?]")
_GTIN_FIELDS = ("gtin", "ean", "ean13", "gtin13", "barcode", "upc", "isbn")
_MPN_FIELDS = ("mpn", "manufacturerPartNumber", "manufacturerNumber", "partNumber")
_STOCK = {"IN_STOCK": "InStock", "LOW_STOCK": "LimitedAvailability", "OUT_OF_STOCK": "OutOfStock"}
_PRODUCT = """
    id name slug featuredAsset{{preview}} collections{{name}} facetValues{{name facet{{code}}}}
    variants{{id sku name priceWithTax currencyCode stockLevel options{{name group{{code name}}}}
    featuredAsset{{preview}} {custom}}}
"""


class VendureSource:
    """Walks the products; each variant is an offer."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every variant. Raises StoreError where the listing cannot be read to its end."""
        api = _Api(store, fetcher)
        product = _PRODUCT.format(custom=api.custom_fields())
        query = (
            "query($take:Int!,$skip:Int!){products(options:{take:$take,skip:$skip,sort:{id:ASC}})"
            f"{{totalItems items{{{product}}}}}}}"
        )
        take, skip = PAGE_SIZE, 0
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            try:
                listing = mapping(api.ask(query, {"take": take, "skip": skip}).get("products"))
            except GraphQLProblem as problem:
                take = _smaller(take, problem)
                continue
            items, total = rows(listing.get("items")), whole(listing.get("totalItems"))
            if total is None or (not items and skip < total):
                raise UnreadableAnswer(api.url, f"lists nothing from {skip} on, of {total}")
            known = len(seen)
            for item in items:
                seen.add(text(mapping(item).get("id"), 200) or "")
                yield from read_product(mapping(item), store)
            skip += len(items)
            if skip >= total:
                return
            if len(seen) == known:
                raise UnreadableAnswer(api.url, "repeats what it listed before, so its end cannot be found")
        raise UnreadableAnswer(api.url, f"has more than the {MAX_PAGES} pages that are walked")


class _Api:
    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self.url = api_address(store, API_PATH)
        wanted = {
            "languageCode": store.options.get("language", ""),
            "currencyCode": store.options.get("currency", ""),
        }
        query = urlencode({name: value for name, value in wanted.items() if value})
        if query:
            self.url += f"{'&' if '?' in self.url else '?'}{query}"
        token = store.options.get("channel_token", "")
        self._headers = {"vendure-token": header_value(store, "channel_token", token)} if token else {}
        self._fetcher = fetcher

    def ask(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        return ask_graphql(self._fetcher, self.url, query, variables, headers=self._headers)

    def custom_fields(self) -> str:
        """Codes live in custom fields, whose names each shop chose; a server may keep its schema to itself."""
        try:
            kind = mapping(
                self.ask('{__type(name:"ProductVariantCustomFields"){fields{name}}}', {}).get("__type")
            )
        except GraphQLProblem:
            return ""
        there = [text(mapping(field).get("name"), 100) for field in rows(kind.get("fields"))]
        chosen = [name for name in there if name in (*_GTIN_FIELDS, *_MPN_FIELDS)]
        return f"customFields{{{' '.join(chosen)}}}" if chosen else ""


def _smaller(take: int, problem: GraphQLProblem) -> int:
    """The page size that the server allows, or half of what was too much."""
    told = re.search(r"more than (\d{1,4}) results", " ".join(problem.messages))
    allowed = int(told[1]) if told else take // 2
    if not problem.asks_for_less or not 0 < allowed < take:
        raise problem
    return allowed


def read_product(product: Mapping[str, Any], store: Store) -> Iterator[RawOffer | InvalidOffer]:
    """One product's variants as offers of one item group.

    Money is whole minor units of 10^-2 in every currency (the option `money_precision` tells otherwise);
    `price` may be net, `priceWithTax` never is.
    """
    title, variants = text(product.get("name")), rows(product.get("variants"))
    if not variants:
        yield refused(
            "no_variants", product, external_id=product.get("id"), title=title, detail="nothing to sell in it"
        )
    told = whole(store.options.get("money_precision"))
    precision = USUAL_PRECISION if told is None else told
    facets = {
        text(mapping(mapping(value).get("facet")).get("code")): text(mapping(value).get("name"), 200)
        for value in map(mapping, rows(product.get("facetValues")))
    }
    collections = [text(mapping(one).get("name"), 200) for one in rows(product.get("collections"))]
    for variant in map(mapping, variants):
        variant_id = code(variant.get("id")) or ""
        attributes = {
            _group_name(option) or f"Option {place}": value
            for place, option in enumerate(rows(variant.get("options")), start=1)
            if (value := text(mapping(option).get("name"), 200))
        }
        page = product_page(
            store,
            USUAL_PAGE,
            {
                "slug": text(product.get("slug")),
                "id": variant_id,
                "product_id": code(product.get("id")),
                "sku": code(variant.get("sku")),
            },
        )
        custom = mapping(variant.get("customFields"))
        picture = mapping(variant.get("featuredAsset")) or mapping(product.get("featuredAsset"))
        stock = text(variant.get("stockLevel"), 40)
        left = whole(stock)
        yield RawOffer(
            external_id=variant_id,
            url=page or "",
            title=text(variant.get("name")) or variant_title(title, attributes.values()),
            price=minor_units(variant.get("priceWithTax"), precision),
            price_currency=text(variant.get("currencyCode"), 10),
            availability=_STOCK.get(stock or "") if left is None else left > 0,
            stock_level=left,
            brand=facets.get("brand") or facets.get("manufacturer"),
            gtin=next((found for name in _GTIN_FIELDS if (found := code(custom.get(name)))), None),
            mpn=next((found for name in _MPN_FIELDS if (found := code(custom.get(name)))), None),
            sku=code(variant.get("sku")),
            category=facets.get("category") or next((name for name in collections if name), None),
            image_url=text(picture.get("preview")),
            item_group_id=code(product.get("id")) if len(variants) > 1 else None,
            variant_attributes=attributes,
            handoff={"product_id": code(product.get("id")) or ""},
            source="shop_api",
            raw=storable({"product": product.get("id"), "name": title, "variant": variant}),
        )


def _group_name(option: object) -> str | None:
    group = mapping(mapping(option).get("group"))
    return text(group.get("name"), 100) or text(group.get("code"), 100)


def detect(evidence: Evidence) -> Detection:
    """By the header that every answer of a Vendure server names, on the site itself or its shop API."""
    home = evidence.home
    at_home = _MARK in home.headers.get("access-control-expose-headers", "").lower()
    if not at_home and not is_bare_api(home) and not _NAMED.search(home.text[:1_000_000]):
        return NOT_DETECTED
    api = evidence.get(API_PATH)
    if not _is_named(api):
        api = evidence.post_json(API_PATH, {"query": "{activeChannel{code}}"})
    if api is None or not _is_named(api):
        return Detection(confidence=0.5, signals=(Signal(_MARK, "header"),)) if at_home else NOT_DETECTED
    signals = [Signal(f"{_MARK} among the readable headers", API_PATH)]
    if at_home:
        signals.insert(0, Signal(f"{_MARK} among the readable headers", "home page"))
    return Detection(
        confidence=0.95,
        signals=tuple(signals),
        sources=(Source(kind="shop_api", url=api.url.partition("?")[0]),),
    )


def _is_named(api: Page | None) -> bool:
    """Whether an answer has the header, or names it among those that scripts may read."""
    if api is None:
        return False
    return _MARK in api.headers or _MARK in api.headers.get("access-control-expose-headers", "").lower()


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read each line's product."""
    found: dict[str, OfferState] = {}
    problems: dict[str, str] = {}
    products = {line.external_id: dict(line.handoff).get("product_id", "") for line in lines}
    query = f"query($id:ID!){{product(id:$id){{{_PRODUCT.format(custom='')}}}}}"
    for product_id in dict.fromkeys(products.values()):
        try:
            product = mapping(_Api(store, fetcher).ask(query, {"id": product_id}).get("product"))
            for offer in read_product(product, store) if product else ():
                found[offer.external_id] = state_of(offer, store)
        except StoreError as error:
            problems[product_id] = error.problem
    return [
        found.get(line.external_id)
        or unknown_state(line.external_id, problems.get(products[line.external_id], NO_LONGER_LISTED))
        for line in lines
    ]


platform = StorePlatform(
    name="vendure",
    title="Vendure",
    detect=detect,
    source=VendureSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=(
        "api_url", "product_url_template", "channel_token", "language", "currency", "money_precision",
    ),
)  # fmt: skip
