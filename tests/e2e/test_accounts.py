"""An account in a real browser: registration by mail, its one cart, recovery, codes, passkeys, deletion."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import text

from aggregator.accounts.privacy import delete_due_accounts
from aggregator.domain.identifiers import new_public_id
from tests.e2e.conftest import Site
from tests.e2e.people import PASSWORD, SCREENS, enter_code, mailed_link, register, sign_in

SECOND_PASSWORD = "a moon over the kettle"
OTHER_PASSWORD = "three spoons in a drawer"


@pytest.fixture(params=["desktop", pytest.param("phone", marks=pytest.mark.prove), "without script"])
def person(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A new visitor, on a desktop, on a phone, and on a phone without scripts."""
    screen = SCREENS.get(request.param, SCREENS["phone"])
    has_script = request.param != "without script"
    context = browser.new_context(viewport=screen, locale="en-GB", java_script_enabled=has_script)
    yield context
    context.close()


def two_products(site: Site) -> list[str]:
    with site.sessions() as session:
        found = session.execute(
            text("select public_id from products where is_available and store_count > 1 order by id limit 2")
        )
        return [row.public_id for row in found]


def add_to_cart(page: Page, demo: str, product: str) -> None:
    page.goto(f"{demo}/products/{product}")
    page.get_by_role("button", name="Add to cart").first.click()
    expect(page.get_by_role("status").filter(has_text="It is in your cart.")).to_be_visible()


def add_to_wishlist(page: Page, demo: str, product: str) -> None:
    page.goto(f"{demo}/products/{product}")
    page.get_by_role("button", name="To the wishlist").click()
    expect(page.get_by_role("status").filter(has_text="It is on your wishlist.")).to_be_visible()


def wishes(page: Page, demo: str) -> set[str]:
    page.goto(f"{demo}/wishlist")
    return {(row.get_attribute("id") or "").removeprefix("p-") for row in page.locator("li.wish").all()}


def pieces(page: Page, demo: str) -> int:
    # The head of every page tells; this one has little else to do.
    page.goto(f"{demo}/ranking")
    count = page.locator(".nav-cart .count")
    return int(count.inner_text()) if count.count() else 0


