"""After the hand-over in a real browser: orders told, a store fails, the rest anew; shared links; pasted lists."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Site
from tests.e2e.test_journey import (
    AT_SEVERAL,
    ONLY_AT,
    add_to_cart,
    one,
    open_in_new_tab,
    without_a_look_at_prices,
)

STORES = ("fernway", "kettle-cable", "brightwell")


def part_of(page: Page, store: str) -> Locator:
    """One store's part on the page of a purchase."""
    return page.locator(".purchase-part", has=page.get_by_role("heading", name=store, exact=True))


def assert_fits(page: Page) -> None:
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url


def test_an_order_is_told_a_store_fails_and_the_rest_is_planned_again(page: Page, site: Site) -> None:
    wanted = {site.stores[slug].name: one(site, ONLY_AT, slug=slug) for slug in STORES}
    shared = one(site, AT_SEVERAL)
    for product in (*wanted.values(), shared):
        add_to_cart(page, site, product.public_id)
    page.goto(f"{site.url}/cart")
    page.locator("aside.plan").get_by_role("button", name="Go to checkout").click()
    page.wait_for_url("**/checkout/*")
    without_a_look_at_prices(page, site)
    good, bad = site.stores["fernway"].name, site.stores["brightwell"].name
    step = page.locator("ol.steps > li", has=page.get_by_role("heading", name=good))
    open_in_new_tab(page, step.get_by_role("link", name=re.compile("Fill the cart"))).close()
    step.get_by_role("button", name="I bought it").click()
    step.get_by_role("link", name="Write down what you paid").click()

    part = part_of(page, good)
    expect(part).to_contain_text("Bought")
    part.get_by_text("Correct the order").click()
    part.get_by_label("Paid, shipping included").fill("31,50")
    part.get_by_label("Order number").fill("F-2026-17")
    part.get_by_label("Day of the order").fill("2026-03-02")
    part.get_by_role("button", name="Keep the correction").click()
    expect(part).to_contain_text("€31.50")
    expect(part).to_contain_text("F-2026-17")
    part.get_by_role("button", name="It is on its way").click()
    expect(part.locator("header")).to_contain_text("On its way")

    part_of(page, bad).get_by_label("Note").fill("page says sold out")
    part_of(page, bad).get_by_role("button", name="This store failed").click()
    page.get_by_role("button", name="Plan the rest again").click()
    page.wait_for_url("**/cart")
    main = page.locator("main")
    expect(main).to_contain_text(f"The rest is planned anew without {bad}.")
    expect(main).to_contain_text(f"What you bought at {good} stays bought.")
    expect(page.get_by_role("heading", name=bad, exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name=wanted[good].title, exact=True)).to_have_count(0)
    # What only the failed store sells is not lost: it waits with its reason.
    expect(page.get_by_role("link", name=wanted[bad].title, exact=True).first).to_be_visible()

    page.goto(f"{site.url}/purchases")
    expect(page.locator(".spending-sums")).to_contain_text("€31.50")
    expect(page.locator(".spending-months")).to_contain_text("March 2026")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "F-2026-17" in download.value.path().read_text(encoding="utf-8-sig")
    page.get_by_role("link", name="Print or PDF").click()
    expect(page.locator("main")).to_contain_text("F-2026-17")
    assert page.request.get(f"{site.url}/purchases/summary.pdf").body()[:5] == b"%PDF-"


def test_a_shared_link_opens_elsewhere_is_copied_and_closed(page: Page, site: Site, browser: Browser) -> None:
    product = one(site, ONLY_AT, slug="fernway")
    add_to_cart(page, site, product.public_id, quantity=2)
    page.goto(f"{site.url}/cart")
    page.get_by_role("link", name="Share this cart").click()
    page.get_by_label("Name").fill("For the office")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Your new link. It is shown only now:").input_value()

    elsewhere = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    guest = elsewhere.new_page()
    guest.goto(link)
    expect(guest.get_by_role("heading", level=1)).to_have_text("For the office")
    expect(guest.locator("main")).to_contain_text(product.title)
    assert_fits(guest)
    guest.get_by_role("button", name="Copy into my cart").click()
    expect(guest.get_by_role("heading", level=1)).to_contain_text("2 pieces")

    page.get_by_role("button", name="Close the link For the office").click()
    expect(page.locator(".shared-link")).to_contain_text("closed")
    guest.goto(link)
    expect(guest.get_by_role("heading", level=1)).to_have_text("This link shows nothing")
    elsewhere.close()


@pytest.mark.parametrize("with_script", [True, False], ids=["script", "no-script"])
def test_a_pasted_list_becomes_a_cart(site: Site, browser: Any, with_script: bool) -> None:
    products = [one(site, ONLY_AT, slug=slug) for slug in STORES]
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=with_script)
    page = context.new_page()
    page.goto(f"{site.url}/lists")
    page.get_by_label("Your list").fill(
        f"- 2x {products[0].title}\n* {products[1].title} (3)\nzzqqxx nothing like it"
    )
    page.get_by_role("button", name="Find these products").click()
    page.wait_for_url("**/lists/*")
    assert_fits(page)
    for line, product in zip(page.locator(".pasted-line").all(), products[:2], strict=False):
        line.locator(f"input[value='{product.public_id}']").check()
    page.get_by_role("button", name="Put into the cart").click()
    expect(page.locator("main")).to_contain_text("2 in the cart, 1 open")
    missing = page.locator(".pasted-open")
    expect(missing).to_contain_text("zzqqxx nothing like it")
    expect(missing).to_contain_text("Nothing was found.")
    missing.get_by_label("Look for").fill(products[2].title)
    missing.get_by_role("button", name="Look again").click()
    page.locator(f".pasted-open input[value='{products[2].public_id}']").check()
    page.get_by_role("button", name="Put into the cart").click()
    expect(page.locator("main")).to_contain_text("Every line is settled.")
    page.goto(f"{site.url}/cart")
    expect(page.get_by_role("heading", level=1)).to_contain_text("6 pieces")
    context.close()
