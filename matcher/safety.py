"""When evidence is good enough to merge without a person: several things speak for it, nothing plain against it."""

from __future__ import annotations

from collections.abc import Mapping

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
    for column, comparison in enumerate(COMPARISONS):
        names = comparison.level_names
        against = [names.index(level) for level in FORBIDDING.get(comparison.name, ())]
        speaking = [names.index(level) for level in SUPPORTING.get(comparison.name, ())]
        if against:
            forbidden |= np.isin(levels[:, column], against)
        if speaking:
            support += np.isin(levels[:, column], speaking)
        if comparison.name == "gtin":
            support += _LEAST_SUPPORT * (levels[:, column] == names.index("equal")).astype(np.int8)
    return np.asarray(~forbidden & (support >= _LEAST_SUPPORT))
