"""Shopify's Storefront GraphQL API, for shops that gave a token: variants with barcodes, stock and currency."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aggregator.domain.errors import FetchRefused, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.fetching import Fetcher
from spiders.graphql import GraphQLProblem, ask_graphql
from spiders.handoffs import origin
from spiders.store_options import header_value
from spiders.untrusted import address, code, decimal, mapping, price, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title

API_VERSION = "2026-10"
PAGE_SIZE = 100
MAX_PAGES = 5000
_VARIANTS = """pageInfo{hasNextPage endCursor} nodes{
    id sku barcode availableForSale currentlyNotInStock selectedOptions{name value} image{url}
    price{amount currencyCode} compareAtPrice{amount currencyCode}
}"""
_PRODUCT = f"""id handle title vendor productType onlineStoreUrl featuredImage{{url}}
    variants(first:100,after:$variants){{{_VARIANTS}}}"""
_LISTING = """query($first:Int!,$after:String,$variants:String) %s {
    products(first:$first,after:$after,sortKey:ID){pageInfo{hasNextPage endCursor} nodes{%s}}
}"""
_ONE = "query($id:ID!,$variants:String) %s {product(id:$id){%s}}"


def fetch_offers(store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
    """Every variant that the token's sales channel shows, in the market of the option `country`.

    Raises StoreError where the listing cannot be read to its end.
    """
    api = _Api(store, fetcher)
    first, after = PAGE_SIZE, None
    cursors: set[str] = set()
    for _ in range(MAX_PAGES):
        try:
            data = api.ask(_LISTING % (api.market, _PRODUCT), {"first": first, "after": after})
        except GraphQLProblem as problem:
            if not problem.asks_for_less or first <= 5:
                raise
            first //= 2
            continue
        products, after = _page(api.url, mapping(data.get("products")))
        for product in products:
            yield from _read_product(product, store, api)
        if after is None:
            return
        if after in cursors:
            raise UnreadableAnswer(api.url, "leads in a circle, so its end cannot be found")
        cursors.add(after)
    raise UnreadableAnswer(api.url, f"has more than the {MAX_PAGES} pages that are walked")


class _Api:
    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        version = store.options.get("api_version") or API_VERSION
        if not re.fullmatch(r"\d{4}-\d{2}|unstable", version):
            raise FetchRefused(
                store.url, "api_version is a year and a month, such as --set api_version=2026-10"
            )
        self.url = f"{origin(store)}/api/{version}/graphql.json"
        token = header_value(store, "storefront_token", store.options.get("storefront_token", ""))
        name = (
            "Shopify-Storefront-Private-Token"
            if token.startswith("shpat_")
            else "X-Shopify-Storefront-Access-Token"
        )
        self._headers = {name: token}
        country = (store.options.get("country") or store.country or "").strip().upper()
        self.market = f"@inContext(country:{country})" if re.fullmatch(r"[A-Z]{2}", country) else ""
        self._fetcher = fetcher

    def ask(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        return ask_graphql(
            self._fetcher, self.url, query, {"variants": None, **variables}, headers=self._headers
        )


def _page(url: str, connection: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str | None]:
    """The nodes of one page, and the cursor of the next one if there is one."""
    nodes, place = connection.get("nodes"), mapping(connection.get("pageInfo"))
    if not isinstance(nodes, list) or not isinstance(place.get("hasNextPage"), bool):
        raise UnreadableAnswer(url, "has no list of products")
    after = text(place.get("endCursor")) if place["hasNextPage"] else None
    if place["hasNextPage"] and after is None:
        raise UnreadableAnswer(url, "names no next page where there is one")
    return [mapping(node) for node in nodes], after


def _read_product(product: Mapping[str, Any], store: Store, api: _Api) -> Iterator[RawOffer | InvalidOffer]:
    variants, after = _page(api.url, mapping(product.get("variants")))
    pages = 1
    while after is not None:
        asked = {"id": text(product.get("id"), 200), "variants": after}
        more = mapping(api.ask(_ONE % (api.market, _PRODUCT), asked).get("product"))
        part, after = _page(api.url, mapping(more.get("variants")))
        variants.extend(part)
        pages += 1
        if pages > 100:
            raise UnreadableAnswer(api.url, "lists the variants of a product without end")
    if not variants:
        yield refused(
            "no_variants",
            product,
            external_id=_number(product.get("id")),
            title=product.get("title"),
            detail="nothing to sell in it",
        )
    for variant in variants:
        yield _offer(product, variant, store, has_siblings=len(variants) > 1)


def _offer(
    product: Mapping[str, Any], variant: Mapping[str, Any], store: Store, *, has_siblings: bool
) -> RawOffer:
    number = _number(variant.get("id")) or ""
    attributes = {
        name: value
        for option in map(mapping, rows(variant.get("selectedOptions")))
        if (name := text(option.get("name"), 100))
        and (value := text(option.get("value"), 200))
        and value.casefold() != "default title"
    }
    asked, regular = mapping(variant.get("price")), mapping(variant.get("compareAtPrice"))
    now, before = decimal(asked.get("amount")), decimal(regular.get("amount"))
    is_reduced = before is not None and now is not None and before > now
    handle = text(product.get("handle")) or ""
    page = address(f"{origin(store)}/", product.get("onlineStoreUrl")) or address(
        f"{origin(store)}/", f"products/{handle}" if handle else None
    )
    sellable = variant.get("availableForSale")
    availability = sellable if isinstance(sellable, bool) else None
    picture = mapping(variant.get("image")) or mapping(product.get("featuredImage"))
    vendor = text(product.get("vendor"), 200)
    return RawOffer(
        external_id=number,
        url=f"{page.partition('?')[0]}?variant={number}" if page and has_siblings else page or "",
        title=variant_title(text(product.get("title")), attributes.values()),
        price=price(asked.get("amount")),
        price_currency=text(asked.get("currencyCode"), 10),
        list_price=before if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        availability="BackOrder"
        if availability and variant.get("currentlyNotInStock") is True
        else availability,
        brand=vendor if vendor and vendor.casefold() != store.name.casefold() else None,
        gtin=code(variant.get("barcode")),
        sku=code(variant.get("sku")),
        category=text(product.get("productType"), 200),
        image_url=address(f"{origin(store)}/", picture.get("url")),
        item_group_id=_number(product.get("id")) if has_siblings else None,
        variant_attributes=attributes,
        source="storefront_api",
        raw=storable({"product": product.get("id"), "title": product.get("title"), "variant": variant}),
    )


def _number(gid: object) -> str | None:
    """ "gid://shopify/ProductVariant/123" as the number that the shop's own links use."""
    tail = (text(gid, 200) or "").rpartition("/")[2].partition("?")[0]
    return tail if whole(tail) is not None else None
