"""Signing apps in: access and refresh tokens for a password or a code by SMS."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext as _

from aggregator.accounts.app_tokens import AppTokens, open_app_sign_in, refresh, revoke
from aggregator.accounts.phones import CODE_LIFETIME, check_sign_in_code, send_sign_in_code
from aggregator.accounts.second_factors import check_second_factor
from aggregator.accounts.sessions import require_second_factor
from aggregator.accounts.sign_in import check_password
from aggregator.domain.errors import InvalidInput, SecondFactorNeeded
from web import context
from web.account_area import own_account
from web.db import current_session
from web.errors import problem

resources = Blueprint("api_auth", __name__, url_prefix="/api/v1/auth")

_LONGEST = 1000


@resources.post("/token")
def token() -> Response:
    """Tokens for `email` and `password`; where an account asks for more, for `challenge` and `code`."""
    sent = _sent()
    try:
        if "challenge" in sent:
            account_id = check_second_factor(
                current_session(),
                context.current_settings(),
                _text(sent, "challenge"),
                _text(sent, "code"),
                limits=context.rate_limits(),
            )
        else:
            account_id = check_password(
                current_session(),
                _text(sent, "email"),
                _text(sent, "password"),
                client=context.client(),
                limits=context.rate_limits(),
            )
            require_second_factor(current_session(), account_id, by="password")
    except SecondFactorNeeded as more:
        return problem(401, str(more), challenge=more.challenge)
    except InvalidInput as error:
        return _refused(str(error)) if not error.place else problem(400, str(error))
    if account_id is None:
        return _refused(_("This code is not right, or was used already."))
    return _tokens(open_app_sign_in(current_session(), context.current_settings(), account_id, _name(sent)))


@resources.post("/refresh")
def refresh_tokens() -> Response:
    """New tokens for a refresh token, which is spent by it; a spent one that comes again ends the sign-in."""
    found = refresh(current_session(), context.current_settings(), _text(_sent(), "refresh_token"))
    if found is None:
        return _refused(_("This refresh token is no good any more. Sign in again."))
    return _tokens(found)


@resources.post("/revoke")
def revoke_tokens() -> Response:
    """End the sign-in of a refresh token; an unknown one is no error."""
    revoke(current_session(), _text(_sent(), "refresh_token"))
    return Response(status=204)


@resources.get("/me")
def me() -> Response:
    """Whom the token speaks for, and what it may do."""
    account = own_account()
    return jsonify(
        id=account.id,
        email=account.email,
        name=account.name,
        roles=sorted(account.roles),
        scopes=None if account.scopes is None else sorted(account.scopes),
    )


@resources.post("/verify/send")
def send_code() -> tuple[Response, int]:
    """Send a code to `phone`, where an account has it; the answer is the same for every number."""
    made = send_sign_in_code(
        current_session(),
        context.current_settings(),
        _text(_sent(), "phone"),
        client=context.client(),
        limits=context.rate_limits(),
    )
    return jsonify(token=made, expires_in=int(CODE_LIFETIME.total_seconds())), 202


@resources.post("/verify/code")
def take_code() -> Response:
    """Tokens for the `token` of /verify/send and the `code` that came by SMS."""
    sent = _sent()
    account_id = check_sign_in_code(
        current_session(),
        _text(sent, "token"),
        _text(sent, "code"),
        client=context.client(),
        limits=context.rate_limits(),
    )
    if account_id is None:
        return _refused(_("This code is not right, or too old."))
    try:
        require_second_factor(current_session(), account_id, by="phone")
    except SecondFactorNeeded as more:
        return problem(401, str(more), challenge=more.challenge)
    return _tokens(open_app_sign_in(current_session(), context.current_settings(), account_id, _name(sent)))


def _sent() -> dict[str, Any]:
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        raise InvalidInput("the body is no JSON object", remedy="send one, as application/json")
    return sent


def _text(sent: dict[str, Any], name: str) -> str:
    value = sent.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST or "\0" in value:
        raise InvalidInput(f"text of at most {_LONGEST} characters is needed", place=name)
    return value


def _name(sent: dict[str, Any]) -> str:
    return _text(sent, "device_name") if "device_name" in sent else context.device() or ""


def _tokens(made: AppTokens) -> Response:
    response = jsonify(
        access_token=made.access_token,
        token_type="Bearer",  # noqa: S106  # the scheme's name, no secret
        expires_in=made.expires_in,
        refresh_token=made.refresh_token,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(detail: str) -> Response:
    answer = problem(401, detail)
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer
