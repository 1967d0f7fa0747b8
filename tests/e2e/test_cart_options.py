"""The shopper's options in a real browser: what is chosen decides the plan, with a keyboard and on a phone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests.e2e.conftest import Site

AT_SEVERAL = """
    select p.public_id, p.title from products p
    where p.is_available and p.store_count >= 3 order by p.store_count desc, p.id limit 2
"""


def products(site: Site) -> list[Any]:
    with site.sessions() as session:
        return list(session.execute(text(AT_SEVERAL)))


def fill_cart(page: Page, site: Site) -> None:
    for product in products(site):
        page.goto(f"{site.url}/products/{product.public_id}")
        page.get_by_role("button", name="Add to cart").first.click()
        expect(page.get_by_role("status").filter(has_text="It is in your cart.")).to_be_visible()
    page.goto(f"{site.url}/cart")


def stores_of(page: Page) -> list[str]:
    """The stores that the plan buys at."""
    return [heading.inner_text() for heading in page.locator(".cart-store:not(.cart-missing) h2").all()]


def open_options(page: Page) -> None:
    if page.locator("#options").get_attribute("open") is None:
        page.locator("#options > summary").focus()
        page.keyboard.press("Enter")
    expect(page.get_by_label("Parcels go to")).to_be_visible()


def test_options_decide_the_plan(page: Page, site: Site) -> None:
    fill_cart(page, site)
    expect(page.locator(".cart-why").first).to_be_visible()

    # A store that is left out is bought from no more, until it is allowed again.
    first = stores_of(page)[0]
    open_options(page)
    page.get_by_role("button", name=f"Leave out {first}").click()
    expect(page.locator("#options > summary")).to_contain_text("1 store left out")
    assert first not in stores_of(page)
    page.get_by_role("button", name=f"Allow again {first}").click()
    expect(page.locator("#options > summary")).not_to_contain_text("left out")
    assert first in stores_of(page)

    # No demo store tells when it delivers: nothing is known to come in time, and the page says so.
    open_options(page)
    soon = datetime.now(UTC).date() + timedelta(days=10)
    page.get_by_label("There by").fill(soon.isoformat())
    page.get_by_role("button", name="Plan with these").click()
    expect(page.get_by_role("heading", name="Not bought by this plan")).to_be_visible()
    expect(page.get_by_text("tell when").first).to_be_visible()
    open_options(page)
    page.get_by_label("There by").fill("")
    page.get_by_label("One parcel less is worth").fill("900")
    page.get_by_role("button", name="Plan with these").click()
    expect(page.locator("#options > summary")).to_contain_text("a parcel less is worth")
    assert len(stores_of(page)) == 1
    expect(page.locator(".verdict")).to_contain_text(re.compile("parcel|unknown"))
    open_options(page)
    page.get_by_label("One parcel less is worth").fill("")
    page.get_by_label("Parcels go to").select_option("AT")
    page.get_by_role("button", name="Plan with these").click()
    expect(page.locator("#options > summary")).to_contain_text("to Austria")


def test_a_coupon_and_a_chosen_offer_on_a_phone(page: Page, site: Site) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    fill_cart(page, site)
    open_options(page)
    with site.sessions() as session:
        store = session.execute(text("select name from stores where slug = 'fernway'")).scalar_one()
    selling = page.get_by_label("Store", exact=True).locator("option").all_inner_texts()
    store = store if store in selling else selling[0]
    page.get_by_label("Store", exact=True).select_option(store)
    page.get_by_label("Code").fill("WELCOME")
    page.get_by_label("Worth", exact=True).fill("90")
    page.get_by_role("button", name="Count with it").click()
    expect(page.get_by_text("Coupon WELCOME")).to_be_visible()
    assert store in stores_of(page)
    expect(page.locator("aside.plan")).to_contain_text("Coupons")

    page.locator("a.cart-other").first.click()
    expect(page.get_by_role("link", name="Back to the cart")).to_be_visible()
    other = page.locator(".line-offer").last
    chosen = other.locator("h2").inner_text()
    other.get_by_role("button", name="Buy this one").click()
    expect(page.get_by_text("You chose this offer.")).to_be_visible()
    assert chosen in stores_of(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
