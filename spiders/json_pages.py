"""JSON in pages that detection fetched."""

from __future__ import annotations

from typing import Any

from aggregator.domain.errors import UnreadableAnswer
from aggregator.domain.stores import Page
from aggregator.fetching import Answer


def page_json(page: Page | None) -> Any:
    """The page's JSON document as `Answer.json` reads it; None where there is none to read."""
    if page is None or page.status != 200:
        return None
    try:
        return Answer(page.url, page.status, page.headers, page.text.encode("utf-8", "replace")).json()
    except UnreadableAnswer:
        return None
