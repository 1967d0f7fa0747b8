"""Who may do what on the operators' pages: every route, every role."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask

from aggregator.accounts.roles import PERMISSIONS, Role
from aggregator.db.session import Sessions
from tests.integration.conftest import Browser, ShopWindow

OPEN_TO_ALL_STAFF = "operate"
METHODS = ("GET", "POST")


@dataclass(frozen=True, slots=True)
class Route:
    """One address and method, its arguments filled with what there is nothing of."""

    endpoint: str
    address: str
    method: str
    permission: str | None


def routes_of(app: Flask) -> list[Route]:
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if not rule.rule.startswith("/operations"):
                continue
            address = rule.rule
            for argument in rule.arguments:
                address = address.replace(f"<{argument}>", "nothing")
            permission = getattr(app.view_functions[rule.endpoint], "permission", None)
            found += [
                Route(rule.endpoint, address, method, permission)
                for method in METHODS
                if method in (rule.methods or ())
            ]
    return sorted(found, key=lambda route: (route.address, route.method))


def test_every_route_declares_a_permission_that_there_is(app: Flask) -> None:
    routes = routes_of(app)
    assert len(routes) > 30
    assert {route.endpoint: route.permission for route in routes if route.permission not in PERMISSIONS} == {}


# All roles are asked at gates without pages behind them (test_route_permissions.py), these see the pages too.
@pytest.mark.parametrize("role", ["guest", "operator", "admin"])
def test_routes_are_open_to_those_with_the_permission_and_to_nobody_else(
    app: Flask, browser: Browser, sessions: Sessions, shop_window: ShopWindow, role: Role | str
) -> None:
    if role != "guest":
        browser.sign_in(sessions, role)  # type: ignore[arg-type]  # every one of them but the guest is a role
    wrong = {}
    for route in routes_of(app):
        if route.endpoint == "operations_system.remove_person":
            continue  # judged below: it would take the only admin's rights
        answer = browser.get(route.address) if route.method == "GET" else browser.post(route.address)
        assert route.permission is not None
        is_allowed = role in PERMISSIONS[route.permission]  # type: ignore[index]  # tested above
        if is_allowed:
            is_right = answer.status_code in {200, 302, 303, 400, 404, 409}
        elif role == "guest" and route.method == "GET":
            location = answer.headers.get("Location", "")
            is_right = answer.status_code == 303 and location.startswith("/login?next=/operations")
        else:
            is_right = answer.status_code == 403
        if not is_right:
            wrong[f"{route.method} {route.address}"] = answer.status_code
    assert wrong == {}


def test_what_only_admins_may_do_says_so_and_is_not_offered_to_operators(
    browser: Browser, sessions: Sessions, shop_window: ShopWindow
) -> None:
    browser.sign_in(sessions, "operator")
    refused = browser.post("/operations/stores/north/remove", slug="north")
    assert refused.status_code == 403
    assert "Only an admin may do this. Nothing was changed" in refused.text
    page = browser.page("/operations/stores/north")
    assert "Remove the store" not in page
    assert "/operations/people" not in page
    browser.sign_in(sessions, "admin", "admin@example.org")
    page = browser.page("/operations/stores/north")
    assert "Remove the store" in page
    assert "/operations/people" in page


def test_the_permissions_are_these() -> None:
    assert dict(PERMISSIONS) == {
        "operate": {"operator", "admin"},
        "manage_stores": {"admin"},
        "manage_accounts": {"admin"},
    }
