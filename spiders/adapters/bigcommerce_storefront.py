"""BigCommerce's Storefront GraphQL API, for stores that gave a token: variants with stock, numbers and currency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from aggregator.domain.errors import UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.fetching import Fetcher
from spiders.graphql import GraphQLProblem, ask_graphql
from spiders.handoffs import origin
from spiders.store_options import header_value
from spiders.untrusted import address, code, mapping, price, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title

PAGE_SIZE = 25
MAX_PAGES = 20_000
_CHECKED_AT_ONCE = 5
_MOST_VARIANTS = 50
_MONEY = "{value currencyCode}"
_PRICES = f"prices{{price{_MONEY}basePrice{_MONEY}retailPrice{_MONEY}}}"
_VARIANT = (
    f"entityId sku upc gtin mpn isPurchasable inventory{{isInStock aggregated{{availableToSell}}}}{_PRICES}"
    "options{edges{node{displayName values{edges{node{label}}}}}}"
)
_PRODUCT = (
    "entityId name sku path upc gtin mpn condition brand{name}defaultImage{url(width:640)}availabilityV2{status}"
    f"inventory{{isInStock aggregated{{availableToSell}}}}{_PRICES}"
    f"variants(first:%d){{pageInfo{{hasNextPage}}edges{{node{{{_VARIANT}}}}}}}"
)
_LISTING = (
    "query($first:Int!,$after:String){site{products(first:$first,after:$after)"
    f"{{pageInfo{{hasNextPage endCursor}}edges{{node{{{_PRODUCT % _MOST_VARIANTS}}}}}}}}}}}"
)
_CHOSEN = (
    "query($ids:[Int!],$first:Int!){site{products(entityIds:$ids,first:$first)"
    f"{{edges{{node{{{_PRODUCT % _MOST_VARIANTS}}}}}}}}}}}"
)
_STATUS = {"Available": None, "Unavailable": False, "Preorder": "PreOrder"}


def fetch_offers(store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
    """Every variant that the token's channel shows. Raises StoreError where the listing cannot be read to its end."""
    url = f"{origin(store)}/graphql"
    first, after = PAGE_SIZE, None
    cursors: set[str] = set()
    for _ in range(MAX_PAGES):
        asked = {"first": first, "after": after}
        try:
            products = _ask(store, fetcher, _LISTING, asked)
        except GraphQLProblem as problem:
            if not problem.asks_for_less or first == 1:
                raise
            first = max(first // 3, 1)
            continue
        edges = products.get("edges")
        if not isinstance(edges, list):
            raise UnreadableAnswer(url, "has no list of products")
        for edge in edges:
            yield from read_product(mapping(edge).get("node"), origin(store))
        page = mapping(products.get("pageInfo"))
        after = text(page.get("endCursor"), 500)
        if page.get("hasNextPage") is not True:
            return
        if after is None or after in cursors:
            raise UnreadableAnswer(url, "leads in a circle, so its end cannot be found")
        cursors.add(after)
    raise UnreadableAnswer(url, f"has more than the {MAX_PAGES:,} pages that are walked")


def fetch_chosen(store: Store, fetcher: Fetcher, ids: Sequence[int]) -> Iterator[RawOffer | InvalidOffer]:
    """The variants of the products with these numbers, a few in a question. Raises StoreError."""
    for start in range(0, len(ids), _CHECKED_AT_ONCE):
        some = list(ids[start : start + _CHECKED_AT_ONCE])
        for edge in rows(_ask(store, fetcher, _CHOSEN, {"ids": some, "first": len(some)}).get("edges")):
            yield from read_product(mapping(edge).get("node"), origin(store))


def _ask(store: Store, fetcher: Fetcher, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    token = header_value(store, "storefront_token", store.options["storefront_token"])
    headers = {"Authorization": f"Bearer {token}"}
    data = ask_graphql(fetcher, f"{origin(store)}/graphql", query, variables, headers=headers)
    return mapping(mapping(data.get("site")).get("products"))


def read_product(product: object, root: str) -> Iterator[RawOffer | InvalidOffer]:
    """One product: its variants where it has several, else itself. Amounts are numbers in major units."""
    entry = mapping(product)
    product_id, name = code(entry.get("entityId")), text(entry.get("name"))
    if product_id is None:
        yield refused("no_id", product, title=name, detail="a product without entityId")
        return
    told = mapping(entry.get("variants"))
    variants = [mapping(mapping(edge).get("node")) for edge in rows(told.get("edges"))]
    if mapping(told.get("pageInfo")).get("hasNextPage") is True:
        yield refused(
            "too_many_variants", product, external_id=product_id, title=name,
            url=address(root, entry.get("path")) or "",
            detail=f"has more than the {_MOST_VARIANTS} variants that are read",
        )  # fmt: skip
    # A product without options has one variant that stands for itself.
    if len(variants) == 1 and not rows(mapping(variants[0].get("options")).get("edges")):
        variants = []
    for variant in variants or [{}]:
        yield _offer(entry, variant, product_id, name or "", root)


def _offer(
    product: Mapping[str, Any], variant: Mapping[str, Any], product_id: str, name: str, root: str
) -> RawOffer | InvalidOffer:
    variant_id = code(variant.get("entityId"))
    url = address(root, product.get("path")) or root
    if variant and variant_id is None:
        return refused("no_id", dict(variant), title=name, url=url, detail="a variant without entityId")
    own = variant or product
    prices = mapping(own.get("prices")) or mapping(product.get("prices"))
    asked, base, retail = (mapping(prices.get(key)) for key in ("price", "basePrice", "retailPrice"))
    now = price(asked.get("value"))
    listed = [amount for told in (retail, base) if isinstance(amount := price(told.get("value")), Decimal)]
    before = max(listed, default=None)
    is_reduced = isinstance(now, Decimal) and before is not None and before > now
    chosen = dict(_choices(variant))
    stock = mapping(own.get("inventory")) or mapping(product.get("inventory"))
    left = whole(mapping(stock.get("aggregated")).get("availableToSell"))
    return RawOffer(
        external_id=f"{product_id}-{variant_id}" if variant else product_id,
        url=url,
        title=variant_title(name, chosen.values()),
        price=now,
        price_currency=code(asked.get("currencyCode")),
        list_price=before if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        availability=_availability(product, variant, stock),
        stock_level=left if left is not None and left > 0 else None,
        item_condition=text(product.get("condition"), 40),
        brand=text(mapping(product.get("brand")).get("name"), 100),
        gtin=next((found for key in ("gtin", "upc") if (found := code(own.get(key)) or code(product.get(key)))), None),
        mpn=code(own.get("mpn")) or code(product.get("mpn")),
        sku=code(own.get("sku")) or code(product.get("sku")),
        image_url=address(root, mapping(product.get("defaultImage")).get("url")),
        item_group_id=product_id if variant else None,
        variant_attributes=chosen,
        source="storefront_graphql",
        raw=storable({"product": {key: product.get(key) for key in ("entityId", "name", "sku", "path", "prices")},
                      "variant": dict(variant)}),
    )  # fmt: skip


def _choices(variant: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for place, edge in enumerate(rows(mapping(variant.get("options")).get("edges")), start=1):
        option = mapping(mapping(edge).get("node"))
        value = mapping(next(iter(rows(mapping(option.get("values")).get("edges"))), None))
        label = text(mapping(value.get("node")).get("label"), 100)
        if label:
            yield text(option.get("displayName"), 50) or f"Option {place}", label


def _availability(
    product: Mapping[str, Any], variant: Mapping[str, Any], stock: Mapping[str, Any]
) -> str | bool | None:
    status = text(mapping(product.get("availabilityV2")).get("status"), 20) or ""
    if _STATUS.get(status) is not None:
        return _STATUS[status]
    if variant.get("isPurchasable") is False:
        return False
    in_stock = stock.get("isInStock")
    return in_stock if isinstance(in_stock, bool) else None
