"""The main job in a real browser: search, compare, one cart, the split, each store's own cart."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from sqlalchemy import text

from spiders.runner import crawl_store
from tests.e2e.conftest import Site

ONLY_AT = """
    select p.public_id, p.title, o.external_id, o.sku, o.price from products p join offers o on o.product_id = p.id
    join stores s on s.id = o.store_id
    where s.slug = :slug and p.offer_count = 1 and o.availability = 'InStock' and o.price between 15 and 300
      and coalesce(o.stock_level, 9) >= 3 and o.gone_at is null and o.item_condition = 'NewCondition'
      and o.variant_attributes = '{}'
    order by p.id limit 1
"""
AT_SEVERAL = """
    select p.public_id, p.title, p.store_count from products p
    where p.is_available and p.store_count >= 3 and p.brand is not null
    order by p.store_count desc, p.id limit 1
"""


def one(site: Site, query: str, **parameters: Any) -> Any:
    with site.sessions() as session:
        return session.execute(text(query), parameters).one()


def store_cart(context: BrowserContext, url: str) -> dict[str, int]:
    """What lies in a store's own cart: quantity by the id the store gives it."""
    page = context.new_page()
    page.goto(f"{url}/cart")
    rows = page.locator("table#cart tbody tr[data-sku]")
    found = {
        row.get_attribute("data-sku") or "": int(row.get_attribute("data-quantity") or 0)
        for row in rows.all()
    }
    page.close()
    return found


def add_to_cart(page: Page, site: Site, product_id: str, quantity: int = 1) -> None:
    page.goto(f"{site.url}/products/{product_id}")
    page.locator("input[name=quantity]").first.fill(str(quantity))
    page.get_by_role("button", name="Add to cart").first.click()
    expect(page.get_by_role("status").filter(has_text="It is in your cart.")).to_be_visible()


def without_a_look_at_prices(page: Page, site: Site) -> None:
    """No worker runs beside this site, so that the page would wait for one in vain."""
    with site.sessions.begin() as session:
        session.execute(text("delete from live_checks"))
    page.reload()


def open_in_new_tab(page: Page, link: Locator) -> Page:
    with page.context.expect_page() as opened:
        link.click()
    opened.value.wait_for_load_state()
    return opened.value


def test_from_a_search_to_the_stores_own_carts(page: Page, visitor: BrowserContext, site: Site) -> None:
    shared = one(site, AT_SEVERAL)
    wanted = {slug: one(site, ONLY_AT, slug=slug) for slug in site.stores}
    for store in site.stores.values():
        store.control.clear_requests()

    page.goto(site.url)
    page.locator("input[name=q]").first.fill(shared.title)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=shared.title).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(shared.title)
    offers = page.locator("table tbody tr", has=page.get_by_role("link", name=re.compile("To the store")))
    assert offers.count() >= shared.store_count
    expect(page.get_by_text("Why we think these are the same product")).to_be_visible()

    add_to_cart(page, site, shared.public_id)
    for number, offer in enumerate(wanted.values()):
        add_to_cart(page, site, offer.public_id, quantity=1 + number % 2)
    page.goto(f"{site.url}/cart")
    expect(page.get_by_role("heading", level=1)).to_contain_text("8 pieces")
    # One of the stores publishes no shipping, so nothing may be called proven.
    expect(page.locator("aside.plan")).to_contain_text("shipping (unknown)")
    expect(page.locator("aside.plan")).not_to_contain_text("Proven: no cheaper split exists")

    page.locator("aside.plan").get_by_role("button", name="Go to checkout").click()
    page.wait_for_url("**/checkout/*")
    without_a_look_at_prices(page, site)
    steps = page.locator("ol.steps > li")
    assert steps.count() == len(site.stores)
    handed_over = hand_over(page, steps)
    assert {kind for kind, _ in handed_over.values()} == {"cart", "items", "pages"}

    expected = {slug: Counter[str]() for slug in site.stores}
    for number, (slug, offer) in enumerate(wanted.items()):
        expected[slug][offer.sku or offer.external_id] += 1 + number % 2
    for slug, store in site.stores.items():
        kind, lines = handed_over[store.name]
        found = store_cart(visitor, store.url)
        assert sum(found.values()) == sum(lines), (slug, kind)
        assert expected[slug].items() <= found.items(), (slug, kind)
    assert_only_the_browser_opened_carts(site)

    page.get_by_role("button", name="I bought it").first.click()
    expect(page.locator("ol.steps > li").first).to_contain_text("Bought")


