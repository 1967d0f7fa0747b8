"""Signing in and out."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for

from aggregator.accounts.second_factors import finish_sign_in
from aggregator.accounts.sign_in import sign_in, sign_out, use_sign_in_link
from aggregator.domain.errors import InvalidInput, SecondFactorNeeded
from web import context
from web.db import current_session
from web.entering import ask_second_factor, first_page, forget_account, go_in, old_session_token
from web.told import error_words

pages = Blueprint("accounts", __name__)


@pages.get("/login")
def sign_in_form() -> str | Response:
    """Password form; whoever is signed in already goes on."""
    account = context.current_account()
    if account:
        return context.go_to(context.local_path(request.args.get("next"), first_page(account.roles)))
    return render_template("accounts/sign_in.html", next=request.args.get("next", ""))


@pages.post("/login")
def sign_in_with_password() -> str | tuple[str, int] | Response:
    """A wrong pair shows the form again; attempts are limited where passwords are checked."""
    email, next_path = request.form.get("email", ""), request.form.get("next", "")
    try:
        token = sign_in(
            current_session(),
            email,
            request.form.get("password", ""),
            client=context.client(),
            limits=context.rate_limits(),
            device=context.device(),
            replaces=old_session_token(),
        )
    except SecondFactorNeeded as more:
        return ask_second_factor(more.challenge, next_path)
    except InvalidInput:
        page = render_template("accounts/sign_in.html", next=next_path, email=email, was_refused=True)
        return page, 401
    return go_in(token, next_path)


@pages.post("/login/second")
def give_second_factor() -> tuple[str, int] | Response:
    """The code of an authenticator app, or a recovery code."""
    challenge, next_path = request.form.get("challenge", ""), request.form.get("next", "")
    try:
        token = finish_sign_in(
            current_session(),
            context.current_settings(),
            challenge,
            request.form.get("code", ""),
            limits=context.rate_limits(),
            device=context.device(),
            replaces=old_session_token(),
        )
    except InvalidInput as error:
        return render_template("accounts/sign_in.html", next=next_path, problem=error_words(error)), 401
    if token is None:
        return ask_second_factor(challenge, next_path, was_wrong=True)
    return go_in(token, next_path)


@pages.get("/login/link/<token>")
def link_form(token: str) -> str:
    """A button that uses the link: mail scanners open links, they do not press buttons."""
    return render_template("accounts/use_link.html", token=token)


@pages.post("/login/link/<token>")
def sign_in_with_link(token: str) -> tuple[str, int] | Response:
    """Use a single-use link."""
    try:
        session_token = use_sign_in_link(
            current_session(), token, device=context.device(), replaces=old_session_token()
        )
    except InvalidInput:
        return render_template("accounts/spent_link.html"), 410
    return go_in(session_token, None)


@pages.post("/logout")
def leave() -> Response:
    """Sign out on this browser."""
    sign_out(current_session(), old_session_token())
    return forget_account(context.go_to(url_for("home.show")))


@pages.get("/logout")
def leave_form() -> Response:
    """People try this address; a link must not sign anyone out, the button on the account's page does."""
    return context.go_to(url_for("profile.show" if context.current_account() else "home.show"))
