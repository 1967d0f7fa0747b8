"""Whom each route is for: everything is declared here or by `needs`, and what is declared nowhere is closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from flask import Flask, Response, abort, current_app, request, url_for
from flask_babel import gettext as _

from aggregator.accounts.roles import PERMISSIONS, Permission, may
from aggregator.settings import Settings
from web import context
from web.errors import problem

View = TypeVar("View", bound=Callable[..., Any])
Audience = Literal["anyone", "account"] | Permission

# By endpoint, else by blueprint. "account" is whoever is signed in; guests have carts and lists, so these are anyone's
# and hold each visitor to their own. Operators' views declare theirs one by one with `needs`.
AUDIENCES: Mapping[str, Audience] = MappingProxyType(
    {
        "static": "anyone",
        "health": "anyone",
        "metrics": "anyone",  # asks for its own token
        "home": "anyone",
        "search": "anyone",
        "products": "anyone",
        "pictures": "anyone",
        "categories": "anyone",
        "compare": "anyone",
        "drops": "anyone",
        "feeds": "anyone",
        "site_map": "anyone",
        "design": "anyone",
        "languages": "anyone",
        "installation": "anyone",
        "stores": "anyone",
        "carts": "anyone",
        "cart_options": "anyone",
        "checkouts": "anyone",
        "purchases": "anyone",
        "shared_baskets": "anyone",
        "pasted_lists": "anyone",
        "wishlists": "anyone",
        "alerts": "account",
        "alerts.stop_form": "anyone",  # the link in the mail is the key
        "alerts.stop": "anyone",
        "alert_channels": "account",
        "alert_channels.feed": "anyone",  # its address is the key
        "accounts": "anyone",
        "registration": "anyone",
        "phone_sign_in": "anyone",
        "passkey_sign_in": "anyone",
        "inbox": "anyone",  # there only in the demo, for this machine alone
        "profile": "account",
        "profile.confirm_mail_form": "anyone",  # the link in the mail is the key
        "profile.confirm_mail": "anyone",
        "addresses": "account",
        "account_security": "account",
        "account_data": "account",
        "api_products": "anyone",
        "api": "anyone",
        "api_docs": "anyone",
        "api_stores": "anyone",
        "api_offers": "anyone",
        "api_carts": "anyone",
        "api_plans": "anyone",
        "api_hand_offs": "anyone",
        "api_purchases": "anyone",
        "api_wishlists": "anyone",
        "api_alerts": "account",
        "api_alert_channels": "account",
        "api_auth": "anyone",
        "api_auth.me": "account",
    }
)
# What a program's token must name, by blueprint: "cart" stands for cart:read, and cart:write for all but GET.
API_SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "api_auth": "account",
        "api_carts": "cart",
        "api_plans": "cart",
        "api_hand_offs": "purchases",
        "api_purchases": "purchases",
        "api_wishlists": "wishlists",
        "api_alerts": "alerts",
        "api_alert_channels": "alerts",
    }
)


def prepare(app: Flask, _settings: Settings) -> None:
    """Hold every request to what its route declares."""
    app.before_request(admit)
    app.jinja_env.globals.update(may_do=may_do)


def needs(permission: Audience) -> Callable[[View], View]:
    """Declare what a view's visitor must be allowed to do; stands between the route and the function."""

    def declare(view: View) -> View:
        view.__dict__["permission"] = permission
        return view

    return declare


def declared_audience(endpoint: str) -> Audience | None:
    """Whom the endpoint is for; None where nothing says so, and then nobody gets in."""
    declared: Audience | None = getattr(current_app.view_functions.get(endpoint), "permission", None)
    return declared or AUDIENCES.get(endpoint) or AUDIENCES.get(endpoint.partition(".")[0])


def admit() -> Response | None:
    """Before every view: strangers may sign in, others without the right are told so."""
    endpoint = request.endpoint
    if endpoint is None or request.method == "OPTIONS":
        return None  # there is no such page, or nothing is asked of it
    audience = declared_audience(endpoint)
    is_api = request.path.startswith("/api/")
    if context.bearer_token() is not None and context.current_account() is None:
        return _not_known("invalid_token")
    account = context.current_account() if audience != "anyone" or is_api else None
    scope = scope_of(endpoint, request.method)
    if account is not None and account.scopes is not None and not {scope} <= {None, *account.scopes}:
        refused = problem(403, _("This token may not do that: it was made without the scope for it."))
        refused.headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
        return refused
    if audience == "anyone":
        return None
    if audience is None:
        current_app.logger.error("%s says nowhere whom it is for; declare it in web/permissions.py", endpoint)
        return abort(403, _("This page is not open yet."))
    if account is None and is_api:
        return _not_known(None)
    if audience == "account":
        return None if account is not None else _ask_to_sign_in()
    if account is not None and may(account.roles, audience):
        return None
    if account is None and request.method in {"GET", "HEAD"}:
        return _ask_to_sign_in()
    if account is not None and may(account.roles, "operate"):
        refusal = _(
            "Only an admin may do this. Nothing was changed; ask an admin to do it or to make you one."
        )
    else:
        refusal = _("These pages are for operators. Sign in with an operator's account.")
    return abort(403, refusal)


def may_do(permission: Permission) -> bool:
    """Whether this browser's account has the permission: templates leave out what would be refused."""
    account = context.current_account()
    return account is not None and may(account.roles, permission)


def is_declared(audience: str | None) -> bool:
    """Whether these words are an audience at all."""
    return audience in {"anyone", "account", *PERMISSIONS}


def scope_of(endpoint: str, method: str) -> str | None:
    """The scope that a program's token must have for this; None where any token will do."""
    area = API_SCOPES.get(endpoint) or API_SCOPES.get(endpoint.partition(".")[0])
    return area and f"{area}:{'read' if method in {'GET', 'HEAD'} else 'write'}"


def _ask_to_sign_in() -> Response:
    is_page = request.method in {"GET", "HEAD"}
    came_from = request.full_path.rstrip("?") if is_page else url_for("profile.show")
    return context.go_to(url_for("accounts.sign_in_form", next=came_from))


def _not_known(error: str | None) -> Response:
    detail = _("Sign in, or send a token that works.")
    answer = problem(401, detail)
    answer.headers["WWW-Authenticate"] = "Bearer" + (f' error="{error}"' if error else "")
    return answer
