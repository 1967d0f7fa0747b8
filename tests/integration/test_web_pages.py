"""Pages for shoppers: what they say, and where their addresses lead."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy import update

from aggregator.catalog.products import describe_products
from aggregator.db.models import OfferRow, ProductRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.shop_rows import offer_row, product_row, store_row
from web import create_app


def words(html: str) -> str:
    """The text of a page as it is read, in one line."""
    shown = re.sub(r"<(script|noscript)\b.*?</\1>", " ", html, flags=re.S)
    shown = re.sub(r'<span class="picture-initial">.*?</span>', " ", shown)
    return " ".join(re.sub(r"<[^>]+>", " ", shown).split())


def product_address(browser: Browser, public_id: str) -> str:
    return str(browser.get(f"/products/{public_id}").headers["Location"])


def test_an_empty_home_says_what_to_do_next(browser: Browser) -> None:
    assert "click2cart stores add" in browser.page("/")


def test_home_shows_categories_products_and_how_fresh_each_store_is(
    browser: Browser, shop_window: ShopWindow
) -> None:
    text = words(browser.page("/"))
    assert "6 offers from 3 stores" in text
    assert "Home appliances 1" in text
    assert "from €16.50 at 3 stores" in text
    assert "North Read in time 2 offers checked 12 min. ago shipping known" in text
    assert "Wild Read in time 2 offers checked 12 min. ago shipping not published" in text


def test_results_show_the_lowest_price_and_the_number_of_stores(
    browser: Browser, shop_window: ShopWindow
) -> None:
    text = words(browser.page("/search?q=kettle"))
    assert "1 product · prices without shipping" in text
    assert "Alfi Kettles from €16.50 at 3 stores checked 12 min. ago" in text
    assert "from €16.50 at 3 stores" in text


def test_a_listed_price_that_is_old_says_so(browser: Browser, shop_window: ShopWindow) -> None:
    page = browser.page("/search?q=mug")
    assert "€7.50 at 2 stores checked 1 day ago" in words(page)
    assert 'class="age age-stale"' in page


def test_a_facet_counts_and_its_choice_is_a_chip_that_can_be_taken_out(
    browser: Browser, shop_window: ShopWindow
) -> None:
    page = browser.page("/search")
    assert '<a class="choice" rel="nofollow" href="/search?brand=Borosil">' in page
    assert re.search(r"Borosil</span><span class=\"choice-count\">1<", page)
    chosen = browser.page("/search?brand=Borosil&min=5&max=9,50&available=1&sort=price")
    assert "1 product" in words(chosen)
    for chip in ("Borosil", "from €5.00", "up to €9.50", "can be bought now"):
        assert f'<span dir="auto">{chip}</span>' in chosen
    assert 'href="/search?min=5.00&amp;max=9.50&amp;available=1&amp;sort=price"' in chosen


def test_what_stores_file_under_different_paths_is_one_category(browser: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        store = store_row(session, "many")
        for title, category in (("A", "Home > Mugs"), ("B", "Shop > Mugs"), ("C", "Fernseher")):
            product = product_row(session, title)
            offer_row(session, store, product, "9.00", category=category)
            describe_products(session, [product.id])
    assert "Kitchen and dining 2" in words(browser.page("/categories"))
    chosen = browser.page("/search?category=kitchenware")
    assert "2 products" in words(chosen)
    assert chosen.count('class="chip chip-chosen"') == 1


def test_adding_from_a_list_comes_back_to_the_same_row(browser: Browser, shop_window: ShopWindow) -> None:
    page = browser.page("/search?q=mug")
    assert f'id="p-{shop_window.mug}"' in page
    assert f'name="next" value="/search?q=mug#p-{shop_window.mug}"' in page
    answer = browser.post("/cart/lines", product=shop_window.mug, next=f"/search?q=mug#p-{shop_window.mug}")
    assert answer.headers["Location"] == f"/search?q=mug#p-{shop_window.mug}"


def test_no_result_says_which_way_out(browser: Browser, shop_window: ShopWindow) -> None:
    assert "Nothing matches" in browser.page("/search?q=zeppelin")
    assert "search without filters" in browser.page("/search?q=kettle&min=500")


def test_pages_follow_each_other_without_a_gap_or_a_double(browser: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        store = store_row(session, "many")
        products = [product_row(session, f"Lamp {number}") for number in range(30)]
        for product in products:
            offer_row(session, store, product, "9.00", title=product.title)
        describe_products(session, [product.id for product in products])
    seen: list[str] = []
    address: str | None = "/search?q=lamp&sort=price"
    while address:
        page = browser.page(address)
        seen += re.findall(r'<h3 dir="auto"><a href="(/products/[^"]+)"', page)
        following = re.search(r'<a class="button" href="([^"]+)" rel="next', page)
        address = following[1].replace("&amp;", "&") if following else None
    assert len(seen) == 30
    assert len(set(seen)) == 30


def test_a_wrong_or_missing_slug_leads_to_the_right_one_and_is_asked_again_each_time(
    browser: Browser, shop_window: ShopWindow
) -> None:
    for address in (f"/products/{shop_window.kettle}", f"/products/{shop_window.kettle}-teapot"):
        answer = browser.get(address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (301, "no-cache")
        assert answer.headers["Location"].startswith(f"/products/{shop_window.kettle}-")
        assert browser.get(answer.headers["Location"]).status_code == 200


def test_a_merged_product_leads_on_and_comes_back_after_a_split(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    old_address = product_address(browser, shop_window.mug)

    def merge_into(target: int | None) -> None:
        with sessions.begin() as session:
            session.execute(
                update(ProductRow)
                .where(ProductRow.public_id == shop_window.mug)
                .values(merged_into_id=target)
            )

    with sessions() as session:
        kettle = session.query(ProductRow).filter_by(public_id=shop_window.kettle).one()
    merge_into(kettle.id)
    for api in ("", "/api/v1"):
        answer = browser.get(f"{api}/products/{shop_window.mug}" if api else old_address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (301, "no-cache")
        assert shop_window.kettle in answer.headers["Location"]
    merge_into(None)
    assert browser.get(old_address).status_code == 200


def test_a_product_shows_total_shipping_and_age_of_each_offer(
    browser: Browser, shop_window: ShopWindow
) -> None:
    page = browser.page(product_address(browser, shop_window.kettle))
    rows = {row[0]: words(row[1]) for row in re.findall(r'<tr id="offer-([^"]+)"(.*?)</tr>', page, re.S)}
    # 16.50 and the 5.90 assumed for unknown shipping come before 18.00 + 4.90, by rank alone.
    assert list(rows)[:2] == [shop_window.unknown_shipping_offer, shop_window.cheap_offer]
    assert "+ €4.90 free from €50.00 €22.90 In stock New 1 day ago" in rows[shop_window.cheap_offer]
    assert "€16.50 + shipping (unknown) total not known" in rows[shop_window.unknown_shipping_offer]
    assert "rank with €5.90" in words(page)
    assert 'class="age age-stale"' in page


def test_a_link_to_a_store_gives_nothing_away(browser: Browser, shop_window: ShopWindow) -> None:
    page = browser.page(product_address(browser, shop_window.kettle))
    links = re.findall(r'<a class="[^"]*" href="https?://[^"]+"([^>]*)>', page)
    assert len(links) == 3
    assert {link.strip() for link in links} == {'rel="noopener noreferrer nofollow" target="_blank"'}


def test_a_history_of_one_point_says_that_it_begins_now(browser: Browser, shop_window: ShopWindow) -> None:
    page = browser.page(product_address(browser, shop_window.kettle))
    assert (
        "We first saw this product 20 min. ago, and no price has changed since. History begins here."
        in words(page)
    )
    assert page.count('<path class="chart-line look-') == 6
    assert "The same as a table" in page


def test_a_product_tells_why_its_offers_are_one(browser: Browser, shop_window: ShopWindow) -> None:
    text = words(browser.page(product_address(browser, shop_window.kettle)))
    assert "Compared with Alfi Kettle K-100 at North: 99.3% sure +6.2 Both name the model K-100." in text


def test_many_offers_are_folded_after_the_first_ones(browser: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        product = product_row(session, "Lamp")
        for number in range(40):
            offer_row(session, store_row(session, f"shop-{number:02}"), product, f"{10 + number}.00")
        describe_products(session, [product.id])
        public_id = product.public_id
    page = browser.page(product_address(browser, public_id))
    first, _, rest = page.partition("Show 32 more offers")
    assert (first.count('<tr id="offer-'), rest.count('<tr id="offer-')) == (8, 32)
    assert first.count("lowest total") == 1
    assert "lowest total" not in rest


def test_a_sold_out_product_cannot_be_added(browser: Browser, shop_window: ShopWindow) -> None:
    page = browser.page(product_address(browser, shop_window.lonely))
    assert "Every store that lists it is sold out" in page
    assert "last €31.00 sold out at 1 store checked 12 min. ago" in words(browser.page("/search?q=lonely"))
    assert "Add to cart" not in page


def test_whatever_a_store_says_is_shown_as_text(browser: Browser, sessions: Sessions) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    with sessions.begin() as session:
        store = store_row(session, "evil", name=evil, url="javascript:alert(1)", checked_at=None)
        product = product_row(session, "x")
        fields = dict.fromkeys(("title", "brand", "category", "mpn", "seller", "item_group_id"), evil)
        for number in (1, 2):
            offer_row(
                session,
                store,
                product,
                "9.00",
                number=number,
                url="javascript:alert(1)",
                image_url="javascript:alert(1)",
                variant_attributes={evil: evil},
                **fields,
            )
        describe_products(session, [product.id])
        public_id = product.public_id
    addresses = [
        "/",
        "/search",
        "/search?q=script",
        "/stores",
        "/stores/evil",
        product_address(browser, public_id),
    ]
    browser.post("/cart/lines", product=public_id)
    for address in [*addresses, "/cart"]:
        page = browser.page(address)
        assert "<script>alert" not in page, address
        assert "<img" not in page, address
        assert 'href="javascript' not in page, address


def test_a_store_shows_what_it_sells_and_when_it_was_read(browser: Browser, shop_window: ShopWindow) -> None:
    text = words(browser.page("/stores/south"))
    assert "Offers here 2" in text
    assert "Range read 1 day ago" in text
    assert "See all 2 products" in text


def test_a_paused_store_is_not_listed(browser: Browser, sessions: Sessions, shop_window: ShopWindow) -> None:
    with sessions.begin() as session:
        session.execute(update(StoreRow).where(StoreRow.slug == "wild").values(is_active=False))
    assert "/stores/wild" not in browser.page("/stores")


def test_a_price_in_dinars_keeps_its_three_decimals(browser: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        store = store_row(session, "kuwait", currency="KWD", shipping=None)
        product = product_row(session, "x")
        offer_row(session, store, product, "1.234", price_currency="KWD", title="سماعات رأس")
        describe_products(session, [product.id])
        public_id = product.public_id
        assert session.query(OfferRow).count() == 1
    address = product_address(browser, public_id)
    assert "KWD\xa01.234" in browser.page(address)
    assert '<h1 dir="auto">سماعات رأس</h1>' in browser.page(address)
    assert "Sold in KWD only. The cart here counts in EUR" in browser.page(address)
    assert "Add to cart" not in browser.page(address)
    browser.post("/cart/lines", product=public_id)
    assert "Sold in KWD only; this cart counts in EUR." in browser.page("/cart")


def test_the_whole_site_is_found_from_its_first_page_in_under_100_kb(
    browser: Browser, shop_window: ShopWindow
) -> None:
    page = browser.page("/")
    total = len(page.encode())
    for address in set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page)):
        with browser.get(address) as answer:
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            total += len(answer.data)
    assert total < 100_000


def test_the_demo_says_on_every_page_that_it_is_one(site_settings: Settings, sessions: Sessions) -> None:
    said = "its stores and prices are made up"
    for is_demo in (True, False):
        app = create_app(replace(site_settings, is_demo=is_demo), sessions)
        assert (said in app.test_client().get("/").text) is is_demo
