"""Signing in with a passkey: the page's script asks the browser, the browser asks its owner."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from aggregator.accounts.passkeys import begin_sign_in, finish_sign_in
from aggregator.domain.errors import InvalidInput
from web import context
from web.db import current_session
from web.entering import go_in, old_session_token
from web.told import error_words

pages = Blueprint("passkey_sign_in", __name__)


@pages.post("/login/passkey/options")
def options() -> Response:
    """What the browser is to sign."""
    return Response(begin_sign_in(current_session(), context.origin()), mimetype="application/json")


@pages.post("/login/passkey")
def sign_in() -> tuple[Response, int] | Response:
    """Take what was signed; the answer says where to go."""
    sent = request.get_json(silent=True)
    sent = sent if isinstance(sent, dict) else {}
    try:
        token = finish_sign_in(
            current_session(),
            context.origin(),
            sent.get("credential"),
            device=context.device(),
            replaces=old_session_token(),
        )
    except InvalidInput as error:
        return jsonify(problem=error_words(error)), 401
    next_path = sent.get("next")
    response = go_in(token, next_path if isinstance(next_path, str) else None)
    answer = jsonify(next=response.headers["Location"])
    for cookie in response.headers.getlist("Set-Cookie"):
        answer.headers.add("Set-Cookie", cookie)
    return answer
