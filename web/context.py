"""What a view needs to know about its request: the settings, who is signed in, which cart is theirs."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request

from aggregator.accounts.roles import may
from aggregator.accounts.sign_in import SignedIn, find_signed_in
from aggregator.domain.checkouts import Cart
from aggregator.settings import Settings
from aggregator.shopping.carts import find_cart
from web.db import current_session

CART_COOKIE = "click2cart_cart"
ACCOUNT_COOKIE = "click2cart_account"
CART_DAYS = 180
ACCOUNT_DAYS = 14
CURRENCY = "EUR"

_SETTINGS = "click2cart.settings"


def prepare(app: Flask, settings: Settings) -> None:
    """Let views and templates ask for the settings, the account and the cart."""
    app.extensions[_SETTINGS] = settings
    app.jinja_env.globals.update(
        current_account=current_account,
        current_cart_units=current_cart_units,
        may_operate=may_operate,
        is_demo=settings.is_demo,
    )


def current_settings() -> Settings:
    """The settings this application was made with."""
    settings: Settings = current_app.extensions[_SETTINGS]
    return settings


def assumed_shipping() -> Decimal:
    """What a store's shipping is taken to cost where it is unknown, in major units."""
    return Decimal(current_settings().assumed_shipping)


def cart_token() -> str | None:
    """The secret by which this browser holds its cart."""
    return request.cookies.get(CART_COOKIE)


def current_account() -> SignedIn | None:
    """Who is signed in on this browser."""
    if "signed_in" not in g:
        token = request.cookies.get(ACCOUNT_COOKIE)
        g.signed_in = find_signed_in(current_session(), token) if token else None
    signed_in: SignedIn | None = g.signed_in
    return signed_in


def may_operate() -> bool:
    """Whether the operations pages are open to this browser."""
    account = current_account()
    return account is not None and may(account.roles, "operate")


def show_cart_units(cart: Cart | None) -> None:
    """Tell the page's head what the view found out already, so that it need not ask again."""
    g.cart_units = cart.unit_count if cart else 0


def current_cart_units() -> int:
    """How many pieces lie in this browser's cart."""
    if "cart_units" not in g:
        token = cart_token()
        show_cart_units(find_cart(current_session(), token) if token else None)
    units: int = g.cart_units
    return units


def remember(response: Response, name: str, token: str, *, days: int) -> Response:
    """Set a cookie that scripts and other sites cannot use."""
    response.set_cookie(
        name,
        token,
        max_age=days * 86_400,
        httponly=True,
        samesite="Lax",
        secure=current_settings().secure_cookies,
    )
    return response


def go_to(path: str, status: int = 303) -> Response:
    """A redirect; after a form the browser is to GET what comes next."""
    return Response(status=status, headers={"Location": path})


def local_path(address: str | None, default: str) -> str:
    """The address if it is a path on this site (people can put anything into `next`), else the default."""
    if not address or not address.startswith("/") or address.startswith("//") or "\\" in address:
        return default
    parts = urlsplit(address)
    return default if parts.scheme or parts.netloc or any(ord(letter) < 32 for letter in address) else address
