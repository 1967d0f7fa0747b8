"""When evidence is good enough to merge without a person: several things speak for it, nothing plain against it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from matcher.comparison import COMPARISONS, Comparison, Levels
from matcher.context import CONTEXT_COMPARISONS
from matcher.features import PAIR_FEATURES, Features

# The same for every catalogue: a high probability alone does not merge what one of these forbids.
FORBIDDING: Mapping[str, tuple[str, ...]] = {
    "gtin": ("different",),
    "model_code": ("alike_but_different", "conflict", "common_and_different"),
    "measure": ("conflict",),
    "colour": ("conflict",),
    "edition": ("conflict",),
    "pack": ("different",),
    "condition": ("different",),
    "variant": ("different", "same_group"),
}
# Each comparison here is one independent piece of evidence; a bar code needs no second.
SUPPORTING: Mapping[str, tuple[str, ...]] = {
    "gtin": ("equal",),
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
_EQUAL_CODE = ("equal", "equal_and_more", "equal_and_different")
_RIVAL_AS_GOOD = ("far_behind", "behind", "a_little_behind", "just_behind", "level")


def is_safe(levels: Levels, features: Features) -> npt.NDArray[np.bool_]:
    """Whether pairs may be merged by themselves (pairs x ALL_COMPARISONS, pairs x FEATURES)."""

    def said(comparison: str, *names: str) -> npt.NDArray[np.bool_]:
        column, known = _columns[comparison]
        return np.isin(levels[:, column], [known.level_names.index(name) for name in names])

    forbidden = np.zeros(len(levels), dtype=bool)
    for comparison, names in FORBIDDING.items():
        forbidden |= said(comparison, *names)
    # A number may be anything; beside an equal code it says little.
    forbidden |= said("number", "conflict") & ~said("model_code", *_EQUAL_CODE)
    # Where another offer of the same store fits as well, only an equal code tells which of them it is.
    forbidden |= said("rival", *_RIVAL_AS_GOOD) & ~said("model_code", "equal", "equal_and_more")
    # An accessory names what it is for, and has a brand or a code of its own.
    of_its_own = said("brand", "different") | said("model_code", "equal_and_more")
    forbidden |= said("accessory", "only_one") & of_its_own
    forbidden |= features[:, PAIR_FEATURES.index("sister_codes")] > 0
    support = np.zeros(len(levels), dtype=np.int8)
    for comparison, names in SUPPORTING.items():
        support += said(comparison, *names)
    enough = (support >= _LEAST_SUPPORT) | said("gtin", "equal")
    return np.asarray(~forbidden & enough)


def is_first_choice(levels: Levels) -> npt.NDArray[np.bool_]:
    """Whether at least one of the two fits no other offer better, or their bar codes are equal."""
    column, known = _columns["choice"]
    neither = levels[:, column] == known.level_names.index("neither")
    column, known = _columns["gtin"]
    return np.asarray(~neither | (levels[:, column] == known.level_names.index("equal")))


_columns: Mapping[str, tuple[int, Comparison]] = {
    comparison.name: (column, comparison)
    for column, comparison in enumerate((*COMPARISONS, *CONTEXT_COMPARISONS))
}
