"""Choosing the language of the site."""

from __future__ import annotations

from flask import Blueprint, Response, request

from aggregator.accounts.profiles import set_language
from web.context import current_account, go_to, local_path, remember
from web.db import current_session
from web.presenters import LANGUAGE_COOKIE, LANGUAGES

pages = Blueprint("languages", __name__)
_DAYS = 365


@pages.post("/language")
def choose() -> Response:
    """Remember the chosen language on this browser, for mails to its account too, and go back."""
    response = go_to(local_path(request.form.get("next"), "/"))
    chosen = request.form.get("language", "")
    account = current_account()
    if account is not None and chosen in LANGUAGES:
        set_language(current_session(), account.account_id, chosen)
    return remember(response, LANGUAGE_COOKIE, chosen, days=_DAYS) if chosen in LANGUAGES else response