def hand_over(page: Page, steps: Locator) -> dict[str, tuple[str, list[int]]]:
    """Do every step as a shopper would; by store its kind and the quantities of its lines."""
    done: dict[str, tuple[str, list[int]]] = {}
    for step in steps.all():
        name = step.get_by_role("heading").inner_text()
        lines = [int(count.inner_text().split()[0]) for count in step.locator(".step-count").all()]
        fill, add_this = (
            step.get_by_role("link", name=re.compile("Fill the cart")),
            step.get_by_role("link", name="Add this one"),
        )
        if fill.count():
            open_in_new_tab(page, fill).close()
            kind = "cart"
        elif add_this.count():
            for link in add_this.all():
                open_in_new_tab(page, link).close()
            kind = "items"
        else:
            links = step.get_by_role("link", name="Open product").all()
            for link, quantity in zip(links, lines, strict=True):
                tab = open_in_new_tab(page, link)
                address = tab.url
                for _ in range(quantity):
                    tab.goto(address)
                    tab.locator("#add-to-cart").click()
                    tab.wait_for_load_state()
                tab.close()
            kind = "pages"
        done[name] = kind, lines
    return done


def assert_only_the_browser_opened_carts(site: Site) -> None:
    opened = [
        request
        for store in site.stores.values()
        for path in ("/cart", "/checkout")
        for request in store.control.requests(path)
    ]
    assert opened, "the browser's own visits are in the log"
    assert {request.user_agent.split("/")[0] for request in opened} == {"Mozilla"}


def test_a_complete_split_says_that_it_is_proven(page: Page, site: Site) -> None:
    for slug in ("fernway", "kettle-cable", "brightwell"):
        add_to_cart(page, site, one(site, ONLY_AT, slug=slug).public_id)
    page.goto(f"{site.url}/cart")
    expect(page.locator("aside.plan")).to_contain_text("Proven: no cheaper split exists")


def test_a_price_change_is_on_the_page_and_in_the_chart_after_one_crawl(page: Page, site: Site) -> None:
    offer = one(site, ONLY_AT, slug="brightwell")
    site.stores["brightwell"].control.set_price(offer.sku, Decimal("123.45"))
    crawl_store(site.settings, site.sessions, "brightwell", trigger="command")
    page.goto(f"{site.url}/products/{offer.public_id}")
    expect(page.locator("main")).to_contain_text("€123.45")
    page.get_by_text("The same as a table").click()
    table = page.locator("table", has_text="€123.45").last
    expect(table).to_contain_text("€123.45")
    expect(table).to_contain_text(f"€{offer.price:,.2f}")


def test_the_journey_works_without_javascript(browser: Any, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    offer = one(site, ONLY_AT, slug="fernway")
    page.goto(f"{site.url}/search?q={offer.title.split()[0]}")
    assert page.locator("main a").count() > 0
    add_to_cart(page, site, offer.public_id, quantity=2)
    page.goto(f"{site.url}/cart")
    page.get_by_role("button", name="Go to checkout").last.click()
    page.wait_for_url("**/checkout/*")
    without_a_look_at_prices(page, site)
    with context.expect_page() as opened:
        page.get_by_role("button", name=re.compile("Fill the cart")).click()
    opened.value.wait_for_load_state()
    assert store_cart(context, site.stores["fernway"].url) == {offer.sku: 2}
    context.close()


def test_adding_far_down_a_list_keeps_the_place_and_the_answer_in_sight(browser: Any, site: Site) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(f"{site.url}/search?q=samsung")
    row = page.locator(".product-row").nth(12)
    title = row.get_by_role("heading").inner_text()
    row.get_by_role("button", name=re.compile("^Add ")).click()
    page.wait_for_load_state()
    expect(page.get_by_role("heading", name=title, exact=True).first).to_be_in_viewport()
    expect(page.get_by_role("status")).to_be_in_viewport()
    expect(page.get_by_role("link", name=re.compile("^Cart 1 piece"))).to_have_count(1)
    context.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_no_page_scrolls_sideways(browser: Any, site: Site, width: int) -> None:
    shared = one(site, AT_SEVERAL)
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    add_to_cart(page, site, shared.public_id)
    for path in (
        "/",
        "/search?q=samsung",
        f"/products/{shared.public_id}",
        "/cart",
        "/stores",
        "/login",
        "/nothing",
    ):
        page.goto(f"{site.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()
