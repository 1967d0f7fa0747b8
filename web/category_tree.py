"""The tree of categories as visitors read it: names in their language, counts that may be a minute old."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask, current_app
from flask_babel import get_locale

from aggregator.catalog.taxonomy import category_counts
from aggregator.domain.taxonomy import Category, categories, children, departments
from aggregator.settings import Settings
from web.db import current_session

_KEPT = "click2cart.category_counts"
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Branch:
    """A category with what it holds; `children` are those that hold anything, the largest first."""

    key: str
    name: str
    count: int
    children: tuple[Branch, ...] = ()


def prepare(app: Flask, _settings: Settings) -> None:
    """Let templates name categories."""
    app.jinja_env.globals.update(category_trail=category_trail)
    app.jinja_env.filters.update(category_name=category_name)


def category_name(key: str) -> str:
    """What a category is called in the visitor's language."""
    locale = get_locale()
    return categories()[key].name(locale.language if locale else "en")


def category_trail(key: str | None) -> tuple[Category, ...]:
    """From the department down to the category; nothing for what is in none."""
    found = categories().get(key or "")
    if found is None:
        return ()
    return (categories()[found.parent], found) if found.parent else (found,)


def department_branches() -> list[Branch]:
    """Every department that holds a product, the largest first, each with its categories."""
    counts = _counts()
    found = [branch_of(department.key, counts) for department in departments() if department.key in counts]
    return sorted(found, key=lambda branch: (branch.key == "other", -branch.count))


def branch_of(key: str, counts: Mapping[str, int] | None = None) -> Branch:
    """A category with its children and counts."""
    counts = _counts() if counts is None else counts
    below = [
        Branch(child.key, category_name(child.key), counts[child.key])
        for child in children(key)
        if child.key in counts
    ]
    below.sort(key=lambda branch: -branch.count)
    return Branch(key, category_name(key), counts.get(key, 0), tuple(below))


def _counts() -> Mapping[str, int]:
    kept: tuple[float, Mapping[str, int]] | None = current_app.extensions.get(_KEPT)
    if kept is None or time.monotonic() - kept[0] > _SECONDS or not kept[1]:
        kept = time.monotonic(), category_counts(current_session())
        current_app.extensions[_KEPT] = kept
    return kept[1]
