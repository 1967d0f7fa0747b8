"""Titles that tell the variants of one product apart."""

from __future__ import annotations

from collections.abc import Iterable


def variant_title(title: str | None, values: Iterable[str]) -> str:
    """The product's title with those option values added that it does not name already."""
    start = title or ""
    missing = [value for value in values if value.casefold() not in start.casefold()]
    return " ".join([start, *missing]).strip()
