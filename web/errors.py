"""Errors as people (a page) and programs (RFC 9457 problem+json) see them."""

from __future__ import annotations

import json
from http import HTTPStatus

from flask import Flask, Response, current_app, render_template, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from aggregator.domain.errors import (
    Click2CartError,
    Conflict,
    EnvironmentProblem,
    InvalidInput,
    NotFound,
    SecondFactorNeeded,
    StoreError,
    TooManyAttempts,
)
from aggregator.settings import Settings
from web.db import roll_back
from web.told import error_words

_STATUS: tuple[tuple[type[Click2CartError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (SecondFactorNeeded, HTTPStatus.UNAUTHORIZED),
    (EnvironmentProblem, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreError, HTTPStatus.BAD_GATEWAY),
)


def prepare(app: Flask, _settings: Settings) -> None:
    """Answer every error in the shape the asker reads."""
    app.register_error_handler(Click2CartError, _explained)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(Exception, _unexpected)


def problem(status: int, detail: str, *, title: str | None = None, **more: str) -> Response:
    """An RFC 9457 problem document; `more` are members of its own."""
    body = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": request.path,
        **more,
    }
    return Response(json.dumps(body), status, content_type="application/problem+json")


def _answer(status: int, detail: str) -> Response:
    if request.path.startswith("/api/") or request.path in {"/healthz", "/readyz"}:
        return problem(status, detail)
    page = render_template("errors/error.html", status=status, heading=_heading(status), detail=detail)
    return Response(page, status)


def _heading(status: int) -> str:
    headings = {
        400: _("That could not be used"),
        403: _("This is not open to you"),
        404: _("Nothing is here"),
        405: _("That address takes no such request"),
        409: _("That is done already"),
        413: _("That was too much at once"),
        429: _("Too many tries"),
        503: _("We are out of order for a moment"),
    }
    return str(headings.get(status, _("Something went wrong on our side")))


def _explained(error: Click2CartError) -> Response:
    roll_back()
    status = next(
        (code for kind, code in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR
    )
    if isinstance(error, EnvironmentProblem):
        # Its words are for the operator: hosts and ports are nobody else's business.
        current_app.logger.error("%s", error)
        return _answer(status, _("Your cart is kept. Try again in a minute."))
    response = _answer(status, error_words(error))
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _http(error: HTTPException) -> Response:
    roll_back()
    if error.code is None or error.code < 400:
        return Response(error.get_response().get_data(), error.code or 200, dict(error.get_headers()))
    if isinstance(error, CSRFError):
        detail = _("The page was open for too long. Go back, reload it and press again; nothing was changed.")
    elif error.code == 404:
        detail = _("The address is wrong, or what was there is gone.")
    else:
        detail = error.description or ""
    response = _answer(error.code, detail)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _database_away(error: OperationalError) -> Response:
    roll_back()
    current_app.logger.error("the database does not answer: %s", error.orig)
    return _answer(503, _("Your cart is kept. Try again in a minute."))


def _unexpected(error: Exception) -> Response:
    roll_back()
    current_app.logger.exception("unexpected error at %s", request.path, exc_info=error)
    try:
        return _answer(500, _("It was written down. Your cart is kept; try again in a minute."))
    except Exception:  # the page's head may fail for the same reason as the page
        return Response(
            "Something went wrong on our side. Try again in a minute.\n", 500, content_type="text/plain"
        )
