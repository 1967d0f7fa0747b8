"""One's own account: name, picture, mail address."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.accounts.mail_changes import ask_mail_change, confirm_mail_change, is_mail_change
from aggregator.accounts.profiles import find_picture, remove_picture, set_name, set_picture
from aggregator.accounts.sign_in import has_password
from aggregator.domain.errors import InvalidInput
from web import context
from web.account_area import account_sections, own_account, sends_mail, sends_sms, shows_inbox
from web.db import current_session

pages = Blueprint("profile", __name__, url_prefix="/account")
pages.add_app_template_global(account_sections)
pages.add_app_template_global(sends_mail)
pages.add_app_template_global(sends_sms)
pages.add_app_template_global(shows_inbox)


@pages.get("")
def show() -> str:
    """Who is signed in, and what they told of themselves."""
    return _page()


@pages.post("/name")
def change_name() -> Response:
    """How the account is called."""
    set_name(current_session(), own_account().account_id, request.form.get("name", ""))
    return _done(_("Your name is kept."))


@pages.get("/picture")
def picture() -> Response:
    """The account's picture, for its owner."""
    found = find_picture(current_session(), own_account().account_id)
    if found is None:
        abort(404)
    content, digest = found
    response = Response(content, mimetype="image/webp", headers={"Cache-Control": "private, no-cache"})
    response.set_etag(digest)
    return response.make_conditional(request)  # type: ignore[return-value]  # Flask's Response stays one


@pages.post("/picture")
def set_own_picture() -> str | tuple[str, int] | Response:
    """Take a picture, or let go of it."""
    account_id = own_account().account_id
    if "remove" in request.form:
        remove_picture(current_session(), account_id)
        return _done(_("Your picture is gone."))
    file = request.files.get("picture")
    try:
        set_picture(current_session(), account_id, file.read() if file else b"")
    except InvalidInput as error:
        return _page(problem=error), 400
    return _done(_("Your picture is kept."))


@pages.post("/mail")
def change_mail() -> str | tuple[str, int] | Response:
    """Ask for another address; it counts once it is confirmed there."""
    try:
        ask_mail_change(
            current_session(),
            context.current_settings(),
            own_account().account_id,
            request.form.get("email", ""),
            request.form.get("password", ""),
            limits=context.rate_limits(),
        )
    except InvalidInput as error:
        return _page(problem=error, email=request.form.get("email", "")), 400
    return _done(_("Look into the new mailbox: the address counts once you press the link there."))


@pages.get("/mail/<token>")
def confirm_mail_form(token: str) -> str | tuple[str, int]:
    """A button that confirms: mail scanners open links, they do not press buttons."""
    if not is_mail_change(current_session(), token):
        return render_template("accounts/spent_link.html", what="mail"), 410
    return render_template("accounts/confirm_mail.html", token=token)


@pages.post("/mail/<token>")
def confirm_mail(token: str) -> tuple[str, int] | Response:
    """The new address is the account's."""
    try:
        email = confirm_mail_change(current_session(), context.current_settings(), token)
    except InvalidInput:
        return render_template("accounts/spent_link.html", what="mail"), 410
    flash(_("Your mail address is now %(email)s.", email=email), "account")
    is_in = context.current_account() is not None
    return context.go_to(url_for("profile.show" if is_in else "accounts.sign_in_form"))


def _page(problem: InvalidInput | None = None, email: str = "") -> str:
    account_id = own_account().account_id
    session = current_session()
    found = find_picture(session, account_id)
    return render_template(
        "accounts/profile.html",
        problem=problem,
        new_email=email,
        picture=found[1] if found else None,
        has_password=has_password(session, account_id),
    )


def _done(words: str) -> Response:
    flash(words, "account")
    return context.go_to(url_for("profile.show"))
