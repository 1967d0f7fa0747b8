"""When evidence is good enough to merge without a person: several things speak for it, nothing plain against it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from matcher.comparison import COMPARISONS, Levels

# The same for every catalogue: a high probability alone does not merge what one of these forbids.
FORBIDDING: Mapping[str, tuple[str, ...]] = {
    "gtin": ("different",),
    "model_code": ("alike_but_different", "conflict", "common_and_different"),
    "brand": ("different",),
    "measure": ("conflict",),
    "number": ("conflict",),
    "colour": ("conflict",),
    "edition": ("conflict",),
    "pack": ("different",),
    "condition": ("different",),
    "variant": ("different", "same_group"),
}
# Each comparison here is one independent piece of evidence; a bar code needs no second.
SUPPORTING: Mapping[str, tuple[str, ...]] = {
    "part_number": ("equal",),
    "model_code": ("equal", "equal_and_more", "equal_and_different", "one_contains_other"),
    "brand": ("equal",),
    "title_letters": ("from_50", "from_60", "from_70", "from_80", "from_92"),
    "rarest_shared_word": ("from_55", "from_70", "from_85"),
    "measure": ("several_agree", "agree"),
    "number": ("several_agree", "agree"),
    "edition": ("equal",),
    "colour": ("equal",),
}
_LEAST_SUPPORT = 2


def is_safe(levels: Levels) -> npt.NDArray[np.bool_]:
    """Whether pairs may be merged by themselves, from their levels (the first columns are COMPARISONS)."""
    forbidden = np.zeros(len(levels), dtype=bool)
    support = np.zeros(len(levels), dtype=np.int8)
    for column, (forbids, supports) in enumerate(_tables()):
        forbidden |= forbids[levels[:, column]]
        support += supports[levels[:, column]]
    return np.asarray(~forbidden & (support >= _LEAST_SUPPORT))


@cache
def _tables() -> tuple[tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8]], ...]:
    """For each comparison, by level: whether it forbids, and how many pieces of evidence it is."""
    tables = []
    for comparison in COMPARISONS:
        names = comparison.level_names
        forbids = np.isin(names, FORBIDDING.get(comparison.name, ()))
        supports = np.isin(names, SUPPORTING.get(comparison.name, ())).astype(np.int8)
        if comparison.name == "gtin":
            supports[names.index("equal")] += _LEAST_SUPPORT
        tables.append((forbids, supports))
    return tuple(tables)
