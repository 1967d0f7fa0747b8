"""The read API, as interfaces promise it."""

from __future__ import annotations

import re

import pytest

from aggregator.catalog.products import describe_products
from aggregator.db.session import Sessions
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.shop_rows import offer_row, product_row, store_row


def test_the_list_has_the_promised_shape(browser: Browser, shop_window: ShopWindow) -> None:
    document = browser.get("/api/v1/products?q=kettle").get_json()
    assert document["next"] is None
    (item,) = document["items"]
    url = item.pop("url")
    assert url.startswith(f"/products/{shop_window.kettle}-")
    assert browser.get(url).status_code == 200
    title = item.pop("title")
    assert "kettle" in title.lower()
    assert item == {
        "id": shop_window.kettle,
        "brand": "Alfi",
        "category": "Home > Kettles",
        "image": None,
        "store_count": 3,
        "offer_count": 3,
        "lowest_price": {"amount": "16.50", "currency": "EUR"},
    }


def test_a_product_names_its_offers_and_leaves_unknown_shipping_null(
    browser: Browser, shop_window: ShopWindow
) -> None:
    document = browser.get(f"/api/v1/products/{shop_window.kettle}").get_json()
    offers = {offer["id"]: offer for offer in document["offers"]}
    assert len(offers) == 3
    assert offers[shop_window.unknown_shipping_offer]["shipping"] is None
    offer = offers[shop_window.cheap_offer]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", offer.pop("checked_at"))
    assert offer.pop("store")["name"] == "South"
    assert offer.pop("url").startswith("https://south.example/p/")
    assert offer == {
        "id": shop_window.cheap_offer,
        "title": "Kettle K-100 by Alfi, 1 l",
        "price": {"amount": "18.00", "currency": "EUR"},
        "shipping": {"amount": "4.90", "currency": "EUR", "basis": "known"},
        "availability": "InStock",
        "item_condition": "NewCondition",
    }


def test_pages_are_followed_by_relative_addresses_to_the_end(browser: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        store = store_row(session, "many")
        products = [product_row(session, f"Lamp {number}") for number in range(7)]
        for product in products:
            offer_row(session, store, product, "9.00", title=product.title)
        describe_products(session, [product.id for product in products])
    pages = []
    address: str | None = "/api/v1/products?q=lamp&limit=3"
    while address:
        assert address.startswith("/api/v1/products?")
        document = browser.get(address).get_json()
        pages.append([item["id"] for item in document["items"]])
        address = document["next"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({product_id for page in pages for product_id in page}) == 7


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=", "limit=1e1", "cursor=made-up"]
)
def test_what_cannot_be_used_is_a_problem_document(browser: Browser, query: str) -> None:
    answer = browser.get(f"/api/v1/products?{query}")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    document = answer.get_json(force=True)
    assert (document["status"], document["title"], document["type"]) == (400, "Bad Request", "about:blank")
    assert document["instance"] == "/api/v1/products"
    assert query.partition("=")[0] in document["detail"]


def test_an_unknown_product_is_a_problem_document(browser: Browser) -> None:
    for public_id in ("nothing", "no such"):
        answer = browser.get(f"/api/v1/products/{public_id}")
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    answer = browser.client.post("/api/v1/products")
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
