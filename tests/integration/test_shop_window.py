"""The shop window: verdicts and drops, versions, categories, comparison, feeds, sitemaps."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from sqlalchemy import event, insert, select

from aggregator.catalog.price_history import (
    list_price_drops,
    note_price_drops,
    products_with_new_prices,
)
from aggregator.catalog.products import describe_products
from aggregator.catalog.reviews import find_next_review
from aggregator.catalog.taxonomy import (
    category_counts,
    file_products,
    list_paths,
    products_of_category,
    remove_category_rule,
    set_category_rule,
)
from aggregator.db.models import OfferPriceRow, OfferRow, ProductRow
from aggregator.db.session import Sessions
from aggregator.domain.matches import PairFilter
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.shop_rows import offer_row, product_row, store_row


def words(page: str) -> str:
    """What a page says, on one line."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page.split("<body", 1)[-1], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def address_of(browser: Browser, public_id: str) -> str:
    return browser.get(f"/products/{public_id}").headers["Location"]


def remember_prices(
    sessions: Sessions, store: str, product_id: str, prices: Iterable[tuple[float, str]]
) -> None:
    """Replace an offer's history; the last of (days ago, price) is what it asks now."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        offer = session.scalars(
            select(OfferRow)
            .join(ProductRow, ProductRow.id == OfferRow.product_id)
            .where(ProductRow.public_id == product_id, OfferRow.external_id.like(f"{store}-%"))
        ).one()
        session.query(OfferPriceRow).filter_by(offer_id=offer.id).delete()
        for days, price in prices:
            offer.price = Decimal(price)
            session.execute(
                insert(OfferPriceRow).values(
                    offer_id=offer.id, recorded_at=now - timedelta(days=days), price=offer.price,
                    price_currency="EUR", price_kind="regular", availability="InStock",
                )
            )  # fmt: skip
        session.flush()
        assert offer.product_id is not None
        describe_products(session, [offer.product_id])


@pytest.fixture
def fallen_kettle(sessions: Sessions, shop_window: ShopWindow) -> str:
    """The kettle costs 16.50 at the cheapest store for two days, and cost 20 or more for 80 days before."""
    remember_prices(sessions, "north", shop_window.kettle, [(82, "22.00"), (40, "20.00")])
    remember_prices(sessions, "south", shop_window.kettle, [(82, "25.00")])
    remember_prices(sessions, "wild", shop_window.kettle, [(82, "24.00"), (2, "16.50")])
    return shop_window.kettle


def test_a_price_below_its_past_is_called_low_with_the_reason(browser: Browser, fallen_kettle: str) -> None:
    text = words(browser.page(address_of(browser, fallen_kettle)))
    assert "Low price It cost more on 97.6% of the last 82 days." in text
    assert "17.5% below the lowest of the 30 days before; it fell 2 days ago" in text
    assert "Lowest in 30 days: €16.50" in text


def test_a_short_history_gets_no_verdict(browser: Browser, shop_window: ShopWindow) -> None:
    text = words(browser.page(address_of(browser, shop_window.kettle)))
    assert "No verdict yet Seen since today only" in text


def test_real_drops_are_found_and_leave_when_the_price_rises(
    browser: Browser, sessions: Sessions, fallen_kettle: str
) -> None:
    assert "Nothing fell in the last two days" in words(browser.page("/drops"))
    with sessions.begin() as session:
        assert note_price_drops(session, products_with_new_prices(session, within=timedelta(days=3))) == 1
        (drop,) = list_price_drops(session, within=timedelta(days=3))
    assert (drop.card.id, str(drop.lowest_before.amount), drop.share) == (fallen_kettle, "20.00", 0.175)
    remember_prices(sessions, "wild", fallen_kettle, [(82, "24.00"), (2, "16.50"), (0, "23.00")])
    with sessions.begin() as session:
        assert list_price_drops(session, within=timedelta(days=3)) == ()
        assert note_price_drops(session, products_with_new_prices(session, within=timedelta(minutes=1))) == 0


def test_the_history_can_be_chosen_and_read_by_programs(browser: Browser, fallen_kettle: str) -> None:
    address = address_of(browser, fallen_kettle)
    month, year = browser.page(f"{address}?range=30d"), browser.page(f"{address}?range=1y")
    assert 'aria-current="true">30 days' in month
    assert month.count("<tr><td><time") < year.count("<tr><td><time")
    document = browser.get(f"/products/{fallen_kettle}/prices.json").json
    assert document is not None
    assert document["currency"] == "EUR"
    assert [price for _, price in document["lowest"]] == ["22.0000", "20.0000", "16.5000"]
    assert [store["name"] for store in document["stores"]] == ["Wild", "North", "South"]


def test_the_number_of_queries_does_not_grow_with_offers_or_history(
    browser: Browser, sessions: Sessions, fallen_kettle: str
) -> None:
    def queries(address: str) -> int:
        asked = []
        with sessions() as session:
            engine = session.get_bind().engine
        hook = lambda *arguments: asked.append(arguments[2])  # noqa: E731  # registered and removed by name
        event.listen(engine, "before_cursor_execute", hook)
        browser.page(address)
        event.remove(engine, "before_cursor_execute", hook)
        return len(asked)

    address = address_of(browser, fallen_kettle)
    browser.page(address)
    few = queries(address)
    with sessions.begin() as session:
        product = session.scalars(select(ProductRow).where(ProductRow.public_id == fallen_kettle)).one()
        for number in range(12):
            store = store_row(session, f"more{number}")
            offer_row(session, store, product, "30.00", number=1000 + number)
        describe_products(session, [product.id])
    assert queries(address_of(browser, fallen_kettle)) == few


def test_versions_by_two_attributes_are_a_table(browser: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        store = store_row(session, "shirts")
        ids = {}
        for number, (size, colour) in enumerate([("S", "blue"), ("S", "red"), ("L", "blue"), ("XL", "red")]):
            product = product_row(session, f"Shirt {size} {colour}")
            offer_row(
                session, store, product, f"{10 + number}.00", item_group_id="shirt",
                variant_attributes={"Size": size, "Colour": colour},
            )  # fmt: skip
            describe_products(session, [product.id])
            ids[size, colour] = product.public_id
    page = browser.page(address_of(browser, ids["S", "red"]))
    table = page[page.index('<table class="matrix"') :].split("</table>")[0]
    assert re.findall(r'<th scope="row" dir="auto">(\w+)', table) == ["S", "L", "XL"]
    assert re.findall(r'<th scope="col" dir="auto">(\w+)</th>', table) == ["blue", "red"]
    assert table.count("/products/") == 3
    assert table.count('aria-label="not sold"') == 2
    assert "€11.00" in table.split('class="is-this"')[1]


def test_a_wrong_match_can_be_reported_by_anybody_and_waits_for_a_person(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    page = browser.page(address_of(browser, shop_window.kettle))
    form = page[page.index("/report") :]
    other = re.search(r'name="other" value="([^"]+)"', form)
    offer = re.search(r'<option value="([^"]+)"', form)
    assert other
    assert offer
    answer = browser.post(
        f"/products/{shop_window.kettle}/report", offer=offer[1], other=other[1], words="holds two litres"
    )
    assert answer.status_code == 303
    with sessions() as session:
        review = find_next_review(session, PairFilter())
    assert review is not None
    assert review.report == "holds two litres"
    assert (
        browser.post(f"/products/{shop_window.kettle}/report", offer="x", other=other[1]).status_code == 404
    )


def test_products_are_filed_in_the_tree_and_rules_move_them(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    with sessions.begin() as session:
        assert category_counts(session) == {
            "appliances": 1, "kettles-and-toasters": 1, "home": 2, "kitchenware": 1, "lighting": 1,
        }  # fmt: skip
        assert [card.id for card in products_of_category(session, "appliances")] == [shop_window.kettle]
        assert set_category_rule(session, "Home > Mugs", "coffee-and-tea", account_id=None) == 1
        assert [card.id for card in products_of_category(session, "food-and-drink")] == [shop_window.mug]
        (path,) = [path for path in list_paths(session) if path.path == "Home > Mugs"]
        assert (path.category, path.count, path.has_rule) == ("coffee-and-tea", 1, True)
        assert remove_category_rule(session, "Home > Mugs", account_id=None) == 1
        session.query(ProductRow).update({"category_key": None})
        assert file_products(session) == 3
        assert [card.id for card in products_of_category(session, "kitchenware")] == [shop_window.mug]
    page = words(browser.page("/categories"))
    assert "Home appliances 1 Kettles and toasters 1" in page
    assert "Kettle" in words(browser.page("/categories/kettles-and-toasters"))
    assert browser.get("/categories/none").status_code == 404


def test_operators_set_and_take_back_a_rule(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    assert browser.get("/operations/categories").status_code == 303
    browser.sign_in(sessions, "operator")
    browser.post("/operations/categories", path="Home > Mugs", category="coffee-and-tea")
    assert "Coffee and tea rule" in words(browser.page("/operations/categories"))
    browser.post("/operations/categories/remove", path="Home > Mugs")
    assert "Coffee and tea rule" not in words(browser.page("/operations/categories"))
    assert browser.post("/operations/categories", path="x", category="none").status_code == 400


def test_products_are_compared_side_by_side(browser: Browser, shop_window: ShopWindow) -> None:
    page = browser.page(f"/compare?ids={shop_window.kettle},{shop_window.mug},nosuchproduct0000000")
    assert "1 of them is left out" in words(page)
    table = words(page[page.index("<table") :])
    assert "Lowest total" in table
    assert f'href="/compare?ids={shop_window.mug}"' in page
    assert "Nothing to compare yet" in words(browser.page("/compare?ids="))
    assert "Nothing to compare yet" in words(browser.page("/compare?ids=%00,<script>".replace("%00", "")))


def test_feeds_tell_price_changes_and_finds(
    browser: Browser, fallen_kettle: str, shop_window: ShopWindow
) -> None:
    answer = browser.get(f"/feeds/products/{fallen_kettle}.atom")
    assert answer.mimetype == "application/atom+xml"
    atom = {"a": "http://www.w3.org/2005/Atom"}
    entries = ElementTree.fromstring(answer.data).findall("a:entry", atom)
    assert [entry.findtext("a:title", "", atom) for entry in entries] == ["€16.50", "€20.00", "€22.00"]
    assert len({entry.findtext("a:id", "", atom) for entry in entries}) == 3
    found = ElementTree.fromstring(browser.get("/feeds/search.atom?q=mug").data)
    assert [entry.findtext("a:title", "", atom) for entry in found.findall("a:entry", atom)] == ["Mug: €7.50"]


def test_search_engines_find_every_product_and_no_ones_cart(
    browser: Browser, shop_window: ShopWindow
) -> None:
    robots = browser.page("/robots.txt")
    assert "Disallow: /cart" in robots
    sitemap = re.search(r"Sitemap: http://localhost(/\S+)", robots)
    assert sitemap
    space = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    parts = [
        place.text or ""
        for place in ElementTree.fromstring(browser.page(sitemap[1])).findall("s:sitemap/s:loc", space)
    ]
    pages = [
        (place.text or "").removeprefix("http://localhost")
        for part in parts
        for place in ElementTree.fromstring(browser.page(part.removeprefix("http://localhost"))).findall(
            "s:url/s:loc", space
        )
    ]
    assert address_of(browser, shop_window.kettle) in pages
    assert "/categories/laptops" in pages
    for path in ("/", "/stores/north", "/drops"):
        assert path in pages
    assert browser.get("/sitemaps/products-99999.xml").status_code == 404


def test_machines_read_what_the_page_says(browser: Browser, shop_window: ShopWindow) -> None:
    page = browser.page(address_of(browser, shop_window.kettle))
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert found
    document = json.loads(found[1])
    assert document["@type"] == "Product"
    assert (document["offers"]["lowPrice"], document["offers"]["priceCurrency"]) == ("16.50", "EUR")
    assert document["offers"]["offerCount"] == 3
    assert '<meta property="og:url" content="http://localhost/products/' in page


def test_the_language_is_chosen_or_asked_for_by_the_browser(
    browser: Browser, shop_window: ShopWindow
) -> None:
    german = browser.get("/drops", headers={"Accept-Language": "de-AT,de;q=0.9"}).text
    assert '<html lang="de-AT"' in german
    assert browser.post("/language", language="fr", next="/drops").headers["Location"] == "/drops"
    assert '<html lang="fr"' in browser.page("/drops")
    assert browser.post("/language", language="xx", next="//evil.example/").headers["Location"] == "/"
    assert '<html lang="fr-CH"' in browser.get("/drops", headers={"Accept-Language": "de, fr-CH"}).text


def test_styles_and_scripts_go_out_compressed_and_pages_do_not(browser: Browser) -> None:
    asked = {"Accept-Encoding": "gzip, br"}
    page = browser.get("/", headers=asked)
    assert "Content-Encoding" not in page.headers
    address = re.search(r'href="(/static/css/pages[^"]+)"', page.text)
    assert address
    with browser.get(address[1]) as plain, browser.get(address[1], headers=asked) as packed:
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert packed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert gzip.decompress(packed.data) == plain.data
        assert len(packed.data) < len(plain.data) / 3
