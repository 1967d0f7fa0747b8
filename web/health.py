"""What supervisors ask: is the process up, can it serve."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from aggregator.domain.errors import Click2CartError
from web.db import is_ready
from web.errors import problem

probes = Blueprint("health", __name__)


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
