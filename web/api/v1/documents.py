"""The API's own description."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from web.api.openapi import describe

resources = Blueprint("api", __name__, url_prefix="/api/v1")


@resources.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI 3.1 document."""
    return jsonify(describe())
