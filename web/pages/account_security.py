"""How one gets into one's account: password, phone, second factor, passkeys, browsers, tokens."""

from __future__ import annotations

import segno
from flask import Blueprint, Response, flash, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.accounts.api_tokens import list_api_tokens, make_api_token, revoke_api_token
from aggregator.accounts.app_tokens import end_app_sign_in, list_app_sign_ins
from aggregator.accounts.passkeys import begin_adding, finish_adding, list_passkeys, remove_passkey
from aggregator.accounts.phones import ask_phone, confirm_phone, find_phone, remove_phone
from aggregator.accounts.scopes import SCOPES
from aggregator.accounts.second_factors import (
    begin_totp,
    confirm_totp,
    make_recovery_codes,
    second_factor_state,
    turn_off,
)
from aggregator.accounts.sessions import end_session, list_sessions, sign_out_everywhere
from aggregator.accounts.sign_in import confirm_password, has_password, set_password
from aggregator.domain.errors import InvalidInput
from web import context
from web.account_area import own_account
from web.db import current_session
from web.entering import old_session_token
from web.told import error_words

pages = Blueprint("account_security", __name__, url_prefix="/account")


@pages.after_request
def keep_out_of_caches(response: Response) -> Response:
    """Secrets are shown here once; no cache is to show them again."""
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.get("/security")
def show() -> str:
    """All of it on one page."""
    return _page()


@pages.post("/password")
def change_password() -> str | tuple[str, int] | Response:
    """Set the password; every other browser of the account is signed out."""
    account_id = own_account().account_id
    try:
        _confirm(request.form.get("present_password", ""))
        set_password(
            current_session(),
            account_id,
            request.form.get("password", ""),
            keep_session_token=old_session_token(),
        )
    except InvalidInput as error:
        return _page(problem=error, at="password"), 400
    return _done(_("Your password is set. Other browsers were signed out."))


@pages.post("/phone")
def ask_for_phone() -> str | tuple[str, int] | Response:
    """Send a code to a new number, or forget the one there is."""
    account_id = own_account().account_id
    try:
        if "remove" in request.form:
            remove_phone(current_session(), account_id)
            return _done(_("Your phone number is forgotten."))
        _confirm(request.form.get("present_password", ""))
        token = ask_phone(
            current_session(),
            context.current_settings(),
            account_id,
            request.form.get("phone", ""),
            limits=context.rate_limits(),
        )
    except InvalidInput as error:
        return _page(problem=error, at="phone"), 400
    return render_template("accounts/confirm_phone.html", token=token)


@pages.post("/phone/code")
def confirm_own_phone() -> str | tuple[str, int] | Response:
    """Five tries a code."""
    token = request.form.get("token", "")
    is_right = confirm_phone(
        current_session(),
        context.current_settings(),
        own_account().account_id,
        token,
        request.form.get("code", ""),
    )
    if not is_right:
        return render_template("accounts/confirm_phone.html", token=token, was_wrong=True), 400
    return _done(_("Your phone number is confirmed. You can sign in with it."))


@pages.post("/second-factor")
def set_up_second_factor() -> str | tuple[str, int]:
    """The secret for an authenticator app, once the password was typed again."""
    try:
        _confirm(request.form.get("present_password", ""))
        return _second_factor_page()
    except InvalidInput as error:
        return _page(problem=error, at="second-factor"), 400


@pages.post("/second-factor/confirm")
def turn_second_factor_on() -> str | tuple[str, int]:
    """A first code of the app turns it on; recovery codes are shown once."""
    try:
        codes = confirm_totp(
            current_session(),
            context.current_settings(),
            own_account().account_id,
            request.form.get("code", ""),
        )
    except InvalidInput as error:
        return _second_factor_page(error), 400
    return render_template("accounts/recovery_codes.html", codes=codes)


@pages.post("/second-factor/codes")
def renew_recovery_codes() -> str | tuple[str, int]:
    """New recovery codes in place of the old ones."""
    account_id = own_account().account_id
    try:
        _confirm(request.form.get("present_password", ""))
    except InvalidInput as error:
        return _page(problem=error, at="second-factor"), 400
    return render_template(
        "accounts/recovery_codes.html", codes=make_recovery_codes(current_session(), account_id)
    )


@pages.post("/second-factor/off")
def turn_second_factor_off() -> str | tuple[str, int] | Response:
    """Ask for no codes any more."""
    try:
        _confirm(request.form.get("present_password", ""))
    except InvalidInput as error:
        return _page(problem=error, at="second-factor"), 400
    turn_off(current_session(), context.current_settings(), own_account().account_id)
    return _done(_("The second factor is off."))


