"""What Saleor, Shopware and Shopify's Storefront API say, from answers built after their documentation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from aggregator.domain.errors import FetchRefused, UnreadableAnswer
from aggregator.domain.money import Money
from aggregator.domain.offers import RawOffer
from aggregator.domain.vocabulary import Availability, PriceKind
from spiders.adapters import saleor, shopify, shopify_storefront, shopware
from tests.unit.store_answers import (
    Shop,
    Site,
    by_path,
    drained,
    line,
    normalized,
    page,
    posted,
    saved,
    store,
)

# Saleor


def saleor_products(**place: Any) -> Any:
    answer = saved("saleor/products.json")
    answer["data"]["products"]["pageInfo"] |= place
    return answer


def test_saleor_variants_are_gross_offers_of_one_group() -> None:
    shop = by_path({"/graphql/": saleor_products()})
    offers = list(saleor.SaleorSource().fetch_offers(store("saleor", channel="eu"), shop.fetcher()))
    first, second = normalized(offers[:2])
    assert (first.title, first.price, first.brand, first.gtin, first.sku) == (
        "Monokai Dimmed Sneakers 40", Money(Decimal("107.00"), "USD"), "Saleor", "09521234567899", "118223580",
    )  # fmt: skip
    assert first.variant_attributes == (("Shoe size", "40"),)
    assert (
        first.url
        == "https://shop.example/eu/products/monokai-dimmed-sneakers?variant=UHJvZHVjdFZhcmlhbnQ6MTI5"
    )
    assert (second.price_kind, second.list_price) == (PriceKind.SALE, Money(Decimal("107.00"), "USD"))
    assert second.availability == Availability.OUT_OF_STOCK
    assert first.item_group_id == second.item_group_id == "UHJvZHVjdDo3Mg=="
    assert isinstance(offers[2], RawOffer)
    assert (offers[2].title, offers[2].price, offers[2].item_group_id) == ("The Dash Cushion", None, None)
    assert posted(shop.requests[0])["variables"]["channel"] == "eu"


def test_saleor_follows_its_cursor_and_asks_for_less_when_told() -> None:
    def answer(request: httpx.Request) -> Any:
        asked = posted(request)["variables"]
        if asked["first"] > 50:
            return httpx.Response(
                400, json={"errors": [{"message": "The query exceeded the maximum cost of 50000"}]}
            )
        return saleor_products(hasNextPage=asked["after"] is None, endCursor="c1")

    shop = Shop(answer)
    assert len(list(saleor.SaleorSource().fetch_offers(store("saleor"), shop.fetcher()))) == 6
    assert [posted(request)["variables"] for request in shop.requests] == [
        {"first": 100, "after": None, "channel": "default-channel"},
        {"first": 50, "after": None, "channel": "default-channel"},
        {"first": 50, "after": "c1", "channel": "default-channel"},
    ]
    circle = by_path({"/graphql/": saleor_products(hasNextPage=True)})
    with pytest.raises(UnreadableAnswer, match="leads in a circle"):
        list(saleor.SaleorSource().fetch_offers(store("saleor"), circle.fetcher()))


def test_saleor_without_its_channel_says_how_to_name_one() -> None:
    shop = by_path({"/graphql/": {"data": {"products": None}}})
    with pytest.raises(UnreadableAnswer, match=r"--set channel=…"):
        list(saleor.SaleorSource().fetch_offers(store("saleor"), shop.fetcher()))
    locked = by_path({"/graphql/": httpx.Response(403)})
    with pytest.raises(FetchRefused, match="wants a valid key"):
        list(saleor.SaleorSource().fetch_offers(store("saleor", access_token="t"), locked.fetcher()))
    assert locked.requests[0].headers["authorization"] == "Bearer t"


def test_saleor_checks_a_variant() -> None:
    product = saved("saleor/products.json")["data"]["products"]["edges"][0]["node"]
    variant = {**product["variants"][1], "product": product}
    shop = by_path({"/graphql/": {"data": {"productVariant": variant}}})
    lines = [line("UHJvZHVjdFZhcmlhbnQ6MTMw"), line("other")]
    states = saleor.check_offers(store("saleor"), lines, shop.fetcher())
    assert [(state.price, state.problem) for state in states] == [
        (Money(Decimal("90.95"), "USD"), None),
        (None, "is no longer listed"),
    ]


def test_saleor_is_known_by_its_playground() -> None:
    api = {
        "/graphql/": page(
            "/graphql/", '<script src="https://cdn.jsdelivr.net/npm/@saleor/graphql-playground@2">'
        )
    }
    assert saleor.detect(Site(page("/", '{"ok":1}'), api)).confidence == 0.95
    pictures = page("/", "<html><body>" + "x" * 400 + '<img src="https://saleor.imgix.net/a.png">')
    assert saleor.detect(Site(pictures, {})).confidence == 0.4
    named = {"POST /graphql/": page("/graphql/", '{"data": {"shop": {"name": "A shop"}}}')}
    assert saleor.detect(Site(pictures, named)).name == "A shop"
    other = {"/graphql/": page("/graphql/", "<title>GraphQL Playground</title>")}
    assert saleor.detect(Site(page("/", '{"ok":1}'), other)).confidence == 0


# Shopware


def shopware_pages(**changes: Any) -> dict[str, Any]:
    return {
        "/store-api/context": saved("shopware/context.json"),
        "/store-api/product": saved("shopware/products.json"),
    } | changes


def read_shopware(pages: dict[str, Any]) -> list[Any]:
    here = store("shopware", access_key="SWSC1")
    return list(shopware.ShopwareSource().fetch_offers(here, by_path(pages).fetcher()))


def test_shopware_products_and_variants_are_offers_their_container_is_none() -> None:
    shop = by_path(shopware_pages())
    here = store("shopware", access_key="SWSC1")
    jacket, tea, chair = normalized(shopware.ShopwareSource().fetch_offers(here, shop.fetcher()))
    assert (jacket.title, jacket.price, jacket.list_price, jacket.brand) == (
        "Winter jacket Red", Money(Decimal("19.99"), "EUR"), Money(Decimal("24.99"), "EUR"), "Shopware Fashion",
    )  # fmt: skip
    assert (jacket.gtin, jacket.mpn, jacket.sku, jacket.item_group_id) == (
        "09521234567899", "WJ-1", "SWDEMO10005.1", "11dc680240b04f469ccba354cbf0b967",
    )  # fmt: skip
    assert jacket.url == "https://shop.example/Winter-jacket/SWDEMO10005.1"
    assert (jacket.category, jacket.stock_level) == ("Clothing", 50)
    # One piece costs what the first of its quantity tiers says; it can be ordered though none is there.
    assert (tea.price, tea.availability) == (Money(Decimal("9.50"), "EUR"), Availability.BACK_ORDER)
    assert tea.url == "https://shop.example/detail/2a88d9b59d474c7e869d8071649be43c"
    assert chair.availability == Availability.OUT_OF_STOCK
    assert shop.requests[0].headers["sw-access-key"] == "SWSC1"
    assert posted(shop.requests[1])["limit"] == 100


def test_shopware_adds_the_tax_where_net_prices_are_shown() -> None:
    context = saved("shopware/context.json") | {"taxState": "net"}
    jacket, tea, _ = normalized(read_shopware(shopware_pages(**{"/store-api/context": context})))
    assert (jacket.price.plain(), jacket.list_price, tea.price.plain()) == (
        "23.79", Money(Decimal("29.74"), "EUR"), "10.16",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"/store-api/context": httpx.Response(401, json={"errors": []})}, "--set access_key=…"),
        ({"/store-api/product": httpx.Response(412)}, "--set access_key=…"),
        ({"/store-api/product": {"elements": None}}, "has no list of products"),
        ({"/store-api/product": {"elements": [], "total": 7}}, "listed 0 products of 7"),
        ({"/store-api/product": httpx.Response(200, text="<html>")}, "is not the JSON"),
    ],
)
def test_shopware_that_cannot_be_read_to_its_end_says_why(changes: dict[str, Any], problem: str) -> None:
    here = store("shopware", access_key="SWSC1")
    _, error = drained(
        shopware.ShopwareSource().fetch_offers(here, by_path(shopware_pages(**changes)).fetcher())
    )
    assert error is not None
    assert problem in error.problem


def test_shopware_without_a_key_is_read_by_its_pages() -> None:
    markup = (
        '<script type="application/ld+json">{"@type":"Product","name":"Chair","sku":"C1","url":"https://shop.example/c",'
        '"offers":{"@type":"Offer","price":"495.95","priceCurrency":"EUR"}}</script><h1>Chair</h1>'
    )
    shop = by_path(
        {
            "/sitemap.xml": "<urlset><url><loc>https://shop.example/c</loc></url></urlset>",
            "/c": httpx.Response(200, html=markup),
        }
    )
    (chair,) = normalized(shopware.ShopwareSource().fetch_offers(store("shopware"), shop.fetcher()))
    assert (chair.title, chair.price) == ("Chair", Money(Decimal("495.95"), "EUR"))


def test_shopware_checks_all_lines_in_one_question() -> None:
    shop = by_path(shopware_pages())
    lines = [line("3ac014f329884b57a2cce5a29f34779c"), line("f" * 32)]
    states = shopware.check_offers(store("shopware", access_key="k"), lines, shop.fetcher())
    assert [(state.price, state.problem) for state in states] == [
        (Money(Decimal("495.95"), "EUR"), None),
        (None, "is no longer listed"),
    ]
    assert shop.asked == ["GET /store-api/context", "POST /store-api/product"]


def test_shopware_is_known_by_its_storefront_and_store_api() -> None:
    home = page(
        "/", '<script src="/bundles/storefront/x.js">', sw_version_id="0fa91ce3e96a4bc2be4bd9ce752c3425"
    )
    asks = page(
        "/store-api/context", '{"errors":[{"detail":"Header \\"sw-access-key\\" is required."}]}', 401
    )
    assert shopware.detect(Site(home, {"/store-api/context": asks})).confidence == 0.95
    assert shopware.detect(Site(home)).confidence == 0.7
    quoted = page(
        "/", "<code>/bundles/storefront/x.js</code><code>window.activeRoute = 'frontend.home.page'</code>"
    )
    assert shopware.detect(Site(quoted)).confidence == 0.4
    about = Site(page("/", "<html><body>Shopware and its /store-api explained"), {"/store-api/context": asks})
    assert shopware.detect(about).confidence == 0


# Shopify's Storefront API


def storefront(pages: Any, **options: str) -> tuple[Shop, list[Any]]:
    shop = Shop(pages) if callable(pages) else by_path({"/api/2026-10/graphql.json": pages})
    here = store("shopify", storefront_token="abc", **options)
    return shop, list(shopify_storefront.fetch_offers(here, shop.fetcher()))


def test_storefront_offers_have_the_ids_of_the_public_catalogue() -> None:
    shop, offers = storefront(saved("shopify_storefront/products.json"))
    red, blue, poster = normalized(offers)
    assert (red.external_id, red.title, red.price, red.list_price, red.gtin) == (
        "9001", "Trail Mug Red", Money(Decimal("18.50"), "EUR"), Money(Decimal("24.00"), "EUR"), "09521234567899",
    )  # fmt: skip
    assert red.url == "https://shop.example/products/trail-mug?variant=9001"
    assert (blue.item_group_id, blue.availability) == ("811", Availability.BACK_ORDER)
    assert (poster.brand, poster.list_price, poster.item_group_id) == (None, None, None)
    assert (poster.url, poster.availability) == (
        "https://shop.example/products/poster",
        Availability.OUT_OF_STOCK,
    )
    assert shop.requests[0].headers["x-shopify-storefront-access-token"] == "abc"
    assert "@inContext(country:DE)" in posted(shop.requests[0])["query"]


def test_storefront_walks_products_and_their_variants() -> None:
    whole = saved("shopify_storefront/products.json")["data"]["products"]

    def answer(request: httpx.Request) -> Any:
        asked = posted(request)["variables"]
        mug, poster = whole["nodes"]
        red, blue = mug["variants"]["nodes"]
        if "id" in asked:
            nodes = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": [blue]}
            return {"data": {"product": {**mug, "variants": nodes}}}
        if asked["after"]:
            return {"data": {"products": {"pageInfo": {"hasNextPage": False}, "nodes": [poster]}}}
        part = {"pageInfo": {"hasNextPage": True, "endCursor": "v1"}, "nodes": [red]}
        place = {"hasNextPage": True, "endCursor": "c1"}
        return {"data": {"products": {"pageInfo": place, "nodes": [{**mug, "variants": part}]}}}

    shop, offers = storefront(answer, country="at")
    assert [(offer.external_id, offer.item_group_id) for offer in offers] == [
        ("9001", "811"), ("9002", "811"), ("9003", None),
    ]  # fmt: skip
    assert posted(shop.requests[1])["variables"] == {"variants": "v1", "id": "gid://shopify/Product/811"}
    assert "country:AT" in posted(shop.requests[0])["query"]


def test_a_shopify_store_with_a_token_is_read_over_the_storefront_api() -> None:
    shop = by_path({"/api/2026-10/graphql.json": saved("shopify_storefront/products.json")})
    here = store("shopify", storefront_token="shpat_1")
    offers = list(shopify.ShopifySource().fetch_offers(here, shop.fetcher()))
    assert [offer.external_id for offer in offers] == ["9001", "9002", "9003"]
    assert shop.asked == ["POST /api/2026-10/graphql.json"]
    assert shop.requests[0].headers["shopify-storefront-private-token"] == "shpat_1"


def test_storefront_refuses_odd_versions_and_throttled_answers() -> None:
    with pytest.raises(FetchRefused, match="api_version is a year and a month"):
        storefront({}, api_version="../admin")
    throttled = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
    with pytest.raises(UnreadableAnswer, match="Throttled"):
        storefront(throttled)
