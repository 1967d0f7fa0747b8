"""Tokens of apps and programs: what they open, how they end, and what cannot be made up."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from aggregator.accounts.addresses import add_address, list_addresses
from aggregator.accounts.api_tokens import make_api_token
from aggregator.accounts.app_tokens import find_access_token, open_app_sign_in, refresh
from aggregator.accounts.bearer import find_bearer
from aggregator.accounts.sign_in import invite, set_password, use_sign_in_link
from aggregator.cli.secrets import secrets as secrets_command
from aggregator.db.models import (
    AccountAddressRow,
    AccountRow,
    ApiTokenRow,
    AppSignInRow,
    AuditEntryRow,
    RefreshTokenRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.errors import EnvironmentProblem, InvalidInput
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.postal_addresses import PostalAddress
from aggregator.secrets import PersonalSecrets, derived_key, forget_previous_keys, replace_key
from aggregator.settings import Settings
from tests.integration.conftest import Browser

PASSWORD = "a kettle on the moon"


def account_of(session: Session, role: str = "shopper") -> tuple[int, str]:
    email = f"{new_public_id()}@shop.example"
    use_sign_in_link(session, invite(session, email, role))  # type: ignore[arg-type]  # a role of the table
    account_id = session.scalars(select(AccountRow.id).where(AccountRow.email == email)).one()
    set_password(session, account_id, PASSWORD)
    return account_id, email


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def test_an_access_token_speaks_for_its_account_for_a_quarter_of_an_hour(
    session: Session, site_settings: Settings
) -> None:
    account_id, email = account_of(session, "operator")
    tokens = open_app_sign_in(session, site_settings, account_id, "Phone")
    found = find_bearer(session, site_settings, tokens.access_token)
    assert found is not None
    assert (found.account_id, found.email, found.roles) == (account_id, email, frozenset())
    assert "cart:write" in (found.scopes or ())
    claims = claims_of(tokens.access_token)
    assert claims["exp"] - claims["iat"] == tokens.expires_in == 900
    assert jwt.get_unverified_header(tokens.access_token) == {"alg": "HS256", "typ": "JWT"}


Forgery = Callable[[dict[str, Any], bytes, str], str]


def unsigned(claims: dict[str, Any], key: bytes, token: str) -> str:
    header = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    )
    return f"{header}.{token.split('.')[1]}."


def resigned_with_rsa(claims: dict[str, Any], key: bytes, token: str) -> str:
    return jwt.encode(claims, generate_private_key(65537, 2048), algorithm="RS256")


def with_other(**changes: Any) -> Forgery:
    return lambda claims, key, token: jwt.encode({**claims, **changes}, key, algorithm="HS256")


def without(name: str) -> Forgery:
    return lambda claims, key, token: jwt.encode(
        {claim: value for claim, value in claims.items() if claim != name}, key, algorithm="HS256"
    )


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        resigned_with_rsa,
        lambda claims, key, token: jwt.encode(claims, b"k" * 64, algorithm="HS256"),
        lambda claims, key, token: jwt.encode(claims, key * 2, algorithm="HS512"),
        lambda claims, key, token: jwt.encode(claims, key * 2, algorithm="HS384"),
        with_other(aud="another"),
        with_other(iss="https://evil.example"),
        with_other(exp=1),
        with_other(sub="nobody"),
        with_other(sid="nothing"),
        without("exp"),
        without("jti"),
        without("aud"),
        without("sid"),
        lambda claims, key, token: token[:-2],
        lambda claims, key, token: token + "\n",
        lambda claims, key, token: "",
        lambda claims, key, token: "x" * 10_000,
        lambda claims, key, token: "\ud800.\ud800.\ud800",
    ],
)
def test_a_forged_access_token_is_nobodys(session: Session, site_settings: Settings, forge: Forgery) -> None:
    account_id, _ = account_of(session)
    token = open_app_sign_in(session, site_settings, account_id, "Phone").access_token
    forged = forge(claims_of(token), derived_key(site_settings, "app tokens"), token)
    assert find_bearer(session, site_settings, forged) is None
    assert find_bearer(session, site_settings, token) is not None


def test_a_refresh_token_works_once_and_its_second_use_ends_the_sign_in(
    session: Session, site_settings: Settings
) -> None:
    account_id, _ = account_of(session)
    first = open_app_sign_in(session, site_settings, account_id, "Phone")
    second = refresh(session, site_settings, first.refresh_token)
    assert second is not None
    assert find_access_token(session, site_settings, first.access_token) is not None

    assert refresh(session, site_settings, first.refresh_token) is None

    for tokens in (first, second):
        assert refresh(session, site_settings, tokens.refresh_token) is None
        assert find_access_token(session, site_settings, tokens.access_token) is None
    actions = session.scalars(select(AuditEntryRow.action).order_by(AuditEntryRow.id)).all()
    assert actions[-1] == "account.refresh_token_reused"
    other = open_app_sign_in(session, site_settings, account_id, "Tablet")
    assert find_access_token(session, site_settings, other.access_token) is not None


def test_refresh_tokens_end_by_time_and_only_hashes_are_kept(
    session: Session, site_settings: Settings
) -> None:
    account_id, _ = account_of(session)
    tokens = open_app_sign_in(session, site_settings, account_id, "Phone")
    assert tokens.refresh_token.encode() not in session.scalars(select(RefreshTokenRow.token_hash)).all()
    session.execute(update(AppSignInRow).values(expires_at=datetime.now(UTC)))
    assert refresh(session, site_settings, tokens.refresh_token) is None
    assert refresh(session, site_settings, "made up") is None


def test_a_programs_token_may_what_it_names_until_it_ends(session: Session, site_settings: Settings) -> None:
    account_id, _ = account_of(session, "operator")
    token = make_api_token(session, account_id, "sheet", ["cart:write"], days=30)
    found = find_bearer(session, site_settings, token)
    assert found is not None
    assert (found.scopes, found.roles) == ({"cart:read", "cart:write"}, frozenset())
    ruling = find_bearer(
        session, site_settings, make_api_token(session, account_id, "rule", ["operate"], days=None)
    )
    assert ruling is not None
    assert ruling.roles == {"operator"}
    assert token.encode() not in session.scalars(select(ApiTokenRow.token_hash)).all()
    session.execute(update(ApiTokenRow).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert find_bearer(session, site_settings, token) is None
    for name, scopes, days in (
        ("", ["cart:read"], 1),
        ("x", [], 1),
        ("x", ["all"], 1),
        ("x", ["cart:read"], 0),
    ):
        with pytest.raises(InvalidInput):
            make_api_token(session, account_id, name, scopes, days=days)


# Over HTTP


def post(browser: Browser, path: str, document: object, **headers: str) -> TestResponse:
    return browser.client.post(f"/api/v1/auth/{path}", json=document, headers=headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_an_app_signs_in_refreshes_and_signs_out(browser: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        _account_id, email = account_of(session)
    wrong = post(browser, "token", {"email": email, "password": "wrong"})
    unknown = post(browser, "token", {"email": f"{new_public_id()}@x.example", "password": "wrong"})
    assert (wrong.status_code, wrong.content_type) == (401, "application/problem+json")
    assert wrong.get_json() == unknown.get_json()

    tokens = post(browser, "token", {"email": email, "password": PASSWORD, "device_name": "Phone"}).get_json()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
    me = browser.get("/api/v1/auth/me", headers=bearer(tokens["access_token"]))
    assert me.get_json()["email"] == email
    fresh = post(browser, "refresh", {"refresh_token": tokens["refresh_token"]}).get_json()
    assert post(browser, "refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401
    # The reuse is committed, though its answer is an error: all tokens of this sign-in are dead.
    assert post(browser, "refresh", {"refresh_token": fresh["refresh_token"]}).status_code == 401
    assert browser.get("/api/v1/auth/me", headers=bearer(fresh["access_token"])).status_code == 401

    again = post(browser, "token", {"email": email, "password": PASSWORD}).get_json()
    assert post(browser, "revoke", {"refresh_token": again["refresh_token"]}).status_code == 204
    assert post(browser, "revoke", {"refresh_token": "unknown"}).status_code == 204
    refused = browser.get("/api/v1/auth/me", headers=bearer(again["access_token"]))
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_body_that_cannot_be_used_is_a_problem_document(browser: Browser) -> None:
    for path in ("token", "refresh", "revoke", "verify/send", "verify/code"):
        for body in (b"", b"[]", b"{", b"{}", b'{"email": 1, "phone": 1}'):
            answer = browser.client.post(f"/api/v1/auth/{path}", data=body, content_type="application/json")
            assert (answer.status_code, answer.content_type) == (400, "application/problem+json"), (
                path,
                body,
            )


def test_a_token_without_the_scope_is_refused_and_a_bad_one_is_nobody_even_with_a_cookie(
    browser: Browser, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        account_id, _ = account_of(session)
        narrow = make_api_token(session, account_id, "narrow", ["cart:read"], days=1)
    refused = browser.get("/api/v1/auth/me", headers=bearer(narrow))
    assert refused.status_code == 403
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="account:read"'
    browser.sign_in(sessions, "shopper")
    assert browser.get("/api/v1/auth/me").status_code == 200
    assert browser.get("/api/v1/auth/me", headers=bearer("c2c_made-up")).status_code == 401
    assert browser.get("/account", headers=bearer(narrow)).status_code == 200, "pages know cookies only"


def test_pages_of_other_sites_may_not_write_over_the_api(browser: Browser) -> None:
    for headers, status in (
        ({}, 400),
        ({"Origin": "http://localhost"}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 400),
    ):
        assert post(browser, "token", {}, **headers).status_code == status, headers


# Keys


def test_everything_sealed_is_read_with_the_old_key_until_it_is_sealed_with_the_new_one(
    session: Session, site_settings: Settings
) -> None:
    account_id, _ = account_of(session)
    address = PostalAddress.read(
        name="Ada", street_address="Square 12", address_locality="London", address_country="gb"
    )
    add_address(session, site_settings, account_id, address)
    sealer = PersonalSecrets.from_settings(site_settings)
    index = sealer.index("+49170")

    replace_key(site_settings)

    assert [kept.address for kept in list_addresses(session, site_settings, account_id)] == [address]
    renewed = PersonalSecrets.from_settings(site_settings)
    assert renewed.indexes("+49170")[1] == index != renewed.index("+49170")
    with pytest.raises(EnvironmentProblem):
        sealer.open(renewed.seal("new"))
    forget_previous_keys(site_settings)
    with pytest.raises(EnvironmentProblem):
        list_addresses(session, site_settings, account_id)


def test_the_command_makes_a_new_key_and_seals_everything_with_it(
    sessions: Sessions, site_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = PostalAddress.read(
        name="Ada", street_address="Square 12", address_locality="London", address_country="GB"
    )
    with sessions.begin() as session:
        account_id, _ = account_of(session)
        add_address(session, site_settings, account_id, address)
        before = session.scalars(select(AccountAddressRow.content_sealed)).one()
    environment = {
        "DATABASE_URL": site_settings.database_url,
        "CLICK2CART_DATA_DIR": str(site_settings.data_dir),
    }
    result = CliRunner().invoke(secrets_command, ["rotate", "--forget", "--json"], env=environment)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["resealed"]["personal"] == 1
    with sessions() as session:
        assert session.scalars(select(AccountAddressRow.content_sealed)).one() != before
        assert list_addresses(session, site_settings, account_id)[0].address == address


def test_a_key_that_is_set_is_replaced_where_it_is_set(site_settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="CLICK2CART_PREVIOUS_SECRET_KEYS"):
        replace_key(replace(site_settings, secret_key="k" * 32))
    old = PersonalSecrets.from_settings(replace(site_settings, secret_key="k" * 32))
    both = replace(site_settings, secret_key="j" * 32, previous_secret_keys=("k" * 32,))
    assert PersonalSecrets.from_settings(both).open(old.seal("ö")) == "ö"
