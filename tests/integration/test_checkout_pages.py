"""The hand-over page over HTTP: whose it is, what it says of a look at the prices, and its signed link."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from aggregator.db.models import LiveCheckOfferRow, LiveCheckRow, StoreRow
from aggregator.db.session import Sessions
from tests.integration.conftest import Browser, ShopWindow
from web.pages.checkouts import GRANTED_COOKIE


@pytest.fixture
def address(browser: Browser, shop_window: ShopWindow) -> str:
    """A checkout of this browser's cart."""
    assert browser.post("/cart/lines", product=shop_window.kettle).status_code == 303
    answer = browser.post("/checkout")
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def end_check(sessions: Sessions, **found: object) -> None:
    """As a worker would have left it."""
    with sessions.begin() as session:
        session.execute(update(LiveCheckRow).values(state="done"))
        values = {"state": "same", "checked_at": datetime.now(UTC), **found}
        session.execute(update(LiveCheckOfferRow).values(**values))


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_the_page_waits_for_the_check_and_no_longer(
    browser: Browser, address: str, sessions: Sessions
) -> None:
    page = browser.page(address)
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert 'data-live="1" data-follow' in page
    assert "Asking the stores for their prices now" in page
    end_check(sessions)
    page = browser.page(address)
    assert "Every price and stock is as planned" in page
    assert "http-equiv" not in page
    assert "data-live" not in page


def test_a_changed_price_stands_beside_the_planned_one(
    browser: Browser, address: str, sessions: Sessions
) -> None:
    with sessions() as session:
        before = session.scalars(select(LiveCheckOfferRow.price_before)).one()
    end_check(sessions, state="changed", price=before + 3, price_currency="EUR")
    page = text_of(browser.page(address))
    assert f"€{before:,.2f} €{before + 3:,.2f} €3.00 more each" in page
    assert "The articles that are still there cost €3.00 more than planned." in page
    answer = browser.post(f"{address}/replan")
    assert answer.status_code == 303
    assert answer.headers["Location"] != address


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"state": "sold_out", "availability": "SoldOut"}, "Sold out"),
        ({"state": "sold_out"}, "No longer sold there"),
        ({"state": "changed", "price": Decimal("1.00"), "stock_level": 0}, "None left"),
        ({"state": "unverified", "problem": "cannot be reached: k=s3cret"}, "asked (it did not answer)."),
        ({"state": "unverified", "problem": "answered HTTP 502"}, "(it answered with an error, 502)."),
        ({"state": "unverified", "problem": "asks for patience (HTTP 429)"}, "(it is too busy)."),
        (
            {"state": "unverified", "problem": "robots.txt forbids it for us"},
            "(it does not let programs look).",
        ),
        ({"state": "unverified", "problem": "<b>odd</b>"}, "(its answer could not be read)."),
        ({"state": "doubtful", "price": Decimal("9999.00")}, "€9,999.00"),
        ({"state": "doubtful", "price": Decimal("10.00"), "price_currency": "USD"}, "$10.00"),
    ],
)
def test_whatever_was_found_is_said(
    browser: Browser, address: str, sessions: Sessions, found: dict[str, object], said: str
) -> None:
    end_check(sessions, **{"price_currency": "EUR", **found})
    assert said in browser.page(address)


def test_a_store_left_out_of_a_new_plan(browser: Browser, address: str, sessions: Sessions) -> None:
    end_check(sessions, state="unverified", problem="cannot be reached")
    page = browser.page(address)
    (left_out,) = re.findall(r'name="without" value="([^"]+)"', page)
    answer = browser.post(f"{address}/replan", without=left_out)
    again = browser.page(str(answer.headers["Location"]))
    with sessions() as session:
        name = session.scalars(select(StoreRow.name).where(StoreRow.public_id == left_out)).one()
    assert f"<h2>{name}</h2>" not in again