@pages.post("/passkeys/options")
def passkey_options() -> Response | tuple[Response, int]:
    """What the browser is to make a passkey of."""
    sent = request.get_json(silent=True)
    try:
        _confirm(str(sent.get("present_password", "")) if isinstance(sent, dict) else "")
        options = begin_adding(current_session(), own_account().account_id, context.origin())
    except InvalidInput as error:
        return jsonify(problem=error_words(error)), 400
    return Response(options, mimetype="application/json")


@pages.post("/passkeys")
def add_passkey() -> Response | tuple[Response, int]:
    """Keep the passkey that the browser made."""
    sent = request.get_json(silent=True)
    sent = sent if isinstance(sent, dict) else {}
    try:
        finish_adding(
            current_session(),
            context.current_settings(),
            own_account().account_id,
            context.origin(),
            sent.get("credential"),
            context.device() or "",
        )
    except InvalidInput as error:
        return jsonify(problem=error_words(error)), 400
    flash(_("The passkey is kept. You can sign in with it."), "account")
    return jsonify(next=url_for("account_security.show"))


@pages.post("/passkeys/<passkey_id>/remove")
def forget_passkey(passkey_id: str) -> Response:
    """Take one of the account's passkeys away."""
    remove_passkey(current_session(), own_account().account_id, passkey_id)
    return _done(_("The passkey works no more. Remove it on your device, too."))


@pages.post("/sessions/<session_id>/end")
def sign_out_one(session_id: str) -> Response:
    """Sign one browser out."""
    end_session(current_session(), own_account().account_id, session_id)
    return _done(_("That browser is signed out."))


@pages.post("/sessions/end")
def sign_out_all() -> Response:
    """Sign out everywhere, here too."""
    sign_out_everywhere(current_session(), own_account().account_id)
    response = context.go_to(url_for("accounts.sign_in_form"))
    response.delete_cookie(context.ACCOUNT_COOKIE)
    flash(_("You are signed out everywhere."), "account")
    return response


@pages.post("/apps/<app_id>/end")
def sign_out_app(app_id: str) -> Response:
    """Sign one app out."""
    end_app_sign_in(current_session(), own_account().account_id, app_id)
    return _done(_("That app is signed out."))


@pages.post("/tokens")
def make_token() -> str | tuple[str, int]:
    """Make a token and show it, the only time."""
    days = request.form.get("days", "")
    try:
        _confirm(request.form.get("present_password", ""))
        token = make_api_token(
            current_session(),
            own_account().account_id,
            request.form.get("name", ""),
            request.form.getlist("scopes"),
            days=int(days) if days.isascii() and days.isdigit() and len(days) < 6 else None,
        )
    except InvalidInput as error:
        return _page(problem=error, at="tokens"), 400
    return render_template("accounts/new_token.html", token=token)


@pages.post("/tokens/<token_id>/revoke")
def revoke_token(token_id: str) -> Response:
    """End one of the account's tokens."""
    revoke_api_token(current_session(), own_account().account_id, token_id)
    return _done(_("The token works no more."))


def _confirm(password: str) -> None:
    confirm_password(current_session(), own_account().account_id, password, limits=context.rate_limits())


def _second_factor_page(problem: InvalidInput | None = None) -> str:
    secret, address = begin_totp(current_session(), context.current_settings(), own_account().account_id)
    picture = segno.make(address, error="m").svg_data_uri(scale=5, border=2, dark="#000", light="#fff")
    return render_template("accounts/set_up_totp.html", secret=secret, picture=picture, problem=problem)


def _page(problem: InvalidInput | None = None, at: str = "") -> str:
    session, settings, account = current_session(), context.current_settings(), own_account()
    return render_template(
        "accounts/security.html",
        problem=problem,
        at=at,
        has_password=has_password(session, account.account_id),
        phone=find_phone(session, settings, account.account_id),
        second_factor=second_factor_state(session, account.account_id),
        passkeys=list_passkeys(session, account.account_id),
        sessions=list_sessions(session, account.account_id, old_session_token()),
        apps=list_app_sign_ins(session, account.account_id),
        tokens=list_api_tokens(session, account.account_id),
        scopes=[scope for scope in SCOPES if scope != "operate" or context.may_operate()],
    )


def _done(words: str) -> Response:
    flash(words, "account")
    return context.go_to(url_for("account_security.show"))
