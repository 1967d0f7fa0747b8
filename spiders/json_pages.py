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


def is_bare_api(page: Page) -> bool:
    """Whether an address answers like a server without a site of its own: no page, or a few words of JSON."""
    kind = page.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = page.text[:2000].lower()
    if kind.endswith("json") or start.lstrip().startswith("{"):
        return True
    return page.status in {400, 401, 403, 404, 405} or (
        page.status == 200 and "<body" not in start and len(start) < 300
    )
