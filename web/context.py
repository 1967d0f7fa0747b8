"""What a view needs to know about its request: the settings, who is signed in, which cart is theirs."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request

from aggregator.accounts.bearer import find_bearer
from aggregator.accounts.devices import device_words
from aggregator.accounts.rate_limits import Limit, RateLimits
from aggregator.accounts.roles import may
from aggregator.accounts.sessions import SignedIn, find_signed_in
from aggregator.domain.checkouts import Cart
from aggregator.domain.money import SITE_CURRENCY
from aggregator.settings import Settings
from aggregator.shopping.account_carts import account_cart_token, ensure_account_cart
from aggregator.shopping.cart_options import ParcelWishes, find_parcel_wishes
from aggregator.shopping.carts import find_cart
from web.db import current_session
from web.proxies import client_network

CART_COOKIE = "click2cart_cart"
ACCOUNT_COOKIE = "click2cart_account"
CART_DAYS = 180
ACCOUNT_DAYS = 14
CURRENCY = SITE_CURRENCY

_LIVE_CHECKS = Limit("checkouts", attempts=60, seconds=600)
_SETTINGS = "click2cart.settings"
_RATE_LIMITS = "click2cart.rate_limits"


def prepare(app: Flask, settings: Settings) -> None:
    """Let views and templates ask for the settings, the account and the cart."""
    app.extensions[_SETTINGS] = settings
    app.extensions[_RATE_LIMITS] = RateLimits(settings.redis_url)
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


class ParcelTerms(TypedDict):
    """What a shopper's parcels are reckoned with."""

    assumed_shipping: Decimal
    country: str | None


def parcel_terms() -> ParcelTerms:
    """What an unknown shipping cost is ranked with and where parcels go: the site's own, or chosen in the cart."""
    token = cart_token()
    chosen = find_parcel_wishes(current_session(), token) if token else ParcelWishes()
    return ParcelTerms(
        assumed_shipping=assumed_shipping() if chosen.assumed_shipping is None else chosen.assumed_shipping,
        country=chosen.country or current_settings().country,
    )


class PlanTerms(TypedDict):
    """What this site plans with, unless the cart says otherwise."""

    assumed_shipping: Decimal
    currency: str
    country: str | None
    time_limit: float


def plan_terms() -> PlanTerms:
    """The site's own terms, as every use case that plans a cart takes them."""
    settings = current_settings()
    return PlanTerms(
        assumed_shipping=assumed_shipping(),
        currency=CURRENCY,
        country=settings.country,
        time_limit=settings.plan_seconds,
    )


def count_live_check() -> None:
    """Count what makes a worker ask stores for prices at once; raises TooManyAttempts beyond 60 in ten minutes."""
    rate_limits().count(current_session(), _LIVE_CHECKS, client() or "")


def rate_limits() -> RateLimits:
    """What counts attempts for this application."""
    limits: RateLimits = current_app.extensions[_RATE_LIMITS]
    return limits


def client() -> str | None:
    """Whose attempts these are: the network address, the proxies that are named left out."""
    return client_network(request.remote_addr)


def device() -> str | None:
    """What the browser says it is, in two words."""
    return device_words(request.user_agent.string)


def origin() -> str:
    """This site's origin as the browser sees it, behind a proxy that ends TLS too."""
    site_url = current_settings().site_url
    if site_url:
        return site_url
    scheme = "https" if current_settings().secure_cookies else request.scheme
    return f"{scheme}://{request.host}"


def guest_cart_token() -> str | None:
    """The secret by which a guest's browser holds its cart."""
    return request.cookies.get(CART_COOKIE)


def new_cart_token() -> str | None:
    """The secret that this very request gives a guest's browser, with its first cart or list."""
    token: str | None = g.get("new_cart_token")
    return token


def cart_token() -> str | None:
    """What opens this visitor's cart: the account's wherever it is signed in, else the browser's own."""
    account = current_account()
    if account is None:
        return guest_cart_token()
    if "has_account_cart" not in g and request.method not in {"GET", "HEAD"}:
        ensure_account_cart(current_session(), current_settings(), account.account_id)
        g.has_account_cart = True
    return account_cart_token(current_settings(), account.account_id)


def bearer_token() -> str | None:
    """The token of a request to the API that says for whom it speaks; None for pages and for browsers."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    is_bearer = request.path.startswith("/api/") and scheme.lower() == "bearer"
    return token.strip() if is_bearer else None


def current_account() -> SignedIn | None:
    """Who is signed in on this browser, or whom the API's bearer token speaks for.

    A bearer token that is no good is nobody, whatever cookie comes with it.
    """
    if "signed_in" not in g:
        bearer, token = bearer_token(), request.cookies.get(ACCOUNT_COOKIE)
        if bearer is not None:
            g.signed_in = find_bearer(current_session(), current_settings(), bearer)
        else:
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
    if name == CART_COOKIE:
        g.new_cart_token = token
    response.set_cookie(
        name,
        token,
        max_age=days * 86_400,
        httponly=True,
        samesite="Lax",
        secure=current_settings().secure_cookies,
    )
    return response


def remember_cart(response: Response, token: str | None) -> Response:
    """Give a guest's browser the secret of the cart that was just made; None where there was one."""
    return remember(response, CART_COOKIE, token, days=CART_DAYS) if token else response


def go_to(path: str, status: int = 303) -> Response:
    """A redirect; after a form the browser is to GET what comes next."""
    return Response(status=status, headers={"Location": path})


def moved_to(path: str) -> Response:
    """A permanent redirect that is asked again each time: titles change, and merges can be undone."""
    response = go_to(path, 301)
    response.headers["Cache-Control"] = "no-cache"
    return response


def local_path(address: str | None, default: str) -> str:
    """The address if it is a path on this site (people can put anything into `next`), else the default."""
    if not address or not address.startswith("/") or address.startswith("//") or "\\" in address:
        return default
    parts = urlsplit(address)
    return default if parts.scheme or parts.netloc or any(ord(letter) < 32 for letter in address) else address
