"""Titles that tell the variants of one product apart."""

from __future__ import annotations

import re
from collections.abc import Iterable


def variant_title(title: str | None, values: Iterable[str]) -> str:
    """The product's title with those option values added that it does not name already as words of its own."""
    start = title or ""
    return " ".join([start, *(value for value in values if not _names(start, value))]).strip()


def _names(title: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", title, re.IGNORECASE) is not None
