"""The search pages with an index: repaired words, identifiers, suggestions, the whole state in the address."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from aggregator.catalog.search_index import IndexPlace
from aggregator.catalog.search_sync import rebuild
from aggregator.db.session import Sessions
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.search_world import SearchWorld, search_world
from tests.integration.shop_rows import flat_shipping


@pytest.fixture
def indexed(app: Flask, sessions: Sessions, shop_window: ShopWindow, tmp_path: Path) -> ShopWindow:
    rebuild(sessions, IndexPlace.at(tmp_path, app.extensions["click2cart.settings"].country))
    return shop_window


@pytest.fixture
def world(sessions: Sessions, tmp_path: Path) -> SearchWorld:
    return search_world(sessions, tmp_path)


def test_a_row_tells_the_total_and_where_it_is_not_known(browser: Browser, indexed: ShopWindow) -> None:
    assert "from €12.40 with shipping €7.50 without at 2 stores" in words(browser.page("/search?q=mug"))
    assert "from €16.50 + shipping (unknown) at 3 stores" in words(browser.page("/search?q=kettle"))
    lamp = words(browser.page("/search?q=lonely"))
    assert "last €31.00" in lamp


def test_what_a_shopper_assumes_and_where_parcels_go_count_outside_the_cart_too(
    browser: Browser, sessions: Sessions, indexed: ShopWindow
) -> None:
    address = browser.get(f"/products/{indexed.kettle}").headers["Location"]
    assert "we rank with €5.90" in words(browser.page(address))
    browser.post("/cart/lines", product=indexed.kettle)
    browser.post("/cart/assumed-shipping", amount="2.00")
    assert "€2.00 is assumed" in words(browser.page("/search?q=kettle&sort=total"))
    assert "€2.00 is assumed" in words(browser.page("/ranking"))
    assert "we rank with €2.00" in words(browser.page(address))
    with sessions.begin() as session:
        to_austria = {"AT": flat_shipping("12.34")}
        session.execute(
            text("update stores set shipping_by_country = :rules"), {"rules": json.dumps(to_austria)}
        )
    assert "€12.34" not in browser.page(address)
    browser.post("/cart/options", country="AT", condition="NewCondition")
    assert "+ €12.34" in words(browser.page(address))


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_repaired_words_are_said_and_can_be_taken_back(browser: Browser, indexed: ShopWindow) -> None:
    page = browser.page("/search?q=alfi+ketle")
    assert "Results for alfi kettle" in words(page)
    assert 'href="/search?q=alfi+ketle&amp;exact=1"' in page
    assert "Nothing is spelt like that." in browser.page("/search?q=alfi+ketle&exact=1")


def test_a_model_number_leads_to_its_product_and_filters_keep_the_list(
    browser: Browser, indexed: ShopWindow
) -> None:
    answer = browser.get("/search?q=K-100")
    assert answer.status_code == 200, "too short to be sure of"
    assert browser.get("/search?q=K-100&available=1").status_code == 200


def test_suggestions_are_products_and_categories_with_their_addresses(
    browser: Browser, indexed: ShopWindow
) -> None:
    answer = browser.get("/search/suggestions?q=alf").get_json()
    assert answer["query"] == "alf"
    kinds = {one["kind"]: one for one in answer["suggestions"]}
    assert kinds["product"]["url"].startswith(f"/products/{indexed.kettle}-")
    assert kinds["product"]["detail"] == "from €16.50 · at 3 stores"
    assert kinds["category"]["url"].startswith("/search?q=alf&category=")
    assert browser.get("/search/suggestions?q=a").get_json()["suggestions"] == []
    assert browser.get("/search/suggestions").get_json() == {"query": "", "suggestions": []}


def test_the_api_searches_the_same_and_pages_by_key(browser: Browser, indexed: ShopWindow) -> None:
    seen, address = [], "/api/v1/products?sort=total&limit=1"
    while address:
        page = browser.get(address).get_json()
        seen += [item["id"] for item in page["items"]]
        address = page["next"]
    assert seen == [indexed.mug, indexed.kettle, indexed.lonely]


def test_facets_are_links_that_keep_the_rest(browser: Browser, indexed: ShopWindow) -> None:
    page = browser.page("/search?q=kettle+alfi&sort=total")
    assert 'href="/search?q=kettle+alfi&amp;store=north&amp;sort=total"' in page
    assert "is assumed" in page


def test_how_results_are_ordered_is_told(browser: Browser) -> None:
    assert "Nobody can pay for a place here." in browser.page("/ranking")


def test_without_an_index_the_page_still_answers(browser: Browser, shop_window: ShopWindow) -> None:
    page = browser.page("/search?q=kettle&sort=total&attribute=colour:Red")
    assert "Kettle" in page
    assert "Biggest real drop" not in page
