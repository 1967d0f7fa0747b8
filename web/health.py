"""What supervisors and robots ask: is the process up, can it serve, what may be read."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from aggregator.domain.errors import Click2CartError
from web.db import is_ready
from web.errors import problem

probes = Blueprint("health", __name__)

_ROBOTS = """User-agent: *
Disallow: /account
Disallow: /api/
Disallow: /cart
Disallow: /checkout
Disallow: /login
Disallow: /operations
Disallow: /search?
"""


@probes.get("/healthz")
def healthz() -> Response:
    """The process is up; nothing else is asked."""
    return jsonify(status="ok")


@probes.get("/readyz")
def readyz() -> Response:
    """The database answers and has this program's schema."""
    try:
        ready = is_ready()
    except (SQLAlchemyError, Click2CartError) as error:
        current_app.logger.warning("not ready: %s", error)
        return problem(503, "the database cannot be used")
    return jsonify(status="ok") if ready else problem(503, "the database waits for its migrations")


@probes.get("/robots.txt")
def robots() -> Response:
    """Products and stores may be read; carts, sign-in and endless search addresses are nobody's to crawl."""
    return Response(_ROBOTS, content_type="text/plain; charset=utf-8")
