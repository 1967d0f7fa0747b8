"""Between the plan and the stores' own carts, in a real browser: prices looked at live, and every way to hand over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from sqlalchemy import select, text, update

from aggregator.db.models import StoreRow
from tests.e2e.conftest import Site
from tests.e2e.test_journey import ONLY_AT, add_to_cart, one, open_in_new_tab, store_cart
from tests.integration.real_processes import process

# Sold by two stores that tell their shipping, each with some in stock, the dearer by less than a tenth.
AT_TWO = """
    select p.public_id, p.title, a.sku, a.price, s.slug
    from products p
    join offers a on a.product_id = p.id join stores s on s.id = a.store_id
    join offers b on b.product_id = p.id join stores t on t.id = b.store_id
    where s.slug = :slug and t.slug = :other and a.price between 20 and 400
      and b.price between a.price and a.price * 1.3 and p.offer_count = 2
      and a.sku is not null and a.availability = 'InStock' and b.availability = 'InStock'
      and coalesce(a.stock_level, 9) >= 3 and coalesce(b.stock_level, 9) >= 3
      and a.gone_at is null and b.gone_at is null and a.item_condition = 'NewCondition'
      and b.item_condition = 'NewCondition' and a.variant_attributes = '{}' and b.variant_attributes = '{}'
    order by p.id limit 1
"""
# What puts something into a cart, or shows one, at any of the demo stores.
HAND_OFF = re.compile(r"/(cart(/.*)?|checkout.*|basket.*)|/\?.*add-to-cart.*")


@pytest.fixture(scope="module")
def working(site: Site, shared_dir: Path) -> Iterator[Site]:
    """The site with a worker of its own beside it."""
    log = shared_dir / "checking-worker.log"
    with process(site.settings, "worker", log, site.settings.allow_private_hosts):
        yield site


@pytest.fixture(autouse=True)
def as_before(working: Site) -> Iterator[None]:
    """Stores as they were, and nothing remembered of what they said."""
    site = working
    for store in site.stores.values():
        store.control.clear_requests()
    yield
    for store in site.stores.values():
        store.control.reset()
    with site.sessions.begin() as session:
        session.execute(text("delete from live_checks"))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A product in the cart, planned at one store, sold by another one, too."""

    sku: str
    title: str
    price: Decimal
    slug: str


def planned_at(page: Page, site: Site, slug: str, other: str) -> Chosen:
    """Put a product into the cart that is cheapest at `slug` and sold at `other`, too."""
    found = one(site, AT_TWO, slug=slug, other=other)
    add_to_cart(page, site, found.public_id)
    return Chosen(found.sku, found.title, found.price, slug)


