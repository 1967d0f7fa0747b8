"""Every route and every role: who is let in is what is declared, and what declares nothing is closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from aggregator.accounts.roles import PERMISSIONS, ROLES, Role
from aggregator.db.session import Sessions
from tests.integration.conftest import Browser
from web.permissions import declared_audience, is_declared
from web.security import SIGNED_LINKS

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REACHED = "the view was reached"


def routes_of(app: Flask) -> list[tuple[str, str, str, str | None]]:
    """(method, address, endpoint, audience) of every route, its arguments filled with what fits them."""
    found = []
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            fitting = {
                name: {"IntegerConverter": 1, "AnyConverter": "recover"}.get(
                    type(converter).__name__, "nothing"
                )
                for name, converter in rule._converters.items()
            }
            address = adapter.build(rule.endpoint, fitting, method=sorted(rule.methods or ())[0])
            audience = declared_audience(rule.endpoint)
            found += [
                (method, address, rule.endpoint, audience)
                for method in METHODS
                if method in (rule.methods or ())
            ]
    return sorted(found)


@pytest.fixture
def gates(app: Flask) -> Flask:
    """The site with nothing behind its gates: whoever is let in reads that the view was reached."""

    def reached(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def say_so(**_arguments: object) -> str:
            return REACHED

        return say_so

    for endpoint, view in app.view_functions.items():
        # What a browser needs to sign in and to get its form token stays.
        if endpoint not in {"accounts.link_form", "accounts.sign_in_with_link", "static"}:
            app.view_functions[endpoint] = reached(view)
    # A refusal's page would be most of the work.
    app.register_error_handler(HTTPException, lambda error: Response(status=error.code))
    return app


def test_every_route_declares_whom_it_is_for(app: Flask) -> None:
    routes = routes_of(app)
    assert len(routes) > 100
    assert {endpoint: audience for _, _, endpoint, audience in routes if not is_declared(audience)} == {}


@pytest.mark.parametrize("role", ["guest", *ROLES])
def test_every_route_lets_in_whom_it_is_for_and_nobody_else(
    gates: Flask, sessions: Sessions, role: Role | str
) -> None:
    browser = Browser(gates)
    if role != "guest":
        browser.sign_in(sessions, role)  # type: ignore[arg-type]  # every one of them but the guest is a role
    token = browser.form_token()
    wrong = {}
    for method, address, endpoint, audience in routes_of(gates):
        if endpoint in {"accounts.link_form", "accounts.sign_in_with_link", "static"}:
            continue
        answer = browser.client.open(address, method=method, headers={"X-CSRFToken": token})
        is_let_in = answer.text == REACHED
        if audience == "anyone":
            is_right = is_let_in
        elif audience == "account":
            is_right = is_let_in == (role != "guest")
        else:
            is_right = is_let_in == (role in PERMISSIONS[audience])  # type: ignore[index]  # tested above
        if not is_right or (not is_let_in and answer.status_code not in {303, 401, 403}):
            wrong[f"{method} {address}"] = answer.status_code
    assert wrong == {}


@pytest.mark.parametrize("method", METHODS)
def test_a_route_that_declares_nothing_is_closed_to_everybody(
    app: Flask, sessions: Sessions, method: str
) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: REACHED, methods=METHODS)
    browser = Browser(app)
    browser.sign_in(sessions, "admin")
    answer = browser.client.open("/forgotten", method=method, headers={"X-CSRFToken": browser.form_token()})
    assert answer.status_code == 403


def test_no_page_changes_anything_without_its_form_token(gates: Flask, sessions: Sessions) -> None:
    browser = Browser(gates)
    browser.sign_in(sessions, "admin")
    unguarded = [
        f"{method} {address}"
        for method, address, endpoint, _audience in routes_of(gates)
        if method != "GET"
        and endpoint not in SIGNED_LINKS
        and not address.startswith("/api/")
        and browser.client.open(address, method=method).status_code != 400
    ]
    assert unguarded == []
    # One click in a mail stops what the mail tells of (RFC 8058): no form comes before it.
    assert {"alerts.stop"} == SIGNED_LINKS
