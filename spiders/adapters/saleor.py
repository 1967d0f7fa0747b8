"""Saleor: the public GraphQL API of one channel, variants as gross offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aggregator.domain.errors import StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Signal, Source, Store
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.graphql import GraphQLProblem, ask_graphql
from spiders.handoffs import product_links
from spiders.json_pages import is_bare_api, page_json
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.store_options import api_address, header_value, product_page
from spiders.untrusted import address, code, decimal, mapping, price, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title

PAGE_SIZE = 100
MAX_PAGES = 5000
API_PATH = "/graphql/"
USUAL_CHANNEL = "default-channel"
# The starter storefront names its pages so; others set product_url_template.
USUAL_PAGE = "/{channel}/products/{slug}?variant={id}"
_BRAND_ATTRIBUTES = ("brand", "manufacturer", "publisher")
_GTIN_ATTRIBUTES = ("gtin", "ean", "ean13", "isbn", "upc", "barcode")
_MPN_ATTRIBUTES = ("mpn", "manufacturer-part-number", "part-number")
_ATTRIBUTES = "attributes{attribute{slug name} values{name}}"
_VARIANT = f"""
    id sku quantityAvailable media{{url}} {_ATTRIBUTES.replace("attributes{", "attributes(variantSelection:ALL){")}
    pricing{{price{{gross{{amount currency}}}} priceUndiscounted{{gross{{amount currency}}}}}}
"""
_PRODUCT = f"id name slug category{{name}} thumbnail{{url}} {_ATTRIBUTES}"
_LISTING = f"""query($first:Int!,$after:String,$channel:String!){{
    products(first:$first,after:$after,channel:$channel){{
        pageInfo{{hasNextPage endCursor}} edges{{node{{{_PRODUCT} variants{{{_VARIANT}}}}}}}
    }}
}}"""
_ONE = f"""query($id:ID!,$channel:String!){{
    productVariant(id:$id,channel:$channel){{{_VARIANT} product{{{_PRODUCT}}}}}
}}"""


class SaleorSource:
    """Follows the cursor through one channel's products; each variant is an offer."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every variant. Raises StoreError where the listing cannot be read to its end."""
        url, headers, channel = _api(store)
        first, after = PAGE_SIZE, None
        cursors: set[str] = set()
        for _ in range(MAX_PAGES):
            asked = {"first": first, "after": after, "channel": channel}
            try:
                data = ask_graphql(fetcher, url, _LISTING, asked, headers=headers)
            except GraphQLProblem as problem:
                if not problem.asks_for_less or first <= 5:
                    raise
                first //= 2
                continue
            listing = mapping(data.get("products"))
            edges, place = listing.get("edges"), mapping(listing.get("pageInfo"))
            if not isinstance(edges, list) or not isinstance(place.get("hasNextPage"), bool):
                raise UnreadableAnswer(
                    url, f"lists no products in channel {channel!r}; set one with --set channel=…"
                )
            for edge in edges:
                yield from read_product(mapping(mapping(edge).get("node")), store)
            if not place["hasNextPage"]:
                return
            after = text(place.get("endCursor"))
            if after is None or after in cursors:
                raise UnreadableAnswer(url, "leads in a circle, so its end cannot be found")
            cursors.add(after)
        raise UnreadableAnswer(url, f"has more than the {MAX_PAGES} pages that are walked")


def _api(store: Store) -> tuple[str, dict[str, str], str]:
    token = store.options.get("access_token", "")
    headers = {"Authorization": f"Bearer {header_value(store, 'access_token', token)}"} if token else {}
    return api_address(store, API_PATH), headers, store.options.get("channel") or USUAL_CHANNEL


def read_product(product: Mapping[str, Any], store: Store) -> Iterator[RawOffer | InvalidOffer]:
    """One product's variants as offers of one item group; amounts are decimals in major units, tax included."""
    title, variants = text(product.get("name")), rows(product.get("variants"))
    if not variants:
        yield refused(
            "no_variants", product, external_id=product.get("id"), title=title, detail="nothing to sell in it"
        )
    for variant in map(mapping, variants):
        yield _offer(product, variant, store, has_siblings=len(variants) > 1)


