"""Categories as shoppers read them: what stores file under different paths, as one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from aggregator.domain.products import FacetValue
from web.presenters import leaf

_JOINING_WORDS = frozenset({"and", "und", "et", "y", "e", "en", "i"})


@dataclass(frozen=True, slots=True)
class Category:
    """One choice: what people read, the stores' own paths behind it, how many products they hold."""

    label: str
    values: tuple[str, ...]
    count: int
    is_chosen: bool


def merged_categories(values: Iterable[FacetValue]) -> list[Category]:
    """One category for each last step of a path, however it is spelled; the largest first, chosen ones before."""
    by_name: defaultdict[frozenset[str], list[FacetValue]] = defaultdict(list)
    for value in values:
        by_name[category_key(value.label)].append(value)
    merged = [
        Category(
            leaf(max(same, key=lambda value: value.count).label),
            tuple(value.value for value in same),
            sum(value.count for value in same),
            any(value.is_chosen for value in same),
        )
        for same in by_name.values()
    ]
    return sorted(merged, key=lambda category: (not category.is_chosen, -category.count))


def category_key(label: str) -> frozenset[str]:
    """What is alike in "Home > Fridges & Freezers" and "Fridge freezers": the last step's words in the singular."""
    words = re.findall(r"\w+", leaf(label).casefold())
    singular = {
        word[:-1] if len(word) > 2 and word[-1] == "s" and word[-2] != "s" else word for word in words
    }
    return frozenset(singular - _JOINING_WORDS or singular or {label})
