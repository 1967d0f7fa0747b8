"""Guards: Host, headers, sign-in, roles, errors, readiness."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import sessionmaker

from aggregator.accounts.sign_in import invite, set_password
from aggregator.db.models import AccountRow, AuditEntryRow, CartRow, StoreRow
from aggregator.db.session import Sessions, engine_for
from aggregator.settings import Settings
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.test_web_pages import product_address, words
from web import create_app
from web.db import current_session
from web.permissions import needs

PASSWORD = "a kettle on the moon"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:5000", "", "a b", "@"]
)
def test_a_name_that_is_not_ours_is_refused_without_a_page(browser: Browser, host: str) -> None:
    answer = browser.client.get("/", headers={"Host": host})
    assert (answer.status_code, answer.mimetype) == (400, "text/plain")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:5000", "127.0.0.1:81", "[::1]:5000", "shop.example:8443"]
)
def test_loopback_and_configured_names_are_answered_on_any_port(
    site_settings: Settings, sessions: Sessions, host: str
) -> None:
    app = create_app(replace(site_settings, allowed_hosts=frozenset({"shop.example"})), sessions)
    assert app.test_client().get("/healthz", headers={"Host": host}).status_code == 200


def test_no_page_needs_inline_scripts_or_styles(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser.sign_in(sessions, "operator")
    browser.post("/cart/lines", product=shop_window.mug)
    checkout = str(browser.post("/checkout").headers["Location"])
    product = product_address(browser, shop_window.kettle)
    for address in ("/", "/search", product, "/cart", checkout, "/stores", "/account", "/operations", "/operations/add",
                    "/operations/stores/north", "/nowhere"):  # fmt: skip
        answer = browser.get(address)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=", answer.text), address
        assert not re.search(r"<script(?! type=.application/ld\+json)(?![^>]*\ssrc=)", answer.text), address
        assert "<style" not in answer.text


def test_cookies_are_secure_behind_tls(site_settings: Settings, sessions: Sessions) -> None:
    app = create_app(replace(site_settings, secure_cookies=True), sessions)
    answer = app.test_client().get("/login", base_url="https://localhost")
    assert all("Secure" in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_sign_in_link_is_used_by_its_button_once(browser: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        token = invite(session, "ada@example.org", "operator")
    assert "Sign in here" in browser.page(f"/login/link/{token}")
    answer = browser.post(f"/login/link/{token}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/operations")
    cookie = next(
        one for one in answer.headers.getlist("Set-Cookie") if one.startswith("click2cart_account=")
    )
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert browser.get("/operations").status_code == 200
    spent = browser.post(f"/login/link/{token}")
    assert spent.status_code == 410
    assert "This link is spent" in spent.text


def test_a_password_signs_in_and_a_wrong_one_shows_the_form_again(
    browser: Browser, sessions: Sessions, app: Flask
) -> None:
    browser.sign_in(sessions, "operator")
    assert browser.post("/account/password", password="short").status_code == 400
    assert browser.post("/account/password", password=PASSWORD).status_code == 303
    other = Browser(app)
    refused = other.post("/login", email="ada@example.org", password="wrong " + PASSWORD)
    assert refused.status_code == 401
    assert "do not belong together" in refused.text
    accepted = other.post("/login", email="ada@example.org", password=PASSWORD, next="/operations/stores/x")
    assert (accepted.status_code, accepted.headers["Location"]) == (303, "/operations/stores/x")
    assert other.post("/logout").status_code == 303
    assert other.get("/operations").headers["Location"] == "/login?next=/operations"


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_never_leads_to_another_site(browser: Browser, sessions: Sessions, address: str) -> None:
    with sessions.begin() as session:
        invite(session, "ada@example.org", "shopper")
        account = session.scalars(select(AccountRow)).one()
        set_password(session, account.id, PASSWORD)
        account.activated_at = account.created_at
    answer = browser.post("/login", email="ada@example.org", password=PASSWORD, next=address)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_too_many_tries_are_told_when_to_come_back(browser: Browser, sessions: Sessions) -> None:
    answers = [
        browser.post("/login", email="ada@example.org", password="no").status_code for _try in range(10)
    ]
    assert answers == [401] * 10
    answer = browser.post("/login", email="ada@example.org", password="no")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900


def test_operations_are_closed_to_strangers_and_shoppers(browser: Browser, sessions: Sessions) -> None:
    assert browser.get("/operations").headers["Location"] == "/login?next=/operations"
    assert browser.post("/operations/stores/north/crawl").status_code == 403
    browser.sign_in(sessions, "shopper")
    answer = browser.get("/operations")
    assert answer.status_code == 403
    assert "These pages are for operators" in answer.text
    assert "Operations</a>" not in browser.page("/")


def test_crawl_now_makes_the_store_due_and_is_audited(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser.sign_in(sessions, "operator")
    answer = browser.post("/operations/stores/north/crawl", next="/operations/stores/north")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/operations/stores/north")
    assert "A worker begins within seconds" in browser.page("/operations/stores/north")
    with sessions() as session:
        assert session.scalars(select(StoreRow.slug).where(StoreRow.next_crawl_at.is_not(None))).all() == [
            "north"
        ]
        assert "crawl_requested" in session.scalars(select(AuditEntryRow.action)).all()
    assert browser.post("/operations/stores/nowhere/crawl").status_code == 404


def test_operations_count_the_catalogue(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser.sign_in(sessions, "operator")
    text = words(browser.page("/operations"))
    assert "Offers 6 Products 3 At several stores 2" in text
    assert "North plugged" in text
    assert "Never read 2" in text


def test_errors_say_what_happened_in_the_askers_form(browser: Browser) -> None:
    page = browser.get("/nowhere")
    assert page.status_code == 404
    assert "Nothing is here" in page.text
    document = browser.get("/api/v1/nowhere")
    assert (document.status_code, document.mimetype) == (404, "application/problem+json")
    refused = browser.get("/cart/lines")
    assert refused.status_code == 405
    assert "POST" in refused.headers["Allow"]
    assert browser.get("/stores/%00").status_code == 400
    assert browser.get("/search?q=%00").status_code == 400
    assert browser.get("/search?cursor=made-up").status_code == 400
    for address in ("/products/-", "/products/%20", "/products/ÄÖ-x", "/stores/none", "/checkout/none"):
        assert browser.get(address).status_code == 404, address


def test_an_unexpected_error_hides_its_words_and_leaves_no_trace(
    app: Flask, browser: Browser, sessions: Sessions
) -> None:
    @app.get("/broken")
    @needs("anyone")
    def broken() -> str:
        session = current_session()
        session.add(CartRow(token_hash=b"half done", updated_at=session.scalar(select(CartRow.updated_at))))
        raise RuntimeError("the secret of the kettle")

    answer = browser.get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Something went wrong on our side" in answer.text
    with sessions() as session:
        assert session.scalars(select(CartRow.id)).all() == []


def test_a_database_that_is_away_is_one_clear_page(app: Flask, browser: Browser) -> None:
    @app.get("/away")
    @needs("anyone")
    def away() -> str:
        raise OperationalError("select 1", {}, Exception("connection to 10.1.2.3 refused"))

    answer = browser.get("/away")
    assert answer.status_code == 503
    assert "10.1.2.3" not in answer.text
    assert "out of order for a moment" in answer.text


def test_readiness_asks_the_database_and_health_does_not(browser: Browser, site_settings: Settings) -> None:
    assert browser.get("/healthz").get_json() == {"status": "ok"}
    assert browser.get("/readyz").get_json() == {"status": "ok"}
    engine = engine_for("postgresql://nobody@127.0.0.1:1/nothing")
    without_database = create_app(site_settings, sessionmaker(engine)).test_client()
    assert without_database.get("/healthz").status_code == 200
    answer = without_database.get("/readyz")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert without_database.get("/").status_code == 503


def test_robots_stay_out_of_carts_and_searches(browser: Browser) -> None:
    text = browser.page("/robots.txt")
    assert "Disallow: /cart" in text
    assert "Disallow: /products" not in text


@pytest.mark.parametrize("address", ["/cart/", "/search/", "/stores/", "/login/", "/api/v1/products/"])
def test_a_slash_too_many_is_no_dead_end(browser: Browser, shop_window: object, address: str) -> None:
    assert browser.get(address).status_code == 200


def test_signing_out_by_address_leads_to_the_button(browser: Browser, sessions: Sessions) -> None:
    assert browser.get("/logout").headers["Location"] == "/"
    browser.sign_in(sessions, "shopper")
    assert browser.get("/logout").headers["Location"] == "/account"
    assert "Sign out" in browser.page("/account")
