"""Hearts in a real browser: they say what is listed, turn at once, and turn back with a reason where that failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from sqlalchemy import text

from tests.e2e.conftest import Site
from tests.e2e.people import SCREENS, sign_in_by_link
from tests.e2e.test_journey import AT_SEVERAL, one

ELSEWHERE = {"origin": "https://elsewhere.example"}
READ_LONG_AGO = {"if-match": '"00000000000000000000000000000000"'}


def said(page: Page, words: str) -> Locator:
    return page.get_by_role("status").filter(has_text=words)


@pytest.mark.parametrize(("screen", "has_script"), [("desktop", True), ("phone", False)])
def test_hearts_say_what_is_listed_and_turn(
    browser: Browser, site: Site, screen: str, has_script: bool
) -> None:
    product = one(site, AT_SEVERAL)
    context = browser.new_context(viewport=SCREENS[screen], locale="en-GB", java_script_enabled=has_script)
    results, page = context.new_page(), context.new_page()
    off = results.get_by_role("button", name=f"Put {product.title} on the wishlist", exact=True)
    on = results.get_by_role("button", name=f"Take {product.title} off the list", exact=True)
    # Sorted by price, a name leads to results and not straight to its product.
    results.goto(f"{site.url}/search?q={product.title}&sort=price")
    off.click()
    expect(said(results, "It is on your wishlist.")).to_be_visible()
    expect(on).to_be_visible()

    page.goto(f"{site.url}/wishlist")
    page.get_by_label("Another list").fill("Gifts")
    page.get_by_role("button", name="Make it").click()
    page.goto(f"{site.url}/products/{product.public_id}")
    for press, answer in (
        ("Gifts", "It is on your wishlist."),
        ("My wishlist: take it off", "It is off your wishlist."),
        ("Gifts: take it off", "It is off your wishlist."),
    ):
        if page.locator(".product-lists[open]").count() == 0:
            page.get_by_text("On which list?").click()
        page.get_by_role("button", name=press, exact=True).click()
        expect(said(page, answer)).to_be_visible()
    expect(page.get_by_role("button", name="To the wishlist", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if has_script:
        expect(off).to_be_visible()  # told by the tab beside it
    results.reload()
    expect(off).to_be_visible()
    context.close()


@contextmanager
def asked_with(page: Page, headers: dict[str, str]) -> Iterator[None]:
    """The site's own answers to requests that say something else."""

    def ask(route: Route) -> None:
        route.fulfill(response=route.fetch(headers={**route.request.headers, **headers}))

    page.route("**/api/v1/**", ask)
    yield
    page.unroute("**/api/v1/**")


@contextmanager
def without_lists(site: Site) -> Iterator[None]:
    """The table of what is on them is away."""
    do(site, "alter table wishlist_items rename to wishlist_items_elsewhere")
    yield
    do(site, "alter table wishlist_items_elsewhere rename to wishlist_items")


def do(site: Site, words: str) -> None:
    with site.sessions.begin() as session:
        session.execute(text(words))


def test_each_failure_has_its_own_words_and_is_taken_back(browser: Browser, site: Site) -> None:
    product = one(site, AT_SEVERAL)
    context = browser.new_context(viewport=SCREENS["phone"], locale="en-GB", service_workers="block")
    page = context.new_page()
    sign_in_by_link(page, site, site.url, "failures@shop.example")
    page.goto(f"{site.url}/products/{product.public_id}")
    off = page.get_by_role("button", name="To the wishlist", exact=True)
    on = page.get_by_role("button", name="On your wishlist: take it off", exact=True)
    add = page.get_by_role("button", name="Add to cart").first
    pieces = page.locator(".nav-cart .count")

    # 403, for the list and for the cart.
    with asked_with(page, ELSEWHERE):
        for button in (off, add):
            button.click()
            expect(said(page, "That is not open to you.")).to_be_visible()
            page.get_by_role("button", name="Close").click()
    expect(off).to_be_visible()
    expect(pieces).to_have_count(0)
    # 500
    with without_lists(site):
        off.click()
        expect(said(page, "Something went wrong on our side.")).to_be_visible()
    expect(off).to_be_visible()
    # No network: it waits, and is sent when there is one.
    context.set_offline(True)
    off.click()
    expect(said(page, "There is no connection.")).to_be_visible()
    expect(on).to_be_visible()
    context.set_offline(False)
    expect(said(page, "what waited is saved")).to_be_visible()
    # 404
    do(site, "delete from wishlist_items")
    on.click()
    expect(said(page, "It is not there any more.")).to_be_visible()
    expect(on).to_be_visible()
    # 412, which says what 409 says.
    with page.expect_response(lambda answer: "/api/v1/cart/items" in answer.url):
        add.click()
    expect(pieces).to_have_text("1")
    page.goto(f"{site.url}/cart")
    quantity = page.get_by_label(f"Quantity of {product.title}")
    with asked_with(page, READ_LONG_AGO):
        quantity.fill("4")
        page.keyboard.press("Tab")
        expect(said(page, "It was changed meanwhile.")).to_be_visible()
    expect(quantity).to_have_value("1")
    # 401, where the session ended while the page was open: a guest's cart is not begun instead.
    page.goto(f"{site.url}/products/{product.public_id}")
    do(site, "update account_sessions set revoked_at = now() where revoked_at is null")
    for button in (off, add):
        button.click()
        expect(said(page, "You are signed out, so nothing was changed.")).to_be_visible()
    expect(off).to_be_visible()
    expect(pieces).to_have_text("1")
    assert [cookie for cookie in context.cookies() if cookie["name"] == "click2cart_cart"] == []
    said(page, "You are signed out").get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fproducts%2F"))
    context.close()