def test_what_was_said_long_ago_is_not_told_as_todays(
    browser: Browser, address: str, sessions: Sessions
) -> None:
    end_check(sessions)
    assert "Prices confirmed" in browser.page(address)
    with sessions.begin() as session:
        session.execute(update(LiveCheckRow).values(created_at=datetime.now(UTC) - timedelta(days=2)))
    page = browser.page(address)
    assert "Prices may have changed since they were looked at" in page
    assert "checked 2 days ago" in page
    assert "Prices confirmed" not in page
    with sessions.begin() as session:
        session.execute(delete(LiveCheckRow))
    assert "Prices may have changed since they were looked at" in browser.page(address)
    assert browser.post(f"{address}/check").headers["Location"] == address
    assert "Asking the stores for their prices now" in browser.page(address)


def test_another_browser_sees_a_checkout_by_its_signed_link_alone(
    app: Flask, browser: Browser, address: str
) -> None:
    link = re.findall(r'<code class="link-code"[^>]*>([^<]+)</code>', browser.page(address))[0]
    path = link.removeprefix("http://localhost")
    stranger = Browser(app)
    for way in ("", "/check", "/replan", "/steps/2222222222222222/open"):
        answer = stranger.get(address) if not way else stranger.post(address + way)
        assert answer.status_code == 404
    assert stranger.get(path[:-2] + "xx").status_code == 400
    assert stranger.get(path.replace(address, "/checkout/22222222222222")).status_code == 400
    answer = stranger.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, address)
    (cookie,) = [value for value in answer.headers.getlist("Set-Cookie") if GRANTED_COOKIE in value]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie

    assert stranger.get(address).status_code == 200
    (step,) = set(re.findall(r'id="step-([^"]+)"', stranger.page(address)))
    assert stranger.post(f"{address}/steps/{step}", state="bought").status_code == 303
    assert "Bought" in browser.page(address)
    # What it was not given stays closed to it.
    other = str(browser.post("/checkout").headers["Location"])
    assert stranger.get(other).status_code == 404
    stranger.client.set_cookie(GRANTED_COOKIE, "forged")
    assert stranger.get(address).status_code == 404


def test_stores_are_not_asked_on_and_on_through_this_site(browser: Browser, address: str) -> None:
    answers = {browser.post(f"{address}/check").status_code for _ in range(59)}
    assert answers == {303}
    for way in ("/check", "/replan"):
        assert browser.post(address + way).status_code == 429
    assert browser.post("/checkout").status_code == 429
    assert browser.get(address).status_code == 200
    # The API is no way around it.
    for way in ("", f"/{address.rsplit('/', 1)[1]}/check"):
        answer = browser.client.post(
            f"/api/v1/hand-offs{way}", headers={"X-CSRF-Token": browser.form_token()}
        )
        assert answer.status_code == 429


def test_affiliate_links_are_told_at_the_link(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    browser.post("/cart/lines", product=shop_window.kettle)
    plain = browser.page(str(browser.post("/checkout").headers["Location"]))
    assert "sponsored" not in plain
    with sessions.begin() as session:
        for store in session.scalars(select(StoreRow)):
            store.options = {**store.options, "affiliate_parameters": "tag=us-21"}
    page = browser.page(str(browser.post("/checkout").headers["Location"]))
    assert "Affiliate links: whoever runs this site may earn when you buy" in page
    links = dict(re.findall(r'<a [^>]*href="(https://[^"]+)"[^>]*rel="([^"]+)"', page))
    assert set(links.values()) == {"noopener noreferrer nofollow sponsored"}
    assert [link for link in links if "/fill/" in link and link.endswith("tag=us-21")]


def test_no_hand_off_link_can_be_fetched_ahead(browser: Browser, address: str) -> None:
    answer = browser.get(address)
    assert not re.search(r'rel="[^"]*(?:prefetch|preconnect|prerender|dns-prefetch)', answer.text)
    assert "speculationrules" not in answer.text
    assert "Link" not in answer.headers
