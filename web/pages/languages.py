"""Choosing the language of the site."""

from __future__ import annotations

from flask import Blueprint, Response, request

from web.context import go_to, local_path, remember
from web.presenters import LANGUAGE_COOKIE, LANGUAGES

pages = Blueprint("languages", __name__)
_DAYS = 365


@pages.post("/language")
def choose() -> Response:
    """Remember the chosen language on this browser, and go back."""
    response = go_to(local_path(request.form.get("next"), "/"))
    chosen = request.form.get("language", "")
    return remember(response, LANGUAGE_COOKIE, chosen, days=_DAYS) if chosen in LANGUAGES else response
