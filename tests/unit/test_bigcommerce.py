"""What BigCommerce stores say, from documented answers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from aggregator.domain.errors import FetchRefused
from aggregator.domain.money import Money
from aggregator.domain.offers import InvalidOffer
from aggregator.domain.vocabulary import Availability, PriceKind
from spiders.adapters import bigcommerce
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

KEYS = {"store_hash": "abc123", "access_token": "secret"}


def api() -> Shop:
    return by_path(
        {
            "/stores/abc123/v2/store": saved("bigcommerce/store.json"),
            "/stores/abc123/v3/catalog/products": saved("bigcommerce/products.json"),
        }
    )


def test_products_and_variants_are_offers_with_the_stores_currency() -> None:
    asked = api()
    offers = list(bigcommerce.BigCommerceSource().fetch_offers(store("bigcommerce", **KEYS), asked.fetcher()))
    towel, medium, large = normalized(offers[:3])
    assert (towel.external_id, towel.price, towel.list_price, towel.price_kind) == (
        "77", Money(Decimal("39.00"), "USD"), Money(Decimal("49.00"), "USD"), PriceKind.SALE,
    )  # fmt: skip
    assert (towel.availability, towel.gtin, towel.url) == (
        Availability.IN_STOCK, "09521234567899", "https://shop.example/linen-towel/",
    )  # fmt: skip
    assert (medium.external_id, medium.title, medium.sku, medium.stock_level) == (
        "78-501", "Wool Sock M", "SOCK-M", 7,
    )  # fmt: skip
    assert (large.price, large.availability) == (Money(Decimal("13.00"), "USD"), Availability.OUT_OF_STOCK)
    assert medium.item_group_id == large.item_group_id == "78"
    assert isinstance(offers[3], InvalidOffer)
    assert offers[3].reason == "hidden_price"
    assert {request.headers["x-auth-token"] for request in asked.requests} == {"secret"}


@pytest.mark.parametrize(
    ("options", "name"), [({"store_hash": "abc123"}, "access_token"), ({"access_token": "x"}, "store_hash")]
)
def test_half_a_key_says_which_half_is_missing(options: dict[str, str], name: str) -> None:
    with pytest.raises(FetchRefused, match=f"needs a key: --set {name}="):
        list(bigcommerce.BigCommerceSource().fetch_offers(store("bigcommerce", **options), api().fetcher()))


PRODUCT_PAGE = """<html><head><title>Towel</title><script type="application/ld+json">
{"@context":"https://schema.org","@type":"Product","name":"Linen Towel","sku":"TOWEL-B","offers":
{"@type":"Offer","price":"39.00","priceCurrency":"USD","availability":"https://schema.org/InStock"}}
</script></head><body><h1>Linen Towel</h1></body></html>"""
SITEMAP = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{}</urlset>"


def pages(*paths: str, **answers: Any) -> Shop:
    listed = "".join(f"<url><loc>https://shop.example{path}</loc></url>" for path in paths)
    return by_path({"/xmlsitemap.php": SITEMAP.format(listed), "/linen-towel/": PRODUCT_PAGE, **answers})


def test_without_a_key_the_listed_pages_are_read() -> None:
    shop = pages("/linen-towel/", "/gone/")
    (offer,) = normalized(bigcommerce.BigCommerceSource().fetch_offers(store("bigcommerce"), shop.fetcher()))
    assert (offer.title, offer.price, offer.sku) == ("Linen Towel", Money(Decimal("39.00"), "USD"), "TOWEL-B")


def test_a_page_that_did_not_answer_makes_the_walk_incomplete() -> None:
    shop = pages("/broken/", "/linen-towel/", **{"/broken/": httpx.Response(500)})
    offers, error = drained(
        bigcommerce.BigCommerceSource().fetch_offers(store("bigcommerce"), shop.fetcher())
    )
    assert len(offers) == 1
    assert error is not None
    assert "HTTP 500" in str(error)


def test_the_cart_link_names_skus_and_adds_up_quantities() -> None:
    lines = [
        replace(line("77", 2), sku="TOWEL-B"),
        replace(line("78-501"), sku="SOCK-M"),
        replace(line("77"), sku="TOWEL-B"),
    ]
    built = bigcommerce.build_handoff(store("bigcommerce"), lines)
    assert (built.kind, built.replaces_cart) == ("cart_link", True)
    assert (
        built.url == "https://shop.example/checkout/?products=TOWEL-B:3,SOCK-M:1&order_source=www&action=buy"
    )


@pytest.mark.parametrize("sku", [None, "4711", "A,B:2", ""])
def test_a_sku_that_could_be_read_as_something_else_gets_the_page(sku: str | None) -> None:
    built = bigcommerce.build_handoff(store("bigcommerce"), [replace(line("77"), sku=sku)])
    assert (built.kind, built.item_urls) == ("product_link", ("https://shop.example/products/77",))


def test_it_is_recognised_by_its_marks_and_its_sitemap() -> None:
    home = page("/", '<meta name="platform" content="x" platform="bigcommerce.stencil">'
                     '<img src="https://cdn11.bigcommerce.com/s-abc/i.jpg">')  # fmt: skip
    sitemap = page("/xmlsitemap.php", "<?xml version='1.0'?><sitemapindex></sitemapindex>")
    assert bigcommerce.detect(Site(home, {"/xmlsitemap.php": sitemap})).confidence == 0.9
    assert bigcommerce.detect(Site(home)).confidence < 0.6
    article = page("/", '<p>BigCommerce</p><img src="https://cdn11.bigcommerce.com/s-abc/i.jpg">')
    assert bigcommerce.detect(Site(article, {"/xmlsitemap.php": sitemap})).confidence < 0.6


def test_offers_are_checked_by_the_number_of_their_product() -> None:
    asked = api()
    found = bigcommerce.check_offers(
        replace(store("bigcommerce", **KEYS), currency="USD"), [line("78-502"), line("99")], asked.fetcher()
    )
    assert [(state.price, state.availability, state.problem) for state in found] == [
        (Money(Decimal("13.00"), "USD"), Availability.OUT_OF_STOCK, None),
        (None, None, "is no longer listed"),
    ]
    assert "id%3Ain=78%2C99" in asked.asked[0]


def test_with_a_storefronts_token_its_graphql_is_walked_by_cursor() -> None:
    def answer(request: httpx.Request) -> Any:
        asked = posted(request)["variables"]
        if asked["first"] > 8:
            return {"errors": [{"message": "The query is too complex as it has a complexity score of 12000"}]}
        last = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "edges": []}
        return (
            saved("bigcommerce/storefront.json")
            if asked["after"] is None
            else {"data": {"site": {"products": last}}}
        )

    shop = Shop(answer)
    given = store("bigcommerce", storefront_token="token")
    towel, medium, large = normalized(bigcommerce.BigCommerceSource().fetch_offers(given, shop.fetcher()))
    assert (towel.external_id, towel.price, towel.list_price, towel.gtin, towel.brand) == (
        "77", Money(Decimal("39.00"), "CAD"), Money(Decimal("49.00"), "CAD"), "09521234567899", "Leinen",
    )  # fmt: skip
    assert (medium.title, medium.stock_level, medium.item_group_id) == ("Wool Sock M", 4, "78")
    assert (large.sku, large.price, large.availability) == (
        "SOCK-L", Money(Decimal("13.00"), "CAD"), Availability.OUT_OF_STOCK,
    )  # fmt: skip
    assert {request.headers["authorization"] for request in shop.requests} == {"Bearer token"}
    assert [posted(request)["variables"]["after"] for request in shop.requests] == [None, None, "YQ=="]


def test_with_a_storefronts_token_offers_are_checked_there() -> None:
    shop = Shop(lambda request: saved("bigcommerce/storefront.json"))
    given = store("bigcommerce", storefront_token="token")
    found = bigcommerce.check_offers(given, [line("78-502"), line("5"), line("a-page")], shop.fetcher())
    assert [(state.price, state.problem) for state in found] == [
        (Money(Decimal("13.00"), "CAD"), None), (None, "is no longer listed"), (None, "is no longer listed"),
    ]  # fmt: skip
    assert posted(shop.requests[0])["variables"] == {"ids": [5, 78], "first": 2}
