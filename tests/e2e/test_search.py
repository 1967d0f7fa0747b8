"""Suggestions by keyboard, filters on a phone, and search without JavaScript, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from aggregator.catalog.search_index import IndexPlace
from aggregator.catalog.search_sync import rebuild
from tests.e2e.conftest import Site


@pytest.fixture(autouse=True)
def index(site: Site) -> Iterator[None]:
    """There while these tests run; no clock runs here that would keep it in step for the others."""
    place = IndexPlace.at(site.settings.data_dir, site.settings.country)
    rebuild(site.sessions, place)
    yield
    place.remove()


def test_suggestions_are_chosen_by_keyboard(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/search")
    field = page.get_by_role("combobox", name="Search products")
    field.press_sequentially("samsu")
    options = page.locator(".suggestions").get_by_role("option")
    expect(options.first).to_be_visible()
    expect(field).to_have_attribute("aria-expanded", "true")
    field.press("ArrowDown")
    active = field.get_attribute("aria-activedescendant")
    assert active
    expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    field.press("Escape")
    expect(page.locator(".suggestions")).to_be_hidden()
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press("ArrowDown")
    expect(options.first).to_be_visible()
    field.press("ArrowUp")
    field.press("Enter")
    page.wait_for_url(re.compile("/products/"))


def test_what_is_typed_is_searched_where_no_suggestion_is_chosen(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/search")
    field = page.get_by_role("combobox", name="Search products")
    field.fill("samsng televsion")
    field.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("samsung television")
    page.get_by_role("link", name="Search for them all the same").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_search_works_without_javascript_on_a_phone(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{site.url}/search?q=television")
    page.locator("select#sort").select_option("total")
    page.get_by_role("button", name="Sort").click()
    expect(page.locator("select#sort")).to_have_value("total")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Filters").click()
    page.locator("#facets").get_by_role("link", name="Samsung").first.click()
    page.wait_for_url(re.compile("brand=Samsung"))
    context.close()