def _offer(
    product: Mapping[str, Any], variant: Mapping[str, Any], store: Store, *, has_siblings: bool
) -> RawOffer:
    channel = store.options.get("channel") or USUAL_CHANNEL
    about, own = _attributes(product), _attributes(variant)
    facts = {
        **{slug: value for slug, (_, value) in about.items()},
        **{slug: value for slug, (_, value) in own.items()},
    }
    identifying = (*_GTIN_ATTRIBUTES, *_MPN_ATTRIBUTES)
    chosen = {name: value for slug, (name, value) in own.items() if slug not in identifying}
    pricing = mapping(variant.get("pricing"))
    now, before = (
        mapping(mapping(pricing.get(name)).get("gross")) for name in ("price", "priceUndiscounted")
    )
    asked, regular = decimal(now.get("amount")), decimal(before.get("amount"))
    is_reduced = asked is not None and regular is not None and regular > asked
    left = whole(variant.get("quantityAvailable"))
    picture = next(iter(rows(variant.get("media"))), None) or product.get("thumbnail")
    page = product_page(
        store,
        USUAL_PAGE,
        {
            "slug": text(product.get("slug")),
            "id": text(variant.get("id"), 200),
            "product_id": text(product.get("id"), 200),
            "sku": code(variant.get("sku")),
            "channel": channel,
        },
    )
    return RawOffer(
        external_id=code(variant.get("id")) or "",
        url=page or "",
        title=variant_title(text(product.get("name")), chosen.values() if has_siblings else ()),
        price=price(now.get("amount")),
        price_currency=text(now.get("currency"), 10),
        list_price=regular if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        availability=None if left is None else left > 0,
        brand=next((facts[slug] for slug in _BRAND_ATTRIBUTES if slug in facts), None),
        gtin=next((facts[slug] for slug in _GTIN_ATTRIBUTES if slug in facts), None),
        mpn=next((facts[slug] for slug in _MPN_ATTRIBUTES if slug in facts), None),
        sku=code(variant.get("sku")),
        category=text(mapping(product.get("category")).get("name"), 200),
        image_url=address(f"{store.url}/", mapping(picture).get("url")),
        item_group_id=code(product.get("id")) if has_siblings else None,
        variant_attributes=chosen,
        source="graphql",
        raw=storable({"product": product.get("id"), "name": product.get("name"), "variant": variant}),
    )


def _attributes(holder: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """(name, first value) of each attribute by its slug."""
    found: dict[str, tuple[str, str]] = {}
    for entry in map(mapping, rows(holder.get("attributes"))):
        kind = mapping(entry.get("attribute"))
        slug = text(kind.get("slug"), 100)
        values = [text(mapping(value).get("name"), 200) for value in rows(entry.get("values"))]
        value = next((one for one in values if one), None)
        if slug and value:
            found[slug.lower()] = (text(kind.get("name"), 100) or slug, value)
    return found


def detect(evidence: Evidence) -> Detection:
    """By the API's own page, which loads Saleor's playground; its storefronts are known by pictures and state."""
    home = evidence.home
    marks = [
        mark
        for mark in ("saleor.imgix.net", ".saleor.cloud/", "SALEOR_API_URL", "NEXT_PUBLIC_SALEOR")
        if mark in home.text
    ]
    if not marks and not is_bare_api(home):
        return NOT_DETECTED
    signals = [Signal(mark, "home page") for mark in marks]
    api = evidence.get(API_PATH)
    if api is not None and api.status == 200 and "saleor/graphql-playground" in api.text:
        signals.append(Signal("Saleor's GraphQL playground", API_PATH))
        return Detection(
            confidence=0.95, signals=tuple(signals), sources=(Source(kind="graphql", url=api.url),)
        )
    # Other shop APIs have a shop with a name, too, but no domain in it.
    asked = evidence.post_json(API_PATH, {"query": "{shop{name domain{host}}}"})
    shop = mapping(mapping(mapping(page_json(asked)).get("data")).get("shop"))
    if asked is not None and text(shop.get("name")):
        signals.append(Signal("a shop with a name", API_PATH))
        return Detection(
            confidence=0.9 if marks else 0.75,
            signals=tuple(signals),
            sources=(Source(kind="graphql", url=asked.url),),
            name=text(shop.get("name"), 100),
        )
    return Detection(confidence=0.4, signals=tuple(signals)) if signals else NOT_DETECTED


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read one by one by the variant's id."""
    return [_check(store, line, fetcher) for line in lines]


def _check(store: Store, line: HandOffLine, fetcher: Fetcher) -> OfferState:
    try:
        url, headers, channel = _api(store)
        asked = {"id": line.external_id, "channel": channel}
        variant = mapping(ask_graphql(fetcher, url, _ONE, asked, headers=headers).get("productVariant"))
        if variant.get("id") != line.external_id:
            return unknown_state(line.external_id, NO_LONGER_LISTED)
        return state_of(_offer(mapping(variant.get("product")), variant, store, has_siblings=False), store)
    except StoreError as error:
        return unknown_state(line.external_id, error.problem)


platform = StorePlatform(
    name="saleor",
    title="Saleor",
    detect=detect,
    source=SaleorSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=("api_url", "channel", "product_url_template"),
    secret_options=("access_token",),
)