def test_the_life_of_an_account(
    person: BrowserContext, browser: Browser, site: Site, demo: str, tmp_path: Path
) -> None:
    page, address = person.new_page(), f"{new_public_id()}@shop.example"
    first, second = two_products(site)

    # A guest shops and wishes, signs up, and all of it comes along.
    add_to_cart(page, demo, first)
    add_to_wishlist(page, demo, first)
    register(page, demo, address)
    assert pieces(page, demo) == 1
    assert wishes(page, demo) == {first}

    # On another device: what a guest gathered there goes into the account when they sign in, once.
    elsewhere = browser.new_context(viewport=SCREENS["desktop"], locale="en-GB")
    other = elsewhere.new_page()
    add_to_cart(other, demo, first)
    add_to_cart(other, demo, second)
    add_to_wishlist(other, demo, first)
    add_to_wishlist(other, demo, second)
    as_guest = [cookie for cookie in elsewhere.cookies() if cookie["name"] == "click2cart_cart"]
    for _again in range(2):
        sign_in(other, demo, address, PASSWORD)
        assert pieces(other, demo) == 3
        assert wishes(other, demo) == {first, second}
        other.get_by_role("button", name="Sign out").click()
        # Signed out, the browser holds nothing of it; not even its old cookie brings anything back.
        assert pieces(other, demo) == 0
        elsewhere.add_cookies(as_guest)  # type: ignore[arg-type]  # what cookies() gave is what it takes
    assert pieces(page, demo) == 3
    assert wishes(page, demo) == {first, second}

    # A phone number, proved by a code from the inbox, signs in.
    number = "+4915" + re.sub(r"\D", "7", address[:9]).ljust(9, "3")
    page.goto(f"{demo}/account/security")
    page.get_by_label("Phone number").fill(number)
    page.locator("#phone-present").fill(PASSWORD)
    page.get_by_role("button", name="Send a code").click()
    enter_code(page, demo, number, "Confirm")
    expect(page.get_by_text("Your phone number is confirmed")).to_be_visible()

    # A token for a program, shown once, speaks for the account.
    page.get_by_text("Make a token").click()
    page.get_by_label("Name", exact=True).fill("my spreadsheet")
    page.get_by_label("account:read").check()
    page.locator("#token-present").fill(PASSWORD)
    page.get_by_role("button", name="Make token").click()
    token = page.locator("code.key").inner_text().split()[0]
    me = person.request.get(f"{demo}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["email"] == address
    page.get_by_role("link", name="I kept it").click()
    expect(page.get_by_text("my spreadsheet").first).to_be_visible()

    # The address and the password are changed; the other device is signed out by that.
    sign_in(other, demo, address, PASSWORD)
    page.goto(f"{demo}/account")
    new_address = f"new-{address}"
    page.get_by_label("New mail address").fill(new_address)
    page.get_by_label("Your present password").fill(PASSWORD)
    page.get_by_role("button", name="Send a link there").click()
    page.goto(mailed_link(page, demo, new_address, "/account/mail"))
    page.get_by_role("main").get_by_role("button", name="Confirm").click()
    expect(page.get_by_text(f"Your mail address is now {new_address}.")).to_be_visible()
    page.goto(f"{demo}/account/security")
    page.locator("#password-present").fill(PASSWORD)
    page.get_by_label("New password").fill(SECOND_PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("Your password is set.")).to_be_visible()
    other.goto(f"{demo}/account")
    expect(other.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    sign_in(other, demo, new_address, SECOND_PASSWORD)
    address = new_address

    # Signed out everywhere, also on the other device.
    page.goto(f"{demo}/account/security")
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    other.goto(f"{demo}/account")
    expect(other.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    elsewhere.close()
    page.get_by_role("link", name="Code by SMS").click()
    page.get_by_label("Phone number").fill(number)
    page.get_by_role("button", name="Send me a code").click()
    enter_code(page, demo, number, "Sign in")
    page.goto(f"{demo}/account")
    expect(page.get_by_text(address).first).to_be_visible()

    # The password is forgotten and set anew.
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.goto(f"{demo}/login")
    page.get_by_role("link", name="Forgot the password?").click()
    page.get_by_label("Mail address").fill(address)
    page.get_by_role("button", name="Send me a link").click()
    page.goto(mailed_link(page, demo, address, "/recover"))
    page.get_by_label("New password").fill(OTHER_PASSWORD)
    page.get_by_role("button", name="Set password and sign in").click()
    assert pieces(page, demo) == 3

    # Everything as a file, then gone, unless they come back within thirty days.
    page.goto(f"{demo}/account/data")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export everything").click()
    saved = tmp_path / "account.json"
    download.value.save_as(saved)
    document = json.loads(saved.read_text())
    assert document["account"]["phone"] == number
    assert sum(line["quantity"] for line in document["carts"][0]["lines"]) == 3
    page.get_by_label("Your present password").fill(OTHER_PASSWORD)
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_text("Your account will be deleted on")).to_be_visible()
    sign_in(page, demo, address, OTHER_PASSWORD)
    page.get_by_role("button", name="Keep my account").click()
    expect(page.get_by_text("Your account stays.")).to_be_visible()
    page.goto(f"{demo}/account/data")
    page.get_by_label("Your present password").fill(OTHER_PASSWORD)
    page.get_by_role("button", name="Delete my account").click()
    now = datetime.now(UTC)
    for days, gone in ((29, 0), (31, 1)):
        with site.sessions.begin() as session:
            assert delete_due_accounts(session, now=now + timedelta(days=days)) == gone
    sign_in(page, demo, address, OTHER_PASSWORD)
    expect(page.get_by_text("This address and password do not belong together.")).to_be_visible()


def test_a_passkey_signs_in(browser: Browser, demo: str) -> None:
    context = browser.new_context(viewport=SCREENS["desktop"], locale="en-GB")
    page, address = context.new_page(), f"{new_public_id()}@shop.example"
    tools = context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    authenticator = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": authenticator})
    register(page, demo, address)
    page.goto(f"{demo}/account/security")
    page.locator("#passkey-present").fill(PASSWORD)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("The passkey is kept.")).to_be_visible()
    page.get_by_role("button", name="Sign out everywhere").click()

    page.get_by_role("button", name="Passkey").click()
    page.wait_for_url(f"{demo}/")

    page.goto(f"{demo}/account/security")
    page.get_by_role("button", name="Remove Chrome on Linux").click()
    expect(page.get_by_text("The passkey works no more.")).to_be_visible()
    context.close()


@pytest.mark.parametrize("screen", SCREENS)
def test_the_accounts_pages_are_accessible_and_fit(browser: Browser, demo: str, screen: str) -> None:
    context = browser.new_context(viewport=SCREENS[screen], locale="en-GB")
    page, address = context.new_page(), f"{new_public_id()}@shop.example"
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    for path in ("/login", "/register", "/recover", "/login/phone", "/inbox"):
        problems += faults(page, demo + path)
    register(page, demo, address)
    for path in ("/account", "/account/addresses", "/account/security", "/account/data"):
        problems += faults(page, demo + path)
    assert problems == []
    context.close()


def faults(page: Page, url: str) -> list[str]:
    """What WCAG 2.2 AA finds wrong, and whether the page is wider than the screen."""
    page.goto(url)
    options = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}
    found = [
        f"{url}: {one['id']} {one['nodes'][0]['html']}"
        for one in Axe().run(page, options=options).response["violations"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{url}: wider than the screen")
    return found
