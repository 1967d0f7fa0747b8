"""What the pages of django-oscar, OpenCart and EverShop shops say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from aggregator.domain.errors import FetchFailed, FetchRefused, UnreadableAnswer
from aggregator.domain.money import Money
from aggregator.domain.offers import InvalidOffer
from aggregator.domain.vocabulary import Availability, PriceKind
from aggregator.fetching import Answer, Fetcher
from aggregator.settings import Settings
from spiders.adapters import evershop, opencart, oscar
from spiders.opencart_pages import read_stock
from tests.unit.store_answers import Shop, Site, by_path, drained, line, normalized, page, saved, store

# django-oscar


def child(number: int, title: str, price: str) -> str:
    return (
        f'<article class="product_page"><div class="product_main"><h1>{title}</h1><p class="price_color">{price}</p>'
        '<p class="outofstock availability">Unavailable</p>'
        f'<form action="/en-gb/basket/add/{number}/"></form></div></article>'
    )


def oscar_pages() -> dict[str, Any]:
    return {
        "/": '<a href="/en-gb/catalogue/">All products</a>',
        "/en-gb/catalogue/": saved("oscar/listing.html"),
        "/en-gb/catalogue/?page=2": saved("oscar/listing-2.html"),
        "/en-gb/catalogue/copper-kettle_7/": saved("oscar/kettle.html"),
        "/en-gb/catalogue/t-shirt_8/": saved("oscar/parent.html"),
        "/en-gb/catalogue/t-shirt-s_9/": child(9, "T-shirt S", "£12.00"),
        "/en-gb/catalogue/t-shirt-m_10/": child(10, "T-shirt M", "£14.00"),
        "/en-gb/catalogue/teapot_12/": child(12, "Teapot", "£5.00"),
    }


def test_oscar_reads_the_catalogue_and_the_children_of_parents() -> None:
    shop = by_path(oscar_pages())
    kettle, small, medium, teapot = normalized(
        oscar.OscarSource().fetch_offers(store("oscar"), shop.fetcher())
    )
    assert (kettle.external_id, kettle.title, kettle.price) == (
        "7", "Copper kettle with a long spout", Money(Decimal("1233.99"), "GBP"),
    )  # fmt: skip
    assert (kettle.brand, kettle.gtin, kettle.category, kettle.stock_level) == (
        "Kupfer & Sohn", "09521234567899", "Kitchen", 25,
    )  # fmt: skip
    assert (kettle.availability, kettle.item_group_id) == (Availability.IN_STOCK, None)
    assert kettle.image_url == "https://shop.example/media/cache/kettle.jpg"
    assert [(one.external_id, one.price.plain(), one.item_group_id) for one in (small, medium, teapot)] == [
        ("9", "12.00", "8"), ("10", "14.00", "8"), ("12", "5.00", None),
    ]  # fmt: skip
    assert small.availability == Availability.OUT_OF_STOCK
    assert not any("page=3" in path for path in shop.asked)


def test_oscar_stops_where_the_catalogue_leads_back_to_its_beginning() -> None:
    pages = oscar_pages()
    pages["/en-gb/catalogue/?page=2"] = httpx.Response(302, headers={"location": "/en-gb/catalogue/"})
    offers = list(oscar.OscarSource().fetch_offers(store("oscar"), by_path(pages).fetcher()))
    assert [offer.external_id for offer in offers] == ["7", "9", "10"]


def test_oscar_page_without_an_answer_makes_the_run_incomplete_and_a_gone_one_does_not() -> None:
    pages = oscar_pages()
    del pages["/en-gb/catalogue/teapot_12/"]
    assert len(list(oscar.OscarSource().fetch_offers(store("oscar"), by_path(pages).fetcher()))) == 3
    pages["/en-gb/catalogue/copper-kettle_7/"] = httpx.Response(403)
    offers, error = drained(oscar.OscarSource().fetch_offers(store("oscar"), by_path(pages).fetcher()))
    assert [offer.external_id for offer in offers] == ["9", "10"]
    assert isinstance(error, FetchFailed)


def test_oscar_without_products_or_with_odd_pages_says_so() -> None:
    with pytest.raises(UnreadableAnswer, match=r"--set listing_url=https://…"):
        list(oscar.OscarSource().fetch_offers(store("oscar"), by_path({"/catalogue/": "<html>"}).fetcher()))
    pages = oscar_pages() | {"/en-gb/catalogue/teapot_12/": "<html><h1>Closed</h1>"}
    *_, teapot = oscar.OscarSource().fetch_offers(store("oscar"), by_path(pages).fetcher())
    assert isinstance(teapot, InvalidOffer)
    assert teapot.reason == "no_product"


def test_oscar_checks_pages_and_is_known_by_basket_and_catalogue() -> None:
    shop = by_path({"/products/7": "x", "/p_7/": saved("oscar/kettle.html")})
    here = store("oscar")
    (state,) = oscar.check_offers(here, [line("7")], shop.fetcher())
    assert state.problem == "its page does not show it any more"
    home = page("/", '<a href="/en-gb/catalogue/">', set_cookie='oscar_open_basket="x"; Path=/')
    listing = {"/en-gb/catalogue/": page("/en-gb/catalogue/", saved("oscar/listing.html"))}
    found = oscar.detect(Site(home, listing))
    assert (found.confidence, found.options) == (
        0.9,
        {"listing_url": "https://shop.example/en-gb/catalogue/"},
    )
    assert oscar.detect(Site(page("/", '<link href="/static/oscar/favicon.ico">'))).confidence == 0.4
    blog = '<article class="product_pod"><p class="price">'
    assert oscar.detect(Site(page("/", blog), listing)).confidence == 0


# OpenCart


def opencart_pages() -> dict[str, Any]:
    more = '<div id="content"><div class="product-thumb"><h4><a href="/en-gb/product/tin">Tin</a></h4></div></div>'
    return {
        "/": saved("opencart/home.html"),
        "/en-gb/catalog/phones": saved("opencart/category.html"),
        "/en-gb/catalog/phones?page=2": more,
        "/en-gb/product/blue-phone": saved("opencart/product.html"),
        "/en-gb/product/phones/red-phone": saved("opencart/plain-product.html"),
    }


def test_opencart_walks_its_categories_and_reads_each_product_once() -> None:
    shop = by_path(opencart_pages())
    offers = normalized(opencart.OpenCartSource().fetch_offers(store("opencart"), shop.fetcher()))
    assert [(one.external_id, one.price.plain()) for one in offers] == [
        ("47:17-31", "1294.99"), ("47:17-32", "1289.99"), ("47:18-31", "1353.99"), ("47:18-32", "1348.99"),
        ("48", "79.99"),
    ]  # fmt: skip
    assert shop.asked.count("GET /en-gb/product/blue-phone") == 1
    assert not any("route=" in path or "sort=" in path for path in shop.asked)
    dear = offers[2]
    assert (dear.title, dear.brand, dear.mpn, dear.item_group_id) == (
        "Blue phone 256GB Black", "Acme", "BP-1", "47",
    )  # fmt: skip
    assert (dear.list_price, dear.price_kind, dear.price.currency) == (
        Money(Decimal("1408.99"), "EUR"), PriceKind.SALE, "EUR",
    )  # fmt: skip
    assert dict(dear.variant_attributes) == {"Colour": "Black", "Storage": "256GB"}
    assert (dear.availability, dear.url) == (None, "https://shop.example/en-gb/product/blue-phone")
    assert (offers[4].availability, offers[4].list_price) == (Availability.OUT_OF_STOCK, None)


def test_opencart_with_a_sitemap_is_read_by_it() -> None:
    pages = opencart_pages() | {
        "/map.xml": "<urlset><url><loc>https://shop.example/en-gb/product/phones/red-phone</loc></url></urlset>"
    }
    here = store("opencart", sitemap_url="https://shop.example/map.xml")
    (red,) = normalized(opencart.OpenCartSource().fetch_offers(here, by_path(pages).fetcher()))
    assert red.external_id == "48"


def test_opencart_listing_that_robots_close_leaves_the_run_incomplete() -> None:
    pages = opencart_pages() | {"/robots.txt": "User-agent: *\nDisallow: /*?page=\n"}
    shop = by_path(pages)
    transport = httpx.MockTransport(shop._respond)
    with Fetcher(Settings(), transport=transport, sleep=lambda seconds: None) as fetcher:
        offers, error = drained(opencart.OpenCartSource().fetch_offers(store("opencart"), fetcher))
    assert len(offers) == 5
    assert isinstance(error, FetchRefused)
    assert "robots.txt forbids" in error.problem


def test_opencart_without_products_says_how_to_name_a_listing() -> None:
    _, error = drained(
        opencart.OpenCartSource().fetch_offers(store("opencart"), by_path({"/": "<p>Hi"}).fetcher())
    )
    assert error is not None
    assert "--set listing_url=https://…" in error.problem


def test_opencart_takes_no_listed_product_for_the_pages_own() -> None:
    form = '<form><input type="hidden" name="product_id" value="40"></form>'
    thumb = (
        f'<div class="product-thumb"><h4><a href="/p">Tin</a></h4><div class="price">5.00€</div>{form}</div>'
    )
    listing = f'<div id="content"><h1>Tins</h1><div id="product">{thumb}</div></div>'
    assert opencart.read_page(Answer("https://shop.example/tins", 200, {}, listing.encode())) == []
    before = saved("opencart/product.html").replace('<div id="content">', f'<div id="content">{thumb}')
    first = opencart.read_page(Answer("https://shop.example/p", 200, {}, before.encode()))[0]
    assert first.external_id == "47:17-31"


def test_opencart_finds_products_that_a_theme_lists_in_its_own_way() -> None:
    pages = opencart_pages() | {
        "/": '<div id="content"><a href="/contact-lenses">Lenses</a> <a href="/contact">Contact</a></div>',
        "/contact-lenses": '<div id="content"><div class="tile"><a href="/red">Red phone</a></div>'
        '<a href="index.php?route=product/product&amp;path=20&amp;product_id=47">Blue phone</a></div>',
        "/red": saved("opencart/plain-product.html"),
        "/index.php?route=product/product&path=20&product_id=47": saved("opencart/product.html"),
    }
    shop = by_path(pages)
    offers = list(opencart.OpenCartSource().fetch_offers(store("opencart"), shop.fetcher()))
    assert {offer.external_id.partition(":")[0] for offer in offers} == {"47", "48"}
    assert "GET /contact" not in shop.asked


def test_opencart_with_too_many_choices_is_one_offer_from_a_price() -> None:
    many = "".join(f'<option value="{number}">No {number}</option>' for number in range(1, 120))
    html = saved("opencart/product.html").replace('<option value="17">128GB</option>', many)
    (offer,) = opencart.read_page(Answer("https://shop.example/p", 200, {}, html.encode()))
    (read,) = normalized([offer])
    assert (read.external_id, read.price_kind) == ("47", PriceKind.FROM)


@pytest.mark.parametrize(
    ("words", "availability"),
    [
        ("25", "InStock"), ("0", "OutOfStock"), ("In Stock", "InStock"), ("2-3 Days", "OutOfStock"),
        ("Out Of Stock", "OutOfStock"), ("Pre-Order", "PreOrder"), ("Нет в наличии", "OutOfStock"),
        ("Auf Lager", "InStock"), ("Nicht auf Lager", "OutOfStock"), ("Ask us", None), (None, None), ("", None),
    ],
)  # fmt: skip
def test_opencart_stock_is_a_number_or_a_status(words: str | None, availability: str | None) -> None:
    assert read_stock(words) == availability


def test_opencart_is_known_by_two_of_its_marks() -> None:
    home = page("/", saved("opencart/home.html"), set_cookie="OCSESSID=1f2e; path=/; SameSite=Strict")
    assert opencart.detect(Site(home)).confidence == 0.9
    bare = (
        '<link href="catalog/view/stylesheet/x.css"><a href="index.php?route=product/category&amp;path=20">'
    )
    assert opencart.detect(Site(page("/", bare))).confidence == 0.8
    assert opencart.detect(Site(page("/", '<img src="/catalog/view/theme/x.png">'))).confidence == 0.3
    assert opencart.detect(Site(page("/", "<p>OpenCart and its OCSESSID cookie"))).confidence == 0
    tutorial = (
        "<p>Open index.php?route=product/category and edit /catalog/view/theme/default/x.twig, see "
        '<a href="https://demo.opencart.com/index.php?route=product/product&amp;product_id=43">the demo</a>'
    )
    assert opencart.detect(Site(page("/", tutorial))).confidence == 0


# EverShop


def evershop_answer(html: str) -> Answer:
    return Answer(
        "https://shop.example/nike-air-zoom", 200, {"content-type": "text/html; charset=utf-8"}, html.encode()
    )


def test_evershop_reads_the_pages_own_product_and_not_the_recommended_ones() -> None:
    (offer,) = normalized(evershop.read_page(evershop_answer(saved("evershop/product.html"))))
    assert (offer.external_id, offer.title, offer.price, offer.list_price) == (
        "NJC-1", "Nike air zoom", Money(Decimal("99.50"), "EUR"), Money(Decimal("123.99"), "EUR"),
    )  # fmt: skip
    assert (offer.brand, offer.availability, offer.item_group_id) == ("Nike", Availability.IN_STOCK, "4")
    assert offer.image_url == "https://shop.example/images?src=%2Fassets%2Fnike.png&w=500"
    assert offer.url == "https://shop.example/nike-air-zoom"


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ('"sku":"NJC-1",', "", 0), ("var eContext = {", "var eContext = {{", 0),
        ('"regular":{"value":123.99', '"r":{"v":1', 1),
        ('"e0cd":{', '"x":7,"e0cd":{', 1),
    ],
)  # fmt: skip
def test_evershop_page_without_a_readable_product_is_no_offer(old: str, new: str, count: int) -> None:
    assert len(evershop.read_page(evershop_answer(saved("evershop/product.html").replace(old, new)))) == count


def test_evershop_deep_or_huge_state_does_no_harm() -> None:
    for state in (
        "[" * 50_000,
        '{"graphqlResponse":{"a":{"sku":"1","price":{"regular":{"value":1e999}}}}}',
        "{",
    ):
        offers = evershop.read_page(evershop_answer(f"<script>var eContext = {state}"))
        assert all(getattr(offer, "price", None) is None for offer in offers)


def test_evershop_is_read_by_its_sitemap_and_known_by_its_state() -> None:
    html = saved("evershop/product.html")
    entry = "<url><loc>https://shop.example/nike-air-zoom</loc></url><url><loc>https://shop.example/about</loc></url>"
    shop = by_path({"/sitemap.xml": f"<urlset>{entry}</urlset>", "/nike-air-zoom": html, "/about": "<h1>Us"})
    offers = list(evershop.EverShopSource().fetch_offers(store("evershop"), shop.fetcher()))
    assert [offer.external_id for offer in offers] == ["NJC-1"]
    shop = Shop(lambda request: httpx.Response(200, text=html))
    (state,) = evershop.check_offers(store("evershop"), [line("NJC-1")], shop.fetcher())
    assert state.price == Money(Decimal("99.50"), "EUR")
    assert evershop.detect(Site(page("/", html))).confidence == 0.95
    assert evershop.detect(Site(page("/", "<script>var eContext = {z_depth: 0}</script>"))).confidence == 0