def go_to_checkout(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/cart")
    page.get_by_role("button", name="Go to checkout").first.click()
    page.wait_for_url("**/checkout/*")
    # The page shows by itself what the stores said.
    expect(page.locator("section.check[data-live]")).to_have_count(0, timeout=20_000)


def panel(page: Page) -> Locator:
    return page.locator("section.check")


def verdict(page: Page, words: str) -> None:
    """Wait for the end of the look at the prices, which the page shows by itself."""
    expect(panel(page).get_by_role("heading")).to_have_text(re.compile(words), timeout=20_000)


def test_prices_that_are_as_planned_are_confirmed(page: Page, working: Site) -> None:
    for slug in ("fernway", "kettle-cable", "brightwell", "pixel-parcel"):
        add_to_cart(page, working, one(working, ONLY_AT, slug=slug).public_id)
    go_to_checkout(page, working)
    verdict(page, "Every price and stock is as planned")
    expect(page.get_by_text("Prices confirmed")).to_have_count(4)
    assert_server_opened_no_hand_off(page, working)


def test_a_changed_price_stands_beside_the_planned_one_and_is_planned_again(
    page: Page, working: Site
) -> None:
    chosen = planned_at(page, working, "fernway", "kettle-cable")
    raised = (chosen.price * Decimal("1.45")).quantize(Decimal("0.01"))
    working.stores["fernway"].control.set_price(chosen.sku, raised)

    go_to_checkout(page, working)

    verdict(page, "1 article changed since it was planned")
    row = panel(page).get_by_role("row").filter(has_text="Fernway Home")
    expect(row).to_contain_text(f"€{chosen.price:,.2f}")
    expect(row).to_contain_text(f"€{raised:,.2f}")
    expect(page.locator("ol.steps > li")).to_contain_text("Changed since planned")
    assert_server_opened_no_hand_off(page, working)

    page.get_by_role("button", name="Plan again with these prices").click()
    verdict(page, "Every price and stock is as planned")
    expect(page.locator("ol.steps > li")).to_have_count(1)
    expect(page.locator("ol.steps > li").get_by_role("heading").first).to_have_text("Kettle & Cable")
    assert_server_opened_no_hand_off(page, working)


def test_what_sold_out_is_said_and_bought_elsewhere(page: Page, working: Site) -> None:
    chosen = planned_at(page, working, "kettle-cable", "brightwell")
    working.stores["kettle-cable"].control.set_stock(chosen.sku, 0)

    go_to_checkout(page, working)

    verdict(page, "1 article changed since it was planned")
    expect(panel(page).get_by_role("row").filter(has_text="Kettle & Cable")).to_contain_text("Sold out")
    page.get_by_role("button", name="Plan again with these prices").click()
    verdict(page, "Every price and stock is as planned")
    expect(page.locator("ol.steps > li").get_by_role("heading").first).to_have_text("Brightwell Direct")
    assert_server_opened_no_hand_off(page, working)


def test_a_store_that_is_down_is_unverified_and_can_be_planned_without(page: Page, working: Site) -> None:
    planned_at(page, working, "brightwell", "fernway")
    working.stores["brightwell"].control.fail("/", times=100, status=502)

    go_to_checkout(page, working)

    verdict(page, "Some prices could not be verified")
    expect(panel(page)).to_contain_text(
        "Brightwell Direct could not be asked (it answered with an error, 502)"
    )
    expect(page.locator("ol.steps > li")).to_contain_text("Not verified")
    page.get_by_role("button", name="Plan again without Brightwell Direct").click()
    verdict(page, "Every price and stock is as planned")
    expect(page.locator("ol.steps > li").get_by_role("heading").first).to_have_text("Fernway Home")
    assert_server_opened_no_hand_off(page, working)


def test_a_price_a_hundred_times_as_high_is_doubted_and_not_planned_with(page: Page, working: Site) -> None:
    offer = one(working, ONLY_AT, slug="fernway")
    add_to_cart(page, working, offer.public_id)
    working.stores["fernway"].control.set_price(offer.sku, offer.price * 100)
    go_to_checkout(page, working)
    verdict(page, "A price that a store shows now is in doubt")
    expect(panel(page)).to_contain_text(f"€{offer.price * 100:,.2f}")
    expect(page.get_by_role("button", name="Plan again with these prices")).to_have_count(0)
    page.goto(f"{working.url}/cart")
    expect(page.locator("main")).to_contain_text(f"€{offer.price:,.2f}")
    expect(page.locator("main")).not_to_contain_text(f"€{offer.price * 100:,.2f}")


def test_without_javascript_the_page_looks_again_by_itself(browser: Browser, working: Site) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    offer = one(working, ONLY_AT, slug="pixel-parcel")
    add_to_cart(page, working, offer.public_id)
    working.stores["pixel-parcel"].control.set_price(offer.sku or offer.external_id, offer.price + 1)
    go_to_checkout(page, working)
    verdict(page, "1 article changed since it was planned")
    page.get_by_role("button", name="Plan again with these prices").click()
    verdict(page, "Every price and stock is as planned")
    expect(page.locator("ol.steps > li")).to_contain_text(f"€{offer.price + 1:,.2f}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_the_steps_go_on_on_another_device(browser: Browser, page: Page, site: Site) -> None:
    add_to_cart(page, site, one(site, ONLY_AT, slug="fernway").public_id)
    go_to_checkout(page, site)
    page.get_by_text("Go on later, or on another device").click()
    link = page.locator("code.link-code").inner_text()

    phone = browser.new_context(viewport={"width": 390, "height": 844})
    elsewhere = phone.new_page()
    # The page's own address is nobody else's; its signed link is.
    assert elsewhere.goto(page.url).status == 404  # type: ignore[union-attr]  # a page that was asked for answers
    elsewhere.goto(link)
    expect(elsewhere).to_have_url(page.url)
    elsewhere.get_by_role("button", name=re.compile("I bought it")).click()
    page.reload()
    expect(page.locator("ol.steps > li").first).to_contain_text("Bought")
    spoiled = elsewhere.goto(f"{link[:-3]}AAA")
    assert spoiled is not None
    assert spoiled.status == 400
    phone.close()


def test_a_link_that_replaces_a_cart_says_so_and_leaves_a_way_that_keeps_it(
    page: Page, visitor: BrowserContext, site: Site
) -> None:
    """What lay in the stores' carts before is lost by the one click alone, of which the page warns."""
    offers = {slug: one(site, ONLY_AT, slug=slug) for slug in ("fernway", "kettle-cable")}
    for offer in offers.values():
        add_to_cart(page, site, offer.public_id, quantity=2)
    others = {slug: put_into_own_cart(visitor, site, slug, offer.sku) for slug, offer in offers.items()}

    go_to_checkout(page, site)

    for slug, offer in offers.items():
        store = site.stores[slug]
        step = page.locator("ol.steps > li").filter(has=page.get_by_role("heading", name=store.name))
        expect(step).to_contain_text(f"This replaces what already lies in your cart at {store.name}")
        assert store_cart(visitor, store.url) == {others[slug]: 1}
        step.get_by_text("Add these one by one instead").click()
        tab = open_in_new_tab(page, step.locator(".one-by-one a"))
        address = tab.url
        if slug == "fernway":  # its own page, where the shopper presses the button
            for _ in range(2):
                tab.goto(address)
                tab.locator("#add-to-cart").click()
                tab.wait_for_load_state()
        tab.close()
        assert store_cart(visitor, store.url) == {others[slug]: 1, offer.sku: 2}
        open_in_new_tab(page, step.get_by_role("link", name=re.compile("Fill the cart"))).close()
        assert store_cart(visitor, store.url) == {offer.sku: 2}
    assert_server_opened_no_hand_off(page, site)


def test_item_links_add_one_after_another_and_keep_what_is_there(
    page: Page, visitor: BrowserContext, site: Site
) -> None:
    """A WooCommerce too old for links of whole carts."""
    with option(site, "kettle-cable", "woocommerce_version", "9.8.1"):
        offers = two_at(site, "kettle-cable")
        other = put_into_own_cart(visitor, site, "kettle-cable", *(offer.sku for offer in offers))
        for number, offer in enumerate(offers, start=1):
            add_to_cart(page, site, offer.public_id, quantity=number)
        go_to_checkout(page, site)
        links = page.get_by_role("link", name="Add this one")
        expect(links).to_have_count(2)
        for link in links.all():
            open_in_new_tab(page, link).close()
        expected = {offer.sku: number for number, offer in enumerate(offers, start=1)}
        assert store_cart(visitor, site.stores["kettle-cable"].url) == {other: 1, **expected}
    assert_server_opened_no_hand_off(page, site)


def test_an_operators_template_and_affiliate_parameters(
    page: Page, visitor: BrowserContext, site: Site
) -> None:
    store = site.stores["pixel-parcel"]
    with option(site, "pixel-parcel", "affiliate_parameters", "ref=us+%26+co"):
        offer = one(site, ONLY_AT, slug="pixel-parcel")
        add_to_cart(page, site, offer.public_id, quantity=2)
        go_to_checkout(page, site)
        step = page.locator("ol.steps > li")
        expect(step).to_contain_text("Affiliate links: whoever runs this site may earn")
        link = step.get_by_role("link", name="Add this one")
        assert link.get_attribute("rel") == "noopener noreferrer nofollow sponsored"
        open_in_new_tab(page, link).close()
        assert store_cart(visitor, store.url) == {offer.sku or offer.external_id: 2}
        (asked,) = store.control.requests("/checkout/add")
        assert asked.query.endswith("&ref=us+%26+co")
        assert asked.user_agent.startswith("Mozilla")
    go_to_checkout(page, site)
    expect(page.locator("ol.steps > li")).not_to_contain_text("Affiliate")


def two_at(site: Site, slug: str) -> list[Any]:
    with site.sessions() as session:
        return list(session.execute(text(ONLY_AT.replace("limit 1", "limit 2")), {"slug": slug}))


def put_into_own_cart(visitor: BrowserContext, site: Site, slug: str, *but: str) -> str:
    """Put another article into a store's own cart, on its own page; its SKU."""
    with site.sessions() as session:
        found = session.execute(text(ONLY_AT.replace("limit 1", "limit 9")), {"slug": slug}).all()
    skus = [row.sku for row in found if row.sku not in but]
    with site.sessions() as session:
        url = session.scalar(
            text(
                "select o.url from offers o join stores s on s.id = o.store_id where s.slug = :slug and o.sku = :sku"
            ),
            {"slug": slug, "sku": skus[-1]},
        )
    tab = visitor.new_page()
    tab.goto(str(url))
    tab.locator("#add-to-cart").click()
    tab.wait_for_load_state()
    tab.close()
    return str(skus[-1])


@contextmanager
def option(site: Site, slug: str, name: str, value: str) -> Iterator[None]:
    """A store's option, set while the block runs."""
    with site.sessions.begin() as session:
        store = session.scalars(select(StoreRow).where(StoreRow.slug == slug)).one()
        before, store.options = store.options, {**store.options, name: value}
    yield
    with site.sessions.begin() as session:
        session.execute(update(StoreRow).where(StoreRow.slug == slug).values(options=before))


def assert_server_opened_no_hand_off(page: Page, site: Site) -> None:
    """By the stores' own logs: whatever fills or shows a cart was asked for by the browser alone."""
    shown = {
        urlsplit(link.get_attribute("href") or "").path
        for link in page.locator("ol.steps a[data-record]").all()
    }
    assert shown
    for store in site.stores.values():
        for entry in store.control.requests():
            address = entry.path + (f"?{entry.query}" if entry.query else "")
            if HAND_OFF.fullmatch(address):
                assert entry.user_agent.startswith("Mozilla/"), (store.slug, address)
