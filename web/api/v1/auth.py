"""Signing apps in: access and refresh tokens for a password or a code by SMS."""

from __future__ import annotations

from flask import Blueprint, Response
from flask_babel import gettext as _
from pydantic import Field

from aggregator.accounts.app_tokens import AppTokens, open_app_sign_in, refresh, revoke
from aggregator.accounts.phones import CODE_LIFETIME, check_sign_in_code, send_sign_in_code
from aggregator.accounts.second_factors import check_second_factor
from aggregator.accounts.sessions import require_second_factor
from aggregator.accounts.sign_in import check_password
from aggregator.domain.errors import InvalidInput, SecondFactorNeeded
from web import context
from web.account_area import own_account
from web.api.operations import Given, Told, operation, told_with
from web.db import current_session
from web.errors import problem

resources = Blueprint("api_auth", __name__, url_prefix="/api/v1/auth")

_LONGEST = 1000


class SignIn(Given):
    """`email` and `password`, or the `challenge` and `code` of a second factor."""

    email: str | None = Field(None, max_length=_LONGEST)
    password: str | None = Field(None, max_length=_LONGEST)
    challenge: str | None = Field(None, max_length=_LONGEST)
    code: str | None = Field(None, max_length=_LONGEST)
    device_name: str | None = Field(None, max_length=_LONGEST)


class Refresh(Given):
    """A refresh token."""

    refresh_token: str = Field(max_length=_LONGEST)


class Phone(Given):
    """A number with its country's code."""

    phone: str = Field(max_length=_LONGEST)


class PhoneCode(Given):
    """The token of /verify/send and the code that came by SMS."""

    token: str = Field(max_length=_LONGEST)
    code: str = Field(max_length=_LONGEST)
    device_name: str | None = Field(None, max_length=_LONGEST)


class Tokens(Told):
    """A short access token, and what renews it once."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str


class CodeSent(Told):
    """What goes back with the code."""

    token: str
    expires_in: int


class Me(Told):
    """Whom a token speaks for; `scopes` is null where it may do all that the account may."""

    id: str
    email: str
    name: str | None
    roles: list[str]
    scopes: list[str] | None


@resources.post("/token")
@operation("Sign in", body=SignIn, answer=Tokens)
def token(body: SignIn) -> Response:
    """Tokens for `email` and `password`; where an account asks for more, for `challenge` and `code`."""
    try:
        if body.challenge is not None:
            account_id = check_second_factor(
                current_session(),
                context.current_settings(),
                body.challenge,
                body.code or "",
                limits=context.rate_limits(),
            )
        else:
            account_id = check_password(
                current_session(),
                _needed(body.email, "email"),
                _needed(body.password, "password"),
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
    return _tokens(
        open_app_sign_in(
            current_session(),
            context.current_settings(),
            account_id,
            body.device_name or context.device() or "",
        )
    )


@resources.post("/refresh")
@operation("Renew tokens", body=Refresh, answer=Tokens)
def refresh_tokens(body: Refresh) -> Response:
    """New tokens for a refresh token, which is spent by it; a spent one that comes again ends the sign-in."""
    found = refresh(current_session(), context.current_settings(), body.refresh_token)
    if found is None:
        return _refused(_("This refresh token is no good any more. Sign in again."))
    return _tokens(found)


@resources.post("/revoke")
@operation("Sign out", body=Refresh, status=204)
def revoke_tokens(body: Refresh) -> None:
    """End the sign-in of a refresh token; an unknown one is no error."""
    revoke(current_session(), body.refresh_token)


@resources.get("/me")
@operation("Who this is", answer=Me)
def me() -> Me:
    """Whom the token speaks for, and what it may do."""
    account = own_account()
    return Me(
        id=account.id,
        email=account.email,
        name=account.name,
        roles=sorted(account.roles),
        scopes=None if account.scopes is None else sorted(account.scopes),
    )


@resources.post("/verify/send")
@operation("Send a code by SMS", body=Phone, answer=CodeSent, status=202)
def send_code(body: Phone) -> Response:
    """Send a code to `phone`, where an account has it; the answer is the same for every number."""
    made = send_sign_in_code(
        current_session(),
        context.current_settings(),
        body.phone,
        client=context.client(),
        limits=context.rate_limits(),
    )
    return _kept_nowhere(told_with(CodeSent(token=made, expires_in=int(CODE_LIFETIME.total_seconds())), 202))


@resources.post("/verify/code")
@operation("Sign in by a code", body=PhoneCode, answer=Tokens)
def take_code(body: PhoneCode) -> Response:
    """Tokens for the `token` of /verify/send and the `code` that came by SMS."""
    account_id = check_sign_in_code(
        current_session(),
        body.token,
        body.code,
        client=context.client(),
        limits=context.rate_limits(),
    )
    if account_id is None:
        return _refused(_("This code is not right, or too old."))
    try:
        require_second_factor(current_session(), account_id, by="phone")
    except SecondFactorNeeded as more:
        return problem(401, str(more), challenge=more.challenge)
    return _tokens(
        open_app_sign_in(
            current_session(),
            context.current_settings(),
            account_id,
            body.device_name or context.device() or "",
        )
    )


def _needed(value: str | None, name: str) -> str:
    if value is None:
        raise InvalidInput(f"text of at most {_LONGEST} characters is needed", place=name)
    return value


def _tokens(made: AppTokens) -> Response:
    tokens = Tokens(
        access_token=made.access_token,
        token_type="Bearer",  # noqa: S106  # the scheme's name, no secret
        expires_in=made.expires_in,
        refresh_token=made.refresh_token,
    )
    return _kept_nowhere(told_with(tokens, 200))


def _kept_nowhere(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(detail: str) -> Response:
    answer = problem(401, detail)
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer
