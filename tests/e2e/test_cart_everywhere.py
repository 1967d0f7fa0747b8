"""The cart without waiting, in every tab and without a network, and the site as an application."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from sqlalchemy import text

from tests.e2e.conftest import Site
from tests.e2e.people import SCREENS, sign_in_by_link

SOLD = """
    select p.public_id, p.title from products p
    where p.is_available and p.store_count >= 2 order by p.store_count desc, p.id limit 2
"""


@pytest.fixture(params=["desktop", pytest.param("phone", marks=pytest.mark.prove)])
def visitor(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A new visitor at a desk or with a phone."""
    context = browser.new_context(viewport=SCREENS[request.param], locale="en-GB")
    yield context
    context.close()


@pytest.fixture
def products(site: Site) -> list[Any]:
    with site.sessions() as session:
        return list(session.execute(text(SOLD)))


def open_product(page: Page, site: Site, product: Any) -> None:
    page.goto(f"{site.url}/products/{product.public_id}")


def add(page: Page) -> None:
    page.get_by_role("button", name="Add to cart").first.click()


def toast(page: Page, words: str) -> Locator:
    return page.locator(".toast, .page-seen").filter(has_text=words)


def count(page: Page) -> Locator:
    return page.locator(".nav-cart .count")


def pieces(site: Site, product: Any) -> int:
    """How many of a product lie in all carts."""
    words = "select sum(l.quantity) from cart_lines l join products p on p.id = l.product_id where p.public_id = :id"
    with site.sessions() as session:
        return int(session.scalar(text(words), {"id": product.public_id}) or 0)


def kept_copies(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "async () => (await (await caches.open('click2cart-pages-1')).keys()).map((request) => request.url)"
    )
    return found


def wait_for(page: Page, condition: str) -> None:
    """Until the expression is true in the page; Playwright's own way would need a policy that lets scripts be made."""
    page.evaluate(
        f"""async () => {{
            for (const until = Date.now() + 10_000; Date.now() < until; await new Promise((go) => setTimeout(go, 20)))
                if (await ({condition})) return;
            throw new Error("it never came");
        }}"""
    )


def test_two_tabs_agree(page: Page, visitor: BrowserContext, site: Site, products: list[Any]) -> None:
    open_product(page, site, products[0])
    add(page)
    expect(toast(page, "It is in your cart.")).to_be_visible()
    expect(page).to_have_url(re.compile("/products/"))  # nothing was left for it
    other = visitor.new_page()
    other.goto(f"{site.url}/cart")
    expect(count(other)).to_have_text("1")
    add(page)
    # The cart that lies open in the other tab is planned anew there, without a reload.
    expect(count(other)).to_have_text("2")
    expect(other.get_by_role("heading", level=1)).to_contain_text("2 pieces")
    expect(other.get_by_label(f"Quantity of {products[0].title}")).to_have_value("2")
    other.get_by_label(f"Quantity of {products[0].title}").fill("5")
    other.keyboard.press("Tab")
    expect(count(page)).to_have_text("5")
    expect(toast(other, "The quantity is changed.")).to_be_visible()
    expect(other.get_by_role("heading", level=1)).to_contain_text("5 pieces")
    expect(other.get_by_role("button", name=f"Remove {products[0].title}")).to_be_focused()
    page.get_by_role("button", name="To the wishlist").click()
    expect(toast(page, "It is on your wishlist.")).to_be_visible()
    other.get_by_role("button", name=f"Remove {products[0].title}").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Your cart is empty")
    expect(count(page)).to_have_count(0)


def test_signing_in_and_out_reaches_the_other_tabs(
    page: Page, visitor: BrowserContext, site: Site, products: list[Any]
) -> None:
    open_product(page, site, products[0])
    other = visitor.new_page()
    sign_in_by_link(other, site, site.url, "tabs@example.org")
    elsewhere = toast(page, "You signed in in another tab.")
    elsewhere.get_by_role("button", name="Reload").click()
    expect(page.get_by_role("link", name="Account").first).to_be_visible()
    visitor.set_offline(True)
    add(page)
    expect(toast(page, "There is no connection.")).to_be_visible()
    visitor.set_offline(False)
    expect(toast(page, "what waited is saved")).to_be_visible()
    other.get_by_role("button", name="Sign out").last.click()
    expect(page.get_by_role("link", name="Account")).to_have_count(0)
    expect(count(page)).to_have_count(0)


def test_what_is_done_offline_waits_and_is_sent_once(
    page: Page, visitor: BrowserContext, site: Site, products: list[Any]
) -> None:
    open_product(page, site, products[0])
    add(page)
    expect(toast(page, "It is in your cart.")).to_be_visible()
    before = pieces(site, products[0])
    visitor.set_offline(True)
    add(page)
    expect(toast(page, "There is no connection.")).to_be_visible()
    add(page)
    expect(count(page)).to_have_text("3")
    wait_for(page, "JSON.parse(localStorage.getItem('click2cart.waiting'))[0].items[0].quantity === 2")
    waiting = page.evaluate("JSON.parse(localStorage.getItem('click2cart.waiting'))")
    assert [one["path"] for one in waiting] == ["/cart/merge"]  # one batch
    assert pieces(site, products[0]) == before
    visitor.set_offline(False)
    expect(toast(page, "what waited is saved")).to_be_visible()
    assert pieces(site, products[0]) == before + 2
    # An answer that was lost on its way: the same batch again, with its key, changes nothing.
    page.evaluate("waiting => localStorage.setItem('click2cart.waiting', JSON.stringify(waiting))", waiting)
    with page.expect_response("**/api/v1/cart/merge") as again:
        page.reload()
    assert again.value.headers["idempotency-replayed"] == "true"
    expect(toast(page, "what waited is saved")).to_be_visible()
    assert pieces(site, products[0]) == before + 2
    expect(count(page)).to_have_text("3")


def test_a_failed_change_is_taken_back(page: Page, site: Site, products: list[Any]) -> None:
    open_product(page, site, products[1])
    add(page)
    expect(toast(page, "It is in your cart.")).to_be_visible()
    open_product(page, site, products[0])
    with site.sessions.begin() as session:
        session.execute(text("alter table cart_lines rename to cart_lines_elsewhere"))
    try:
        add(page)
        expect(toast(page, "Something went wrong on our side.")).to_be_visible()
        expect(count(page)).to_have_text("1")
    finally:
        with site.sessions.begin() as session:
            session.execute(text("alter table cart_lines_elsewhere rename to cart_lines"))
    page.get_by_role("button", name="Close").click()
    # Whoever goes to the cart at once finds there what was put in.
    page.evaluate("""() => {
        document.querySelector(".price-box-add button").click();
        document.querySelector("a.nav-cart").click();
    }""")
    expect(page.get_by_role("heading", level=1)).to_contain_text("2 pieces")
    page.wait_for_load_state()
    # A line that is gone meanwhile has a message of its own.
    with site.sessions.begin() as session:
        session.execute(text("delete from cart_lines"))
    page.get_by_label(f"Quantity of {products[0].title}").fill("7")
    page.keyboard.press("Tab")
    expect(toast(page, "It is not there any more.")).to_be_visible()
    expect(page.get_by_label(f"Quantity of {products[0].title}")).to_have_value("1")


def test_what_was_seen_can_be_read_without_a_network(
    page: Page, visitor: BrowserContext, site: Site, products: list[Any]
) -> None:
    manifest = visitor.request.get(f"{site.url}/manifest.webmanifest").json()
    for icon in manifest["icons"]:
        assert visitor.request.get(site.url + icon["src"]).headers["content-type"] == "image/png"
    open_product(page, site, products[0])
    wait_for(page, "caches.match(location.href, { ignoreVary: true, cacheName: 'click2cart-pages-1' })")
    address = page.url
    page.goto(f"{site.url}/login")
    visitor.set_offline(True)
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text(products[0].title)
    expect(toast(page, "This is the page as you saw it on")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.site-head-row')).display") == "flex"
    page.goto(f"{site.url}/search?q=never+seen")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no connection")
    assert [one for one in kept_copies(page) if re.search("/(login|account|operations|api)", one)] == []
    # Whoever signs in or out leaves no copies behind.
    visitor.set_offline(False)
    page.goto(f"{site.url}/login")
    page.evaluate("fetch('/logout', { method: 'POST' })")
    wait_for(page, "caches.has('click2cart-pages-1').then((is) => !is)")
