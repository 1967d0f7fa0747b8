"""What people with accounts do in a browser: register, sign in, read their mails and codes in the demo's inbox."""

from __future__ import annotations

import re

from playwright.sync_api import Page, ViewportSize, expect

from aggregator.accounts.sign_in import invite
from tests.e2e.conftest import Site

PASSWORD = "a kettle on the moon"
SCREENS: dict[str, ViewportSize] = {
    "desktop": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
}


def mailed_link(page: Page, demo: str, address: str, path: str) -> str:
    """The newest link of that kind in a mail to the address."""
    page.goto(f"{demo}/inbox?to={address}")
    link = page.locator(f'a[href*="{path}/"]').first.get_attribute("href")
    assert link
    return demo + link[link.index(path) :]


def register(page: Page, demo: str, address: str) -> None:
    page.goto(f"{demo}/register")
    page.get_by_label("Mail address").fill(address)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Make an account").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(mailed_link(page, demo, address, "/activate"))
    page.get_by_role("button", name="Finish and sign in").click()
    page.wait_for_load_state()


def sign_in(page: Page, demo: str, address: str, password: str) -> None:
    page.goto(f"{demo}/login")
    page.get_by_label("Mail address").fill(address)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_load_state()


def sign_in_by_link(page: Page, site: Site, url: str, address: str) -> None:
    """The quick way in, where how one gets in is not what is tested."""
    with site.sessions.begin() as session:
        token = invite(session, address, "shopper")
    page.goto(f"{url}/login/link/{token}")
    page.get_by_role("main").get_by_role("button").click()
    expect(page.get_by_role("link", name="Account").first).to_be_visible()


def enter_code(page: Page, demo: str, number: str, button: str) -> None:
    """Read the newest code in the inbox, in a tab beside, and enter it."""
    beside = page.context.new_page()
    beside.goto(f"{demo}/inbox?to={number.replace('+', '%2B')}")
    found = re.search(r"(\d{6}) is your Click2Cart code", beside.content())
    assert found
    beside.close()
    page.get_by_label("Code", exact=True).fill(found[1])
    page.get_by_role("main").get_by_role("button", name=button, exact=True).click()
    page.wait_for_load_state()
