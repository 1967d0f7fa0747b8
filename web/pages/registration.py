"""New accounts and forgotten passwords, by mailed links."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, session, url_for

from aggregator.accounts.recovery import ask_recovery, is_recovery, recover
from aggregator.accounts.registration import activate, needs_password, register
from aggregator.accounts.tokens import new_token
from aggregator.domain.errors import InvalidInput, SecondFactorNeeded
from web import context
from web.db import current_session
from web.entering import ask_second_factor, go_in, old_session_token
from web.presenters import spoken_language

pages = Blueprint("registration", __name__)
_SECRET = "registered_here"  # noqa: S105  # the name under which the browser keeps it, not a secret


@pages.get("/register")
def register_form() -> str | Response:
    """Address and password; whoever is signed in has an account."""
    if context.current_account():
        return context.go_to(url_for("profile.show"))
    return render_template("accounts/register.html")


@pages.post("/register")
def ask_account() -> str | tuple[str, int] | Response:
    """The same answer whether the address has an account or not: look into your mail."""
    email = request.form.get("email", "")
    secret = session.setdefault(_SECRET, new_token())
    try:
        register(
            current_session(),
            context.current_settings(),
            email,
            request.form.get("password", ""),
            browser_secret=secret,
            client=context.client(),
            limits=context.rate_limits(),
            language=spoken_language(),
        )
    except InvalidInput as error:
        return render_template("accounts/register.html", email=email, problem=error), 400
    return context.go_to(url_for("registration.look_into_mail", what="register"))


@pages.get("/mail-sent/<any(register, recover):what>")
def look_into_mail(what: str) -> str:
    """What comes next happens in the mailbox."""
    return render_template("accounts/mail_sent.html", what=what)


@pages.get("/activate/<token>")
def activate_form(token: str) -> str | tuple[str, int]:
    """A button, and the password where another browser registered."""
    try:
        asks = needs_password(current_session(), token, browser_secret=session.get(_SECRET))
    except InvalidInput:
        return render_template("accounts/spent_link.html", what="register"), 410
    return render_template("accounts/activate.html", token=token, needs_password=asks)


@pages.post("/activate/<token>")
def activate_account(token: str) -> str | tuple[str, int] | Response:
    """Make the account and go in."""
    try:
        session_token = activate(
            current_session(),
            token,
            browser_secret=session.get(_SECRET),
            password=request.form.get("password"),
            device=context.device(),
            replaces=old_session_token(),
        )
    except InvalidInput as error:
        if error.place != "password":
            return render_template("accounts/spent_link.html", what="register"), 410
        page = render_template("accounts/activate.html", token=token, needs_password=True, problem=error)
        return page, 400
    return go_in(session_token, None)


@pages.get("/recover")
def recover_form() -> str:
    """Asks for the address only."""
    return render_template("accounts/recover.html")


@pages.post("/recover")
def send_recovery() -> tuple[str, int] | Response:
    """The same answer for every address."""
    email = request.form.get("email", "")
    try:
        ask_recovery(
            current_session(),
            context.current_settings(),
            email,
            client=context.client(),
            limits=context.rate_limits(),
            language=spoken_language(),
        )
    except InvalidInput as error:
        return render_template("accounts/recover.html", email=email, problem=error), 400
    return context.go_to(url_for("registration.look_into_mail", what="recover"))


@pages.get("/recover/<token>")
def new_password_form(token: str) -> str | tuple[str, int]:
    """Asks for the new password; opening the link changes nothing."""
    if not is_recovery(current_session(), token):
        return render_template("accounts/spent_link.html", what="recover"), 410
    return render_template("accounts/new_password.html", token=token)


@pages.post("/recover/<token>")
def set_new_password(token: str) -> str | tuple[str, int] | Response:
    """Set it, end every session, and go in."""
    try:
        session_token = recover(
            current_session(),
            context.current_settings(),
            token,
            request.form.get("password", ""),
            device=context.device(),
            replaces=old_session_token(),
        )
    except SecondFactorNeeded as more:
        return ask_second_factor(more.challenge, "")
    except InvalidInput as error:
        if error.place != "password":
            return render_template("accounts/spent_link.html", what="recover"), 410
        return render_template("accounts/new_password.html", token=token, problem=error), 400
    return go_in(session_token, None)
