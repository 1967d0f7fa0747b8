"""The API keeps its OpenAPI document's word, whoever asks and whatever is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import select

from aggregator.accounts.api_tokens import make_api_token
from aggregator.accounts.roles import Role
from aggregator.accounts.scopes import SCOPES
from aggregator.accounts.sign_in import invite, set_password, use_sign_in_link
from aggregator.db.models import AccountRow, RepeatedRequestRow
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.integration.conftest import Browser, ShopWindow
from web import create_app
from web.context import CART_COOKIE

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
# Role and scopes; a guest has neither.
CALLERS: Mapping[str, tuple[Role, tuple[str, ...]] | None] = {
    "guest": None,
    "shopper": ("shopper", tuple(scope for scope in SCOPES if scope != "operate")),
    "operator": ("operator", SCOPES),
    "scoped": ("shopper", ("cart:read",)),
}


@pytest.fixture
def api(site_settings: Settings, sessions: Sessions) -> Flask:
    return create_app(replace(site_settings, api_requests=1_000_000), sessions)


@pytest.mark.parametrize("caller", CALLERS)
def test_no_answer_breaks_the_contract(
    api: Flask, sessions: Sessions, shop_window: ShopWindow, caller: str
) -> None:
    hold_to_the_contract(api, headers_of(sessions, caller), examples=4)


@pytest.mark.prove
@pytest.mark.parametrize("caller", CALLERS)
def test_no_answer_breaks_the_contract_however_often(
    api: Flask, sessions: Sessions, shop_window: ShopWindow, caller: str
) -> None:
    hold_to_the_contract(api, headers_of(sessions, caller), examples=150)


def headers_of(sessions: Sessions, caller: str) -> dict[str, str]:
    known = CALLERS[caller]
    if known is None:
        return {}
    role, scopes = known
    with sessions.begin() as session:
        invite(session, "ada@example.org", role)
        account = session.scalars(select(AccountRow.id)).one()
        token = make_api_token(session, account, "test", scopes, days=1)
    return {"Authorization": f"Bearer {token}"}


def hold_to_the_contract(api: Flask, headers: dict[str, str], *, examples: int) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", api)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found

        @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
        @given(case=found.ok().as_strategy())
        def hold(case: Case[Any]) -> None:
            case.call_and_validate(headers=headers, checks=list(CHECKS))

        hold()


def test_every_resource_is_described(api: Flask) -> None:
    described = set(api.test_client().get("/api/v1/openapi.json").get_json()["paths"])
    served = {
        rule.rule.replace("<", "{").replace(">", "}")
        for rule in api.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
    }
    assert served - described == {"/api/v1/openapi.json"}


def test_the_document_is_openapi(api: Flask) -> None:
    document = api.test_client().get("/api/v1/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()


def test_a_request_that_is_sent_again_with_its_key_changes_nothing_twice(
    browser: Browser, shop_window: ShopWindow
) -> None:
    put = {"product_id": shop_window.kettle, "quantity": 2}
    browser.client.post("/api/v1/cart/items", json=put)
    key = {"Idempotency-Key": "a1"}
    first = browser.client.post("/api/v1/cart/items", json=put, headers=key)
    again = browser.client.post("/api/v1/cart/items", json=put, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.get_json() == again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert browser.get("/api/v1/cart").get_json()["unit_count"] == 4
    assert again.headers["ETag"] == first.headers["ETag"]
    other = browser.client.post("/api/v1/cart/items", json={**put, "quantity": 3}, headers=key)
    assert other.status_code == 422
    assert other.content_type == "application/problem+json"


def test_a_key_that_came_with_a_forgotten_cart_belongs_to_the_cart_that_was_made(
    browser: Browser, shop_window: ShopWindow
) -> None:
    browser.client.set_cookie(CART_COOKIE, "of a cart that was deleted")
    put, key = {"product_id": shop_window.kettle}, {"Idempotency-Key": "a1"}
    first = browser.client.post("/api/v1/cart/items", json=put, headers=key)
    again = browser.client.post("/api/v1/cart/items", json=put, headers=key)
    assert (first.get_json(), again.headers["Idempotency-Replayed"]) == (again.get_json(), "true")
    assert browser.get("/api/v1/cart").get_json()["unit_count"] == 1


def test_tokens_are_kept_under_no_key(browser: Browser, sessions: Sessions, shop_window: ShopWindow) -> None:
    browser.client.post("/api/v1/cart/items", json={"product_id": shop_window.kettle})
    with sessions.begin() as session:
        use_sign_in_link(session, invite(session, "ada@example.org", "shopper"))
        account = session.scalars(select(AccountRow.id)).one()
        set_password(session, account, "a kettle on the moon")
    signing_in = {"email": "ada@example.org", "password": "a kettle on the moon"}
    answers = [
        browser.client.post("/api/v1/auth/token", json=signing_in, headers={"Idempotency-Key": "a1"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].get_json()["refresh_token"] != answers[1].get_json()["refresh_token"]
    with sessions() as session:
        assert session.scalars(select(RepeatedRequestRow.name)).all() == []


def test_a_cart_is_changed_only_as_it_was_seen(browser: Browser, shop_window: ShopWindow) -> None:
    put = {"product_id": shop_window.kettle, "quantity": 2}
    browser.client.post("/api/v1/cart/items", json=put)
    seen = browser.get("/api/v1/cart")
    (item,) = seen.get_json()["items"]
    address, match = f"/api/v1/cart/items/{item['id']}", {"If-Match": seen.headers["ETag"]}
    assert browser.client.put(address, json={"quantity": 5}, headers=match).status_code == 200
    late = browser.client.put(address, json={"quantity": 7}, headers=match)
    assert late.status_code == 412
    assert browser.get("/api/v1/cart").get_json()["unit_count"] == 5
    unchanged = browser.get(
        "/api/v1/cart", headers={"If-None-Match": browser.get("/api/v1/cart").headers["ETag"]}
    )
    assert unchanged.status_code == 304
    # What keeps no versions promises none.
    unversioned = browser.client.post("/api/v1/wishlists", json={"name": "Mine"}, headers=match)
    assert unversioned.status_code == 412


def test_what_was_gathered_elsewhere_goes_in_together_or_not_at_all(
    app: Flask, browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    kettle, mug = shop_window.kettle, shop_window.mug
    item = {"product_id": kettle}
    guest = Browser(app)
    guest.client.post("/api/v1/cart/items", json={"product_id": mug, "quantity": 2})
    guest.client.post("/api/v1/wishlist", json=item)
    browser.sign_in(sessions, "shopper")
    browser.client.post("/api/v1/wishlist", json={"product_ids": [kettle, mug]})
    cookie = guest.client.get_cookie(CART_COOKIE)
    assert cookie
    browser.client.set_cookie(CART_COOKIE, cookie.value)
    for refused, status in (
        ([item, {"product_id": "22222222222222"}], 404),
        ([item] * 1_000, 400),
        ([item] * 1_001, 400),
        ([{**item, "quantity": 998}, item, item], 400),
    ):
        answer = browser.client.post("/api/v1/cart/merge", json={"items": refused})
        assert answer.status_code == status
        assert browser.get("/api/v1/cart").get_json()["unit_count"] == 0
    body, key = {"items": [item] * 999 + [{"product_id": mug}]}, {"Idempotency-Key": "m1"}
    for _ in range(2):
        merged = browser.client.post("/api/v1/cart/merge", json=body, headers=key).get_json()
        assert {one["product"]["id"]: one["quantity"] for one in merged["items"]} == {kettle: 999, mug: 3}
    (wishlist,) = browser.get("/api/v1/wishlists").get_json()["items"]
    assert {wish["product"]["id"] for wish in wishlist["items"]} == {kettle, mug}
    assert browser.client.post("/api/v1/cart/merge", json={"items": []}).get_json() == merged


def test_no_json_however_odd_is_more_than_a_wrong_request(browser: Browser) -> None:
    for body in (
        r'{"name": "\u0000"}',
        r'{"name": "\ud800"}',
        "[" * 900 + "]" * 900,
        "9" * 5_000,
        '{"name": NaN}',
    ):
        answer = browser.client.post("/api/v1/wishlists", data=body, content_type="application/json")
        assert (answer.status_code, answer.content_type) == (400, "application/problem+json"), body[:20]


def test_other_sites_pages_use_the_api_only_where_they_are_named_and_only_by_token(
    site_settings: Settings, sessions: Sessions, shop_window: ShopWindow
) -> None:
    named = "https://app.example"
    client = create_app(replace(site_settings, api_origins=frozenset({named})), sessions).test_client()
    read = client.get("/api/v1/products", headers={"Origin": named})
    assert read.headers["Access-Control-Allow-Origin"] == named
    assert "Access-Control-Allow-Credentials" not in read.headers
    stranger = client.get("/api/v1/products", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers
    asked = {"Origin": named, "Access-Control-Request-Method": "POST"}
    assert client.options("/api/v1/cart/items", headers=asked).status_code == 204
    put = {"product_id": shop_window.kettle}
    for claimed in ({}, {"Authorization": "Basic eA=="}):
        from_there = {"Origin": named, **claimed}
        assert client.post("/api/v1/cart/items", json=put, headers=from_there).status_code == 403


def test_requests_are_counted(site_settings: Settings, sessions: Sessions) -> None:
    client = create_app(replace(site_settings, api_requests=2), sessions).test_client()
    first = client.get("/api/v1/stores")
    assert first.headers["RateLimit-Policy"] == '"api";q=2;w=60'
    assert first.headers["RateLimit"].startswith('"api";r=1;t=')
    client.get("/api/v1/stores")
    refused = client.get("/api/v1/stores")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 60
    assert refused.content_type == "application/problem+json"
    assert refused.headers["RateLimit"] == f'"api";r=0;t={refused.headers["Retry-After"]}'


def test_who_guesses_tokens_is_counted_too(site_settings: Settings, sessions: Sessions) -> None:
    client = create_app(replace(site_settings, api_requests=2), sessions).test_client()
    guessed = {"Authorization": "Bearer c2c_guessed"}
    answers = [client.get("/api/v1/auth/me", headers=guessed).status_code for _ in range(3)]
    assert answers == [401, 401, 429]
