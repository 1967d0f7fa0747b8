"""Price alerts in a real browser: told after a drop that was released, never of one that was held back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from aggregator.catalog.ingest import IngestReport, settle_held_run
from aggregator.domain.identifiers import new_public_id
from spiders.runner import crawl_store
from tests.e2e.conftest import Site
from tests.e2e.people import SCREENS, sign_in_by_link
from workers.actors.alerts import look_at_alerts
from workers.context import working

STORE = "fernway"
# The last ones: other journeys take the first.
SOLD_HERE_ALONE = """
    select p.public_id, p.title, o.sku, o.price from products p join offers o on o.product_id = p.id
    join stores s on s.id = o.store_id
    where s.slug = :slug and p.offer_count = 1 and o.availability = 'InStock' and o.price between 15 and 300
      and o.gone_at is null and o.item_condition = 'NewCondition' and o.variant_attributes = '{}'
    order by p.id desc limit 3
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody with alerts on three products."""

    page: Page
    address: str


@pytest.fixture(scope="module")
def products(site: Site) -> Iterator[list[Any]]:
    """Three products of one store, which asks its usual prices again afterwards."""
    with site.sessions() as session:
        yield list(session.execute(text(SOLD_HERE_ALONE), {"slug": STORE}))
    site.stores[STORE].control.reset()
    read(site)


@pytest.fixture(scope="module")
def people(browser: Browser, site: Site, demo: str, products: list[Any]) -> Iterator[list[Waiting]]:
    """One at a desk, and one with a phone whose browser runs no scripts."""
    waiting = []
    for screen, has_script in (("desktop", True), ("phone", False)):
        context = browser.new_context(
            viewport=SCREENS[screen], locale="en-GB", java_script_enabled=has_script
        )
        one = Waiting(context.new_page(), f"{new_public_id()}@shop.example")
        sign_in_by_link(one.page, site, demo, one.address)
        for product in products:
            one.page.goto(f"{demo}/products/{product.public_id}")
            one.page.get_by_text("Price alert", exact=True).click()
            # A tenth less than now is what the form proposes.
            one.page.get_by_role("button", name="Set the alert").click()
            expect(one.page.get_by_text("We shall write to you.")).to_be_visible()
        waiting.append(one)
    look(site)
    yield waiting
    for one in waiting:
        one.page.context.close()


def read(site: Site) -> IngestReport:
    report = crawl_store(site.settings, site.sessions, STORE, trigger="command")
    assert report is not None
    return report


def look(site: Site) -> None:
    """What a worker does two seconds after a release."""
    with working(site.settings):
        look_at_alerts()


def mails(one: Waiting, demo: str) -> list[str]:
    one.page.goto(f"{demo}/inbox?to={one.address}")
    return one.page.locator(".inbox h2").all_inner_texts()


def test_a_drop_is_told_once_and_one_press_ends_it(
    people: list[Waiting], site: Site, demo: str, products: list[Any]
) -> None:
    fallen, doubted, _steady = products
    control = site.stores[STORE].control
    control.set_price(fallen.sku, (fallen.price * Decimal("0.8")).quantize(Decimal("0.01")))
    # A hundredth is a comma in the wrong place rather than a bargain.
    control.set_price(doubted.sku, doubted.price / 100)
    report = read(site)
    assert (report.state, report.quarantined) == ("finished", 1)
    look(site)
    look(site)
    for one in people:
        (subject,) = mails(one, demo)
        assert fallen.title in subject
        one.page.get_by_role("link", name="/alerts/stop/").click()
        expect(one.page.get_by_role("link", name=fallen.title, exact=True)).to_be_visible()
        one.page.get_by_role("button", name="Stop it").click()
        expect(one.page.get_by_role("heading", name="The alert is off")).to_be_visible()
        one.page.goto(f"{demo}/alerts")
        card = one.page.locator(".panel", has=one.page.get_by_role("link", name=fallen.title, exact=True))
        expect(card.locator(".state")).to_have_text("off")
        assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_held_run_tells_nobody_anything(
    people: list[Waiting], site: Site, demo: str, products: list[Any]
) -> None:
    steady = products[-1]
    told = [mails(one, demo) for one in people]
    with site.sessions() as session:
        asked = session.execute(
            text(
                "select o.sku, o.price from offers o join stores s on s.id = o.store_id"
                " where s.slug = :slug and o.gone_at is null and o.sku is not null"
            ),
            {"slug": STORE},
        ).all()
    for offer in asked:
        site.stores[STORE].control.set_price(offer.sku, (offer.price / 4).quantize(Decimal("0.01")))
    report = read(site)
    assert report.state == "held"
    look(site)
    assert [mails(one, demo) for one in people] == told
    page = people[0].page
    page.goto(f"{demo}/products/{steady.public_id}")
    expect(page.locator(".price-box")).to_contain_text(f"{steady.price:.2f}")
    with site.sessions.begin() as session:
        settle_held_run(session, report.run, accept=False)
