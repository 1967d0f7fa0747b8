"""An operator adds a store by its address, in a real browser, with a real clock and worker behind the site."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import sessionmaker

from aggregator.accounts.sign_in import invite
from aggregator.db.migrate import migrate
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from fixtures.demo.stores import DemoStore
from tests.databases import fresh_database, name_beside
from tests.e2e.conftest import free_port, running_web
from tests.integration.test_killed_worker import process

SLUG = "kettle-cable"
SECONDS = 60


@dataclass(frozen=True, slots=True)
class Workshop:
    """A site without any store, its worker and clock."""

    url: str
    sessions: Sessions
    store: DemoStore


@pytest.fixture(scope="module")
def workshop(
    browser: Browser,
    settings: Settings,
    demo_stores: dict[str, DemoStore],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Workshop]:
    store = demo_stores[SLUG]
    with fresh_database(settings, name_beside(settings, "add")) as (settings, engine):
        host = urlsplit(store.url).netloc
        settings = replace(settings, allow_private_hosts=frozenset({host}), port=free_port())
        migrate(engine)
        folder: Path = tmp_path_factory.mktemp("add_store")
        with ExitStack() as stack:
            address = stack.enter_context(running_web(settings, folder / "web.log"))
            for command in ("worker", "clock"):
                stack.enter_context(process(settings, command, folder / f"{command}.log", {host}))
            yield Workshop(address, sessionmaker(engine, expire_on_commit=False), store)


@pytest.fixture
def page(browser: Browser, workshop: Workshop) -> Iterator[Page]:
    """A page of an operator who has just signed in."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    with workshop.sessions.begin() as session:
        token = invite(session, "ada@example.org", "operator")
    page.goto(f"{workshop.url}/login/link/{token}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/operations")
    yield page
    context.close()
    assert problems == []


def test_an_address_becomes_offers_in_the_search_within_a_minute(page: Page, workshop: Workshop) -> None:
    started = time.monotonic()
    store = workshop.store
    plain = (product.title for product in store.store.products if len(product.variants) == 1)
    title = next(title for title in plain if title.replace(" ", "").isalnum())

    page.get_by_role("link", name="Add a store").click()
    page.get_by_label("Address").fill(store.address)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Why we think so")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text(store.name)
    evidence = page.locator(".probe-evidence")
    expect(evidence).to_contain_text("WooCommerce")
    expect(evidence).to_contain_text("EUR")
    assert evidence.locator("table.sample tbody tr").count() == 5
    expect(page.get_by_label("Read it")).to_contain_text("proposed")

    page.get_by_label("A parcel costs").fill("4,90")
    page.get_by_role("button", name="Import and read it now").click()

    page.wait_for_url("**/operations/runs/*", timeout=30_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Finished", timeout=30_000)
    page.get_by_role("link", name="See its offers in the search").click()
    expect(page).to_have_url(re.compile(rf"/search\?store={SLUG}"))
    found = page.locator(".product-row").get_by_role("link", name=title, exact=True)
    while not found.count():
        assert time.monotonic() - started < SECONDS, "the offers did not come into the search"
        page.wait_for_timeout(500)
        page.goto(f"{workshop.url}/search?{urlencode({'q': title})}")
    expect(found.first).to_be_visible()


def test_without_scripts_the_page_goes_on_by_itself(browser: Browser, page: Page, workshop: Workshop) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(f"{workshop.url}/operations/add")
    plain.get_by_label("Address").fill(f"{workshop.store.url}/nothing-here")
    plain.get_by_role("button", name="Look at it").click()
    expect(plain.get_by_role("button", name="Look again")).to_be_visible(timeout=30_000)
    context.close()
