"""Signing in with a phone: a code comes by SMS."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from aggregator.accounts.phones import send_sign_in_code, sign_in_with_code
from aggregator.domain.errors import InvalidInput, SecondFactorNeeded
from web import context
from web.db import current_session
from web.entering import ask_second_factor, go_in, old_session_token

pages = Blueprint("phone_sign_in", __name__)


@pages.get("/login/phone")
def phone_form() -> str:
    """Asks for the number."""
    return render_template("accounts/phone_sign_in.html", next=request.args.get("next", ""))


@pages.post("/login/phone")
def send_code() -> str | tuple[str, int]:
    """The same answer whether an account has the number or not: enter the code."""
    phone, next_path = request.form.get("phone", ""), request.form.get("next", "")
    try:
        token = send_sign_in_code(
            current_session(),
            context.current_settings(),
            phone,
            client=context.client(),
            limits=context.rate_limits(),
        )
    except InvalidInput as error:
        return (
            render_template("accounts/phone_sign_in.html", phone=phone, next=next_path, problem=error),
            400,
        )
    return render_template("accounts/phone_code.html", token=token, next=next_path)


@pages.post("/login/phone/code")
def give_code() -> str | tuple[str, int] | Response:
    """Five tries a code."""
    token, next_path = request.form.get("token", ""), request.form.get("next", "")
    try:
        session_token = sign_in_with_code(
            current_session(),
            token,
            request.form.get("code", ""),
            client=context.client(),
            limits=context.rate_limits(),
            device=context.device(),
            replaces=old_session_token(),
        )
    except SecondFactorNeeded as more:
        return ask_second_factor(more.challenge, next_path)
    if session_token is None:
        return render_template("accounts/phone_code.html", token=token, next=next_path, was_wrong=True), 401
    return go_in(session_token, next_path)
