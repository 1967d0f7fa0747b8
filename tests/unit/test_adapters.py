"""What the API platforms make of saved answers (fixtures/cassettes/<adapter>)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.money import Money
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import HandOffLine, Store
from aggregator.domain.vocabulary import Availability
from aggregator.fetching import Fetcher
from aggregator.settings import Settings
from spiders.adapters import merchant_feed, shopify, woocommerce

CASSETTES = Path("fixtures/cassettes")
STORE = Store(
    id="s", slug="shop", name="My Shop", url="https://shop.example", platform="", country="DE", currency=None
)
Pages = dict[str, httpx.Response]


def saved(name: str) -> Any:
    return json.loads((CASSETTES / name).read_text("utf-8"))


def fetcher(answer: Callable[[httpx.Request], httpx.Response]) -> Fetcher:
    transport = httpx.MockTransport(answer)
    return Fetcher(Settings(), transport=transport, obey_robots=False, sleep=lambda seconds: None)


def serving(pages: dict[str, Any], asked: list[str] | None = None) -> Fetcher:
    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        if asked is not None:
            asked.append(path)
        page = pages.get(path, pages.get(request.url.path))
        if page is None:
            return httpx.Response(404, json={"code": "none"})
        return page if isinstance(page, httpx.Response) else httpx.Response(200, json=page)

    return fetcher(answer)


def drained(
    offers: Iterator[RawOffer | InvalidOffer],
) -> tuple[list[RawOffer | InvalidOffer], StoreError | None]:
    """What came before the error, and the error."""
    read: list[RawOffer | InvalidOffer] = []
    try:
        for offer in offers:
            read.append(offer)  # noqa: PERF402  # list() would lose what came before an error
    except StoreError as error:
        return read, error
    return read, None


def said(offer: RawOffer | InvalidOffer, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(offer, name) for name in names)


def line(external_id: str, quantity: int = 1, **values: Any) -> HandOffLine:
    url = values.pop("url", f"https://shop.example/products/{external_id}")
    return HandOffLine(external_id=external_id, title="Thing", url=url, quantity=quantity, **values)


# Shopify


def shopify_pages() -> dict[str, Any]:
    return {
        "/products.json?limit=250&page=1": saved("shopify/products.json"),
        "/products.json?limit=250&page=2": {"products": []},
        "/cart.js": {"token": "x", "item_count": 0, "currency": "EUR"},
        "/meta.json": {"name": "My Shop GmbH", "currency": "USD"},
        "/products/trail-mug.js": saved("shopify/trail-mug.js"),
    }


def test_shopify_variants_are_offers_of_one_group() -> None:
    offers = list(shopify.ShopifySource().fetch_offers(STORE, serving(shopify_pages())))
    names = (
        "external_id", "title", "url", "price", "price_currency", "list_price", "price_kind", "availability",
        "brand", "sku", "item_group_id", "image_url",
    )  # fmt: skip
    assert said(offers[0], *names) == (
        "9001", "Trail Mug & Lid Red 300 ml", "https://shop.example/products/trail-mug?variant=9001", Decimal("18.50"),
        "EUR", Decimal("24.00"), "sale", True, "Tassen & Co", "TM-R3", "811", "https://cdn.shop.example/mug-red.jpg",
    )  # fmt: skip
    assert offers[0].variant_attributes == {"Colour": "Red", "Volume": "300 ml"}
    assert said(offers[1], *names) == (
        "9002", "Trail Mug & Lid Blue 500 ml", "https://shop.example/products/trail-mug?variant=9002", Decimal("21.00"),
        "EUR", None, None, False, "Tassen & Co", None, "811", "https://cdn.shop.example/mug.jpg",
    )  # fmt: skip


def test_shopify_default_title_is_no_variant_and_the_shops_name_no_brand() -> None:
    offers = list(shopify.ShopifySource().fetch_offers(STORE, serving(shopify_pages())))
    assert said(offers[2], "external_id", "title", "brand", "item_group_id", "variant_attributes", "list_price") == (
        "9003", "Poster", None, None, {}, None,
    )  # fmt: skip
    assert isinstance(offers[3], InvalidOffer)
    assert said(offers[3], "reason", "title", "external_id") == ("no_variants", "Empty shell", "813")
    assert len(offers) == 4


def test_shopify_currency_comes_from_the_cart_then_the_shop() -> None:
    pages = shopify_pages()
    del pages["/cart.js"]
    offers = list(shopify.ShopifySource().fetch_offers(STORE, serving(pages)))
    assert said(offers[0], "price_currency") == ("USD",)


def test_shopify_takes_a_repeated_page_once_and_an_endless_one_as_unreadable() -> None:
    pages = shopify_pages()
    pages["/products.json?limit=250&page=2"] = saved("shopify/products.json")
    pages["/products.json?limit=250&page=3"] = {"products": []}
    assert len(list(shopify.ShopifySource().fetch_offers(STORE, serving(pages)))) == 4
    pages["/products.json"] = saved("shopify/products.json")
    del pages["/products.json?limit=250&page=3"]
    with pytest.raises(UnreadableAnswer, match="repeats"):
        list(shopify.ShopifySource().fetch_offers(STORE, serving(pages)))


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (httpx.Response(200, text='{"products": [{"id": 1'), UnreadableAnswer),
        (httpx.Response(200, json={"errors": "no"}), UnreadableAnswer),
        (httpx.Response(401), FetchFailed),
        (httpx.Response(302, headers={"location": "/password"}), FetchFailed),
    ],
)
def test_shopify_listing_that_breaks_off_makes_the_run_incomplete(
    page: httpx.Response, error: type[StoreError]
) -> None:
    pages = shopify_pages() | {"/products.json?limit=250&page=2": page}
    offers, raised = drained(shopify.ShopifySource().fetch_offers(STORE, serving(pages)))
    assert len(offers) == 4
    assert isinstance(raised, error)


def test_shopify_checks_by_handle_in_hundredths() -> None:
    asked: list[str] = []
    lines = [
        line(vid, url=f"https://shop.example/products/trail-mug?variant={vid}")
        for vid in ("9001", "9002", "9")
    ]
    lines.append(line("9003", url="https://shop.example/products/poster"))
    states = shopify.check_offers(STORE, lines, serving(shopify_pages(), asked))
    assert [(state.external_id, state.price, state.availability) for state in states] == [
        ("9001", Money(Decimal("17.50"), "EUR"), Availability.IN_STOCK),
        ("9002", Money(Decimal("21.00"), "EUR"), Availability.OUT_OF_STOCK),
        ("9", None, None),
        ("9003", None, None),
    ]
    assert states[2].problem == "is no longer listed"
    assert asked.count("/products/trail-mug.js") == 1


def test_shopify_hands_a_whole_cart_over_in_one_link() -> None:
    built = shopify.platform.handoff.build(STORE, [line("1", 2), line("22"), line("1", 3)])
    assert (built.kind, built.url, built.replaces_cart) == (
        "cart_link",
        "https://shop.example/cart/1:5,22:1",
        True,
    )
    assert shopify.platform.handoff.build(STORE, [line("1"), line("x/../y")]).kind == "product_link"


# WooCommerce

WOO = "/wp-json/wc/store/v1/products"


def woo_pages(total_pages: str = "1") -> dict[str, Any]:
    broken_link = {
        "Link": '<https://shop.example/x?page=2#038;per_page=100>; rel="next"',
        "X-WP-TotalPages": total_pages,
    }
    return {
        f"{WOO}?orderby=id&order=asc&per_page=100&page=1": httpx.Response(
            200, json=saved("woocommerce/products.json"), headers=broken_link
        ),
        f"{WOO}?type=variation&orderby=id&order=asc&per_page=100&page=1": httpx.Response(
            200, json=saved("woocommerce/variations.json"), headers={"X-WP-TotalPages": "1"}
        ),
    }


def test_woocommerce_reads_minor_units_entities_stock_and_sales() -> None:
    offers = list(woocommerce.WooCommerceSource().fetch_offers(STORE, serving(woo_pages())))
    names = (
        "external_id",
        "title",
        "price",
        "list_price",
        "price_kind",
        "availability",
        "stock_level",
        "brand",
        "sku",
    )
    assert said(offers[0], *names) == (
        "46", "Kingston FURY Beast 16 GB DDR4 3200 MHz (2×8)", Decimal("44.99"), None, None, "InStock", 25, "Kingston",
        "KF432C16BBK2/16",
    )  # fmt: skip
    assert said(offers[1], *names) == (
        "172", "Beanie with Logo", Decimal("18.00"), Decimal("20.00"), "sale", "InStock", None, None, "Woo-beanie-logo",
    )  # fmt: skip
    assert said(offers[2], "external_id", "availability", "stock_level", "price_currency", "category") == (
        "149", "OutOfStock", 0, "EUR", "Home",
    )  # fmt: skip


def test_woocommerce_variations_are_offers_and_their_parent_is_none() -> None:
    offers = list(woocommerce.WooCommerceSource().fetch_offers(STORE, serving(woo_pages())))
    assert "94" not in {offer.external_id for offer in offers}
    assert said(
        offers[5], "external_id", "title", "price", "brand", "category", "item_group_id", "variant_attributes", "url"
    ) == (
        "97", "Samsung 990 PRO NVMe SSD 4TB", Decimal("315.99"), "Samsung", "Storage", "94", {"Capacity": "4TB"},
        "https://shop.example/product/samsung-990-pro-nvme-ssd/?attribute_capacity=4TB",
    )  # fmt: skip


def test_woocommerce_keeps_what_cannot_be_bought_here_with_its_reason() -> None:
    offers = list(woocommerce.WooCommerceSource().fetch_offers(STORE, serving(woo_pages())))
    refused = [offer for offer in offers if isinstance(offer, InvalidOffer)]
    assert [(offer.external_id, offer.reason) for offer in refused] == [
        ("174", "external_product"),
        ("173", "grouped_product"),
    ]


def test_woocommerce_counts_pages_and_never_follows_the_link_header() -> None:
    asked: list[str] = []
    pages = woo_pages("2")
    second = [{**saved("woocommerce/product.json"), "id": 5000}]
    pages[f"{WOO}?orderby=id&order=asc&per_page=100&page=2"] = httpx.Response(
        200, json=second, headers={"X-WP-TotalPages": "2"}
    )
    offers = list(woocommerce.WooCommerceSource().fetch_offers(STORE, serving(pages, asked)))
    assert "5000" in {offer.external_id for offer in offers}
    assert [path.rpartition("page=")[2] for path in asked] == ["1", "2", "1"]


def test_woocommerce_without_page_count_stops_at_an_empty_page() -> None:
    pages = woo_pages()
    for kind, path in (("products", f"{WOO}?orderby"), ("variations", f"{WOO}?type=variation&orderby")):
        pages[f"{path}=id&order=asc&per_page=100&page=1"] = saved(f"woocommerce/{kind}.json")
        pages[f"{path}=id&order=asc&per_page=100&page=2"] = []
    assert len(list(woocommerce.WooCommerceSource().fetch_offers(STORE, serving(pages)))) == 8


def test_woocommerce_without_pretty_permalinks_is_read_elsewhere() -> None:
    pages = {
        path.replace(f"{WOO}?", "/?rest_route=/wc/store/v1/products&"): page
        for path, page in woo_pages().items()
    }
    assert len(list(woocommerce.WooCommerceSource().fetch_offers(STORE, serving(pages)))) == 8


@pytest.mark.parametrize(
    ("unit", "price", "expected"), [(0, "1200", "1200"), (3, "1250", "1.250"), (2, "abc", "abc")]
)
def test_woocommerce_divides_by_the_unit_that_the_payload_declares(
    unit: int, price: str, expected: str
) -> None:
    product = saved("woocommerce/product.json")
    product["prices"] |= {"price": price, "regular_price": price, "currency_minor_unit": unit}
    (offer,) = woocommerce.read_product(product, "https://shop.example")
    assert str(said(offer, "price")[0]) == expected


@pytest.mark.parametrize(
    ("words", "attributes"),
    [
        ("Colour: Black, Storage: 128GB", {"Colour": "Black", "Storage": "128GB"}),
        ("Size: 1,5 l", {"Size": "1,5 l"}),
        ("", {}),
        ("no pairs", {}),
    ],
)
def test_woocommerce_reads_the_options_of_a_variation(words: str, attributes: dict[str, str]) -> None:
    product = saved("woocommerce/product.json") | {"type": "variation", "variation": words, "parent": 9}
    (offer,) = woocommerce.read_product(product, "https://shop.example")
    assert said(offer, "variant_attributes") == (attributes,)


def test_woocommerce_hands_over_by_checkout_link_where_the_version_has_it() -> None:
    modern = replace(STORE, options={"woocommerce_version": "11.0.1"})
    old = replace(STORE, options={"woocommerce_version": "8.9.1"})
    lines = [line("7", 2), line("9")]
    built = woocommerce.platform.handoff.build(modern, lines)
    assert (built.kind, built.url) == ("cart_link", "https://shop.example/checkout-link/?products=7:2,9:1")
    assert built.replaces_cart
    for store in (old, STORE):
        built = woocommerce.platform.handoff.build(store, lines)
        assert (built.kind, built.item_urls) == (
            "item_link",
            (
                "https://shop.example/?add-to-cart=7&quantity=2",
                "https://shop.example/?add-to-cart=9&quantity=1",
            ),
        )


def test_woocommerce_links_to_the_page_where_a_choice_is_left() -> None:
    product = saved("woocommerce/products.json")[-1]
    product["variations"][0]["attributes"][0]["value"] = ""
    parents = woocommerce.Parents()
    parents.learn(product)
    variation = next(
        v for v in saved("woocommerce/variations.json") if v["id"] == product["variations"][0]["id"]
    )
    (offer,) = woocommerce.read_product(variation, "https://shop.example", parents)
    assert said(offer, "handoff") == ({"needs_choice": "yes"},)
    modern = replace(STORE, options={"woocommerce_version": "11.0.1"})
    open_line = line("7", handoff=(("needs_choice", "yes"),))
    built = woocommerce.platform.handoff.build(modern, [open_line, line("9")])
    assert (built.kind, built.item_urls) == (
        "item_link",
        (open_line.url, "https://shop.example/?add-to-cart=9&quantity=1"),
    )
    assert woocommerce.platform.handoff.build(modern, [open_line]).kind == "product_link"


def test_woocommerce_checks_one_by_one() -> None:
    product = saved("woocommerce/product.json")
    pages = {f"{WOO}/{product['id']}": product}
    states = woocommerce.check_offers(STORE, [line(str(product["id"])), line("5")], serving(pages))
    assert [(state.price and state.price.plain(), state.problem) for state in states] == [
        (f"{int(product['prices']['price']) / 100:.2f}", None),
        (None, "is no longer listed"),
    ]


# Merchant feed

FEED = replace(STORE, options={"feed_url": "https://shop.example/feed.xml"})
IN_TIME = datetime(2026, 6, 1, tzinfo=UTC)


def feed_fetcher() -> Fetcher:
    body = (CASSETTES / "merchant_feed/feed.xml").read_bytes()
    return serving({"/feed.xml": httpx.Response(200, content=body)})


def test_feed_items_are_offers() -> None:
    offers = list(merchant_feed.MerchantFeedSource().fetch_offers(FEED, feed_fetcher()))
    assert said(
        offers[0], "external_id", "title", "url", "price_currency", "availability", "item_condition", "brand", "gtin",
        "mpn", "category", "image_url", "shipping_cost", "handoff",
    ) == (
        "A-1", "Kettle & Base", "https://shop.example/i/kettle?source=feed", "EUR", "in stock", "new", "Lumo",
        "9520000000011", "K-100", "Kitchen > Kettles", "https://shop.example/images/kettle.png", Decimal("3.95"),
        {"checkout_link_template": "https://shop.example/add?id={id}&qty={quantity}"},
    )  # fmt: skip
    names = ("title", "price", "price_currency", "item_group_id", "variant_attributes", "availability")
    assert said(offers[1], *names) == (
        "Scarf <red>", "1.299,00", "EUR", "B", {"color": "red"}, "preorder",
    )  # fmt: skip
    assert said(offers[2], "external_id", "reason") == ("C-1", "no_link")


@pytest.mark.parametrize(
    ("dates", "price", "list_price"),
    [
        ("2026-01-01T00:00+0100/2026-12-31T23:59+0100", "8.00", "10.00"),
        ("2026-01-01/2026-12-31", "8.00", "10.00"),
        (None, "8.00", "10.00"),
        ("2025-01-01T00:00+0100/2025-12-31T23:59+0100", "10.00", None),
        ("whenever", "10.00", None),
    ],
)
def test_a_sale_price_counts_in_its_time_only(dates: str | None, price: str, list_price: str | None) -> None:
    row = {
        "id": "1",
        "title": "T",
        "link": "https://shop.example/t",
        "price": "10.00 EUR",
        "sale_price": "8.00 EUR",
    }
    if dates:
        row["sale_price_effective_date"] = dates
    offer = merchant_feed.read_item(row, "https://shop.example/feed.xml", now=IN_TIME)
    expected = (Decimal(price), Decimal(list_price) if list_price else None)
    assert said(offer, "price", "list_price") == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("15.00 EUR", (Decimal("15.00"), "EUR")),
        ("EUR 15.00", (Decimal("15.00"), "EUR")),
        ("15.00", (Decimal("15.00"), None)),
        ("15,00 EUR", ("15,00", "EUR")),
        ("1,299.00 USD", ("1,299.00", "USD")),
        ("free", ("free", None)),
        (None, (None, None)),
    ],
)
def test_reads_prices_of_feeds(words: str | None, expected: tuple[Any, Any]) -> None:
    assert merchant_feed.read_feed_price(words) == expected


def test_a_cut_feed_yields_its_items_and_then_fails() -> None:
    body = (CASSETTES / "merchant_feed/feed.xml").read_bytes()
    pages = {"/feed.xml": httpx.Response(200, content=body[: body.index(b"C-1")])}
    offers, raised = drained(merchant_feed.MerchantFeedSource().fetch_offers(FEED, serving(pages)))
    assert [offer.external_id for offer in offers] == ["A-1", "B-1"]
    assert isinstance(raised, UnreadableAnswer)


def test_a_feed_without_address_is_refused_with_the_remedy() -> None:
    with pytest.raises(FetchRefused, match="--set feed_url="):
        list(merchant_feed.MerchantFeedSource().fetch_offers(STORE, feed_fetcher()))


@pytest.mark.parametrize(
    ("template", "quantity", "expected"),
    [
        ("https://shop.example/add?id={id}&qty={quantity}", 3, "https://shop.example/add?id=A%2F1&qty=3"),
        ("https://shop.example/add/%7Bid%7D", 1, "https://shop.example/add/A%2F1"),
        ("https://checkout.shop.example/{id}", 1, "https://checkout.shop.example/A%2F1"),
        ("https://shop.example/add/{id}", 2, None),
        ("https://shop.example/add/{id}/{user}", 1, None),
        ("https://evil.test/add/{id}", 1, None),
        ("javascript:alert('{id}')", 1, None),
        ("https://shop.example@evil.test/{id}", 1, None),
    ],
)
def test_fills_only_templates_of_the_stores_own_site(
    template: str, quantity: int, expected: str | None
) -> None:
    wanted = line("A/1", quantity, handoff=(("checkout_link_template", template),))
    built = merchant_feed.platform.handoff.build(FEED, [wanted])
    if expected is None:
        assert (built.kind, built.item_urls) == ("product_link", (wanted.url,))
    else:
        assert (built.kind, built.item_urls) == ("item_link", (expected,))


def test_the_feed_is_read_again_to_check_items() -> None:
    states = merchant_feed.check_offers(FEED, [line("B-1"), line("Z")], feed_fetcher())
    assert [(state.external_id, state.price, state.problem) for state in states] == [
        ("B-1", Money(Decimal("1299.00"), "EUR"), None),
        ("Z", None, "is no longer listed"),
    ]


def test_shopify_tells_the_form_of_one_product_with_its_hundredths() -> None:
    offers = list(shopify.read_product(saved("shopify/trail-mug.js"), "https://shop.example", "KRW"))
    cents = saved("shopify/trail-mug.js")["variants"][0]["price"]
    assert getattr(offers[0], "price", None) == Decimal(cents) / 100


def test_shopify_reads_what_lies_beyond_the_listings_cap_by_the_sitemap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shopify, "PAGE_SIZE", 1)
    monkeypatch.setattr(shopify, "MAX_PAGES", 2)
    first, second = saved("shopify/products.json")["products"][:2]
    paths = [
        "/",
        "/products/trail-mug",
        f"/products/{first['handle']}",
        "/products/gone",
        "/products/new-lamp",
    ]
    locations = "".join(f"<url><loc>https://shop.example{path}</loc></url>" for path in paths)
    lamp = {
        "id": 77,
        "handle": "new-lamp",
        "title": "Lamp",
        "price": 1200,
        "variants": [{"id": 88, "price": 1200}],
    }
    pages = {
        "/products.json?limit=1&page=1": {"products": [first]},
        "/products.json?limit=1&page=2": {"products": [second]},
        "/cart.js": {"currency": "EUR"},
        "/sitemap.xml": httpx.Response(200, text=f"<urlset>{locations}</urlset>"),
        "/products/new-lamp.js": lamp,
    }
    asked: list[str] = []
    offers, error = drained(shopify.ShopifySource().fetch_offers(STORE, serving(pages, asked)))
    assert error is None
    assert said(offers[-1], "external_id", "title", "price", "url") == (
        "88", "Lamp", Decimal("12.00"), "https://shop.example/products/new-lamp",
    )  # fmt: skip
    assert [path for path in asked if path.endswith(".js") and "cart" not in path] == [
        "/products/gone.js", "/products/new-lamp.js",
    ]  # fmt: skip
