"""What PrestaShop stores say, from documented answers."""

from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from aggregator.domain.errors import FetchRefused, UnreadableAnswer
from aggregator.domain.money import Money
from aggregator.domain.offers import InvalidOffer
from aggregator.domain.vocabulary import Availability
from aggregator.fetching import Answer
from spiders.adapters import prestashop
from tests.unit.store_answers import CASSETTES, Shop, Site, by_path, line, normalized, page, saved, store

KEY = {"webservice_key": "ABCDEFGHIJKLMNOPQRSTUVWXYZ123456"}
RESOURCES = (
    "products", "combinations", "stock_availables", "product_options", "product_option_values", "currencies",
    "configurations",
)  # fmt: skip


def shop(**answers: Any) -> Shop:
    known = {f"/api/{name}": saved(f"prestashop/{name}.json") for name in RESOURCES}
    return by_path({**known, **{f"/api/{name}": answer for name, answer in answers.items()}})


def test_products_and_combinations_are_offers_with_the_price_shown() -> None:
    asked = shop()
    offers = list(prestashop.PrestaShopSource().fetch_offers(store("prestashop", **KEY), asked.fetcher()))
    small, medium, mug = normalized(offers[:3])
    assert (small.external_id, small.title, small.price, small.stock_level) == (
        "1-11", "Colibri T-shirt S", Money(Decimal("23.88"), "EUR"), 4,
    )  # fmt: skip
    assert (medium.price, medium.availability, medium.sku) == (
        Money(Decimal("26.28"), "EUR"), Availability.OUT_OF_STOCK, "PS-1-M",
    )  # fmt: skip
    assert (small.item_group_id, small.brand, small.url) == (
        "1", "Studio Nord", "https://shop.example/1-colibri-t-shirt.html",
    )  # fmt: skip
    assert (mug.external_id, mug.gtin, mug.price) == ("2", "09521234567899", Money(Decimal("10.80"), "EUR"))
    assert isinstance(offers[3], InvalidOffer)
    assert offers[3].reason == "not_sold"
    sent = {request.headers["authorization"] for request in asked.requests}
    assert sent == {"Basic " + base64.b64encode(f"{KEY['webservice_key']}:".encode()).decode()}


def test_net_prices_are_taken_only_where_the_operator_says_so() -> None:
    products = {"products": [{"id": 2, "name": "Mug", "price": "9.000000", "link_rewrite": "mug"}]}
    answers = {"products": products, "combinations": httpx.Response(200, json=[])}
    with pytest.raises(UnreadableAnswer, match="--set net_prices=yes"):
        list(
            prestashop.PrestaShopSource().fetch_offers(store("prestashop", **KEY), shop(**answers).fetcher())
        )
    willing = store("prestashop", **KEY, net_prices="yes")
    (mug,) = normalized(prestashop.PrestaShopSource().fetch_offers(willing, shop(**answers).fetcher()))
    assert mug.price == Money(Decimal("9.00"), "EUR")


def test_a_key_that_is_not_taken_says_how_to_set_it() -> None:
    closed = shop(combinations=httpx.Response(401))
    with pytest.raises(FetchRefused, match="--set webservice_key="):
        list(prestashop.PrestaShopSource().fetch_offers(store("prestashop", **KEY), closed.fetcher()))


def test_reads_the_webservices_xml_in_the_first_language() -> None:
    answer = Answer("x", 200, {}, (CASSETTES / "prestashop/product.xml").read_bytes())
    (product,) = prestashop.products_of(prestashop.read_document(answer))
    (offer,) = normalized(prestashop.read_product(product, "https://shop.example", currency="EUR"))
    assert (offer.external_id, offer.title, offer.sku, offer.price) == (
        "7", "Carnet bleu", "PS-7", Money(Decimal("12.50"), "EUR"),
    )  # fmt: skip


def test_a_net_combination_adds_to_its_products_price() -> None:
    product = {"id": 1, "name": "Shirt", "price": "20.00"}
    combination = {"id": 5, "id_product": 1, "price": "2.50"}
    (offer,) = prestashop.read_product(product, "https://shop.example", combinations=[combination])
    assert getattr(offer, "price", None) == Decimal("22.50")


def test_offers_are_checked_by_id() -> None:
    german = replace(store("prestashop", **KEY), currency="EUR")
    found = prestashop.check_offers(german, [line("1-12"), line("9")], shop().fetcher())
    assert [(state.price, state.problem) for state in found] == [
        (Money(Decimal("26.28"), "EUR"), None),
        (None, "is no longer listed"),
    ]


def test_it_is_recognised_by_two_marks_or_by_its_webservice() -> None:
    home = page(
        "/", '<meta name="generator" content="PrestaShop"><script>var prestashop = {"cart":1}</script>'
    )
    webservice = page("/api/", status=401, www_authenticate='Basic realm="Welcome to PrestaShop Webservice"')
    assert prestashop.detect(Site(home, {"/api/": webservice})).confidence == 0.9
    assert prestashop.detect(Site(home)).confidence == 0.8
    assert (
        prestashop.detect(Site(page("/", "<a href='/modules/ps_x/'>we use PrestaShop</a>"))).confidence < 0.6
    )
