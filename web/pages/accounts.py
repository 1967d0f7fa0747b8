"""Signing in and out, and one's own account."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.accounts.rate_limits import RateLimits
from aggregator.accounts.roles import may
from aggregator.accounts.sign_in import (
    find_signed_in,
    set_password,
    sign_in,
    sign_out,
    use_sign_in_link,
)
from aggregator.domain.errors import InvalidInput
from web import context
from web.db import current_session
from web.proxies import client_network

pages = Blueprint("accounts", __name__)


@pages.get("/login")
def sign_in_form() -> str | Response:
    """Password form; whoever is signed in already goes on."""
    if context.current_account():
        return context.go_to(_after_sign_in())
    return render_template("accounts/sign_in.html", next=request.args.get("next", ""))


@pages.post("/login")
def sign_in_with_password() -> tuple[str, int] | Response:
    """A wrong pair shows the form again; attempts are limited where passwords are checked."""
    limits: RateLimits = current_app.extensions.setdefault(
        "click2cart.rate_limits", RateLimits(context.current_settings().redis_url)
    )
    email = request.form.get("email", "")
    try:
        token = sign_in(
            current_session(),
            email,
            request.form.get("password", ""),
            client=client_network(request.remote_addr),
            limits=limits,
        )
    except InvalidInput:
        page = render_template(
            "accounts/sign_in.html", next=request.form.get("next", ""), email=email, was_refused=True
        )
        return page, 401
    return _signed_in(token, request.form.get("next"))


@pages.get("/login/link/<token>")
def link_form(token: str) -> str:
    """A button that uses the link: mail scanners open links, they do not press buttons."""
    return render_template("accounts/use_link.html", token=token)


@pages.post("/login/link/<token>")
def sign_in_with_link(token: str) -> tuple[str, int] | Response:
    """Use a single-use link."""
    try:
        session_token = use_sign_in_link(current_session(), token)
    except InvalidInput:
        return render_template("accounts/spent_link.html"), 410
    return _signed_in(session_token, None)


@pages.post("/logout")
def leave() -> Response:
    """Sign out on this browser."""
    sign_out(current_session(), request.cookies.get(context.ACCOUNT_COOKIE))
    flash(_("You are signed out."), "account")
    response = context.go_to(url_for("home.show"))
    response.delete_cookie(context.ACCOUNT_COOKIE)
    return response


@pages.get("/logout")
def leave_form() -> Response:
    """People try this address; a link must not sign anyone out, the button on the account's page does."""
    return context.go_to(url_for("accounts.show" if context.current_account() else "home.show"))


@pages.get("/account")
def show() -> str | Response:
    """Who is signed in, and the password."""
    if context.current_account() is None:
        return context.go_to(url_for("accounts.sign_in_form", next=request.path))
    return render_template("accounts/show.html")


@pages.post("/account/password")
def change_password() -> str | tuple[str, int] | Response:
    """Set the password; every other browser of the account is signed out."""
    account = context.current_account()
    if account is None:
        return context.go_to(url_for("accounts.sign_in_form", next=url_for("accounts.show")))
    try:
        set_password(
            current_session(),
            account.account_id,
            request.form.get("password", ""),
            keep_session_token=request.cookies.get(context.ACCOUNT_COOKIE),
        )
    except InvalidInput as error:
        return render_template("accounts/show.html", problem=str(error)), 400
    flash(_("Your password is set. Other browsers were signed out."), "account")
    return context.go_to(url_for("accounts.show"))


def _signed_in(token: str, next_path: str | None) -> Response:
    account = find_signed_in(current_session(), token)
    roles = account.roles if account else frozenset()
    default = url_for("operations.index") if may(roles, "operate") else url_for("home.show")
    response = context.go_to(context.local_path(next_path, default))
    return context.remember(response, context.ACCOUNT_COOKIE, token, days=context.ACCOUNT_DAYS)


def _after_sign_in() -> str:
    default = url_for("operations.index") if context.may_operate() else url_for("home.show")
    return context.local_path(request.args.get("next"), default)
