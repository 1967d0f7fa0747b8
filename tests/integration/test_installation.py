"""The site as an application: what browsers are told, and which answers they may keep."""

from __future__ import annotations

import json
import re

from flask import Flask

from aggregator.db.session import Sessions
from tests.integration.conftest import Browser, ShopWindow


def test_the_manifest_names_icons_that_are_there(browser: Browser) -> None:
    answer = browser.get("/manifest.webmanifest")
    assert answer.mimetype == "application/manifest+json"
    manifest = json.loads(answer.text)
    assert manifest["start_url"] == manifest["scope"] == "/"
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        with browser.get(icon["src"]) as found:
            picture = found.data
        assert picture.startswith(b"\x89PNG")
        width, height = (int.from_bytes(picture[at : at + 4]) for at in (16, 20))
        assert icon["sizes"] == f"{width}x{height}"


def test_the_worker_keeps_files_that_are_there_and_may_run(browser: Browser) -> None:
    answer = browser.get("/service-worker.js")
    assert answer.mimetype == "text/javascript"
    assert "worker-src 'self'; manifest-src 'self'" in answer.headers["Content-Security-Policy"]
    found = re.match(r"const INSTALLED = (.+);\n", answer.text)
    assert found
    installed = json.loads(found[1])
    for address in (*installed["files"], installed["offline"]):
        with browser.get(address) as kept:
            assert kept.status_code == 200, address


def test_only_seen_pages_that_set_no_cookie_may_be_kept(
    app: Flask, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser = Browser(app)
    address = browser.get(f"/products/{shop_window.kettle}").headers["Location"]
    first = browser.get(address)
    assert "Set-Cookie" in first.headers
    assert "Offline-Copy" not in first.headers
    for path in (address, "/", "/cart", "/wishlist"):
        assert browser.get(path).headers.get("Offline-Copy") == "keep", path
    browser.sign_in(sessions, "admin")
    browser.page("/")  # says who is signed in, once
    kept = {
        path
        for path in (
            "/", "/account", "/account/security", "/alerts", "/operations/", "/operations/stores", "/login",
            "/purchases", "/search?q=kettle", "/offline", "/api/v1/cart",
            "/manifest.webmanifest", "/service-worker.js", "/cart/none",
        )
        if "Offline-Copy" in browser.get(path).headers
    }  # fmt: skip
    assert kept == {"/"}
    browser.post("/cart/lines", product=shop_window.kettle)
    told = browser.get("/cart")
    assert "Set-Cookie" in told.headers  # a message is shown once
    assert "Offline-Copy" not in told.headers


def test_a_guests_first_change_is_done_once(app: Flask, shop_window: ShopWindow) -> None:
    client = app.test_client()
    key = {"Idempotency-Key": "first"}
    body = {"items": [{"product_id": shop_window.kettle, "quantity": 2}]}
    assert client.post("/api/v1/cart/merge", json=body, headers=key).json["unit_count"] == 2  # type: ignore[index]  # a JSON object
    again = client.post("/api/v1/cart/merge", json=body, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.get("/api/v1/cart").json["unit_count"] == 2  # type: ignore[index]  # a JSON object
    assert again.json["unit_count"] == 2  # type: ignore[index]  # a JSON object
