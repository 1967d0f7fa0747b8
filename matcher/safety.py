"""When evidence is good enough to merge without a person: several things speak for it, nothing plain against it.

What is asked depends on the kind of evidence, the same for every catalogue. A shared identifier or rare model code
needs less probability; titles alone must leave less over on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from matcher.comparison import COMPARISONS, Comparison, Levels
from matcher.context import CONTEXT_COMPARISONS, Scores
from matcher.features import PAIR_FEATURES, Features

Flags = npt.NDArray[np.bool_]
_Said = Callable[..., Flags]

# Identified pairs are merged from this probability on, others from the model's own threshold.
LEAST_IF_IDENTIFIED = 0.7
_EQUAL_CODE = ("equal", "equal_and_more", "equal_and_different")
IDENTIFYING: Mapping[str, tuple[str, ...]] = {
    "gtin": ("equal",),
    "part_number": ("equal",),
    "model_code": _EQUAL_CODE,
}
# The same for every catalogue: a high probability alone does not merge what one of these forbids.
FORBIDDING: Mapping[str, tuple[str, ...]] = {
    "gtin": ("different",),
    "model_code": ("alike_but_different", "common_and_different"),
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
    "price": ("near",),
}
_LEAST_SUPPORT = 2
# From so much on that rivals of the same store take (log-odds, `matcher.rivals`) they are in question.
CONTESTED_FROM = 1.0
_RIVAL_BEHIND = ("ahead", "well_ahead", "far_ahead")
_RIVAL_FAR_BEHIND = ("well_ahead", "far_ahead")
# Of titles alone: what each leaves over, as a share of the rarest word there can be, and how alike they are.
_RARE_LEFT_OVER = 0.6
_RARE_LEFT_OVER_AT_OTHER_PRICES = 0.45
_VERY_RARE_LEFT_OVER = 0.85
_LEFT_OVER_BESIDE_AN_EDITION = 0.35
_ALIKE = 0.7
_RATHER_ALIKE = 0.6
_NEARLY_THE_SAME = 0.9
_SURE_DESPITE_OTHER_CODES = 0.8
_RATHER_SURE = 0.85
_SURE = 0.9
_SURE_DESPITE_MORE = 0.92
_VERY_SURE = 0.95


def is_identified(levels: Levels) -> Flags:
    """Whether pairs share a bar code, a part number or a rare model code (pairs x ALL_COMPARISONS)."""
    found = np.zeros(len(levels), dtype=bool)
    for comparison, names in IDENTIFYING.items():
        found |= _said(levels)(comparison, *names)
    return found


def is_safe(levels: Levels, features: Features, probabilities: Scores) -> Flags:
    """Whether pairs may be merged by themselves (pairs x ALL_COMPARISONS, pairs x FEATURES), rivals left aside."""
    said = _said(levels)
    forbidden = np.zeros(len(levels), dtype=bool)
    far_ahead = said("choice", "mutual") & said("rival", *_RIVAL_FAR_BEHIND)
    for comparison, names in FORBIDDING.items():
        forbidden |= said(comparison, *names)
    # A rare code says more than a word for an edition ("retail", "individual") or the second of two colours.
    known_by_code = said("model_code", "equal", "equal_and_more") & far_ahead & ~said("brand", "different")
    forbidden |= said("edition", "conflict") & ~known_by_code
    forbidden |= said("colour", "conflict") & ~(known_by_code & (_feature(features, "shared_colours") > 0))
    # Each fits the other best and a rival of the same store clearly worse: then one of them may say more.
    stands_out = said("choice", "mutual") & said("rival", *_RIVAL_BEHIND)
    says_more = said("model_code", "equal_and_more") & stands_out & ~said("brand", "different")
    same_code = said("model_code", "equal") & stands_out
    forbidden |= said("measure", "conflict") & ~(says_more | (same_code & ~said("brand", "different")))
    in_part = said("model_code", "one_contains_other") & said("brand", "equal") & far_ahead
    in_part &= probabilities >= _SURE_DESPITE_MORE
    forbidden |= said("number", "conflict") & ~(is_identified(levels) | in_part)
    forbidden |= said("measure", "some_agree") & ~is_identified(levels)
    # An accessory names what it is for, and has a brand or a code of its own.
    of_its_own = said("brand", "different") & ~same_code
    of_its_own |= said("model_code", "equal_and_more") & ~says_more
    forbidden |= said("accessory", "only_one") & of_its_own
    forbidden |= (_feature(features, "sister_codes") > 0) & ~says_more
    own_number = _has_own_number(said, probabilities)
    forbidden |= said("model_code", "conflict") & ~own_number
    forbidden |= ~is_identified(levels) & _leaves_too_much(said, features, probabilities, own_number)
    support = np.zeros(len(levels), dtype=np.int8)
    for comparison, names in SUPPORTING.items():
        support += said(comparison, *names)
    support += far_ahead
    enough = (support >= _LEAST_SUPPORT) | said("gtin", "equal")
    return np.asarray(~forbidden & enough)


def is_first_choice(levels: Levels, features: Features) -> Flags:
    """Whether at least one of the two fits no other offer better, or they share what no rival can share.

    That is a bar code, or a model code where nothing measured or counted differs and no very rare word is left
    over on both sides: offers of one product in many stores have many such fits, equally good.
    """
    said = _said(levels)
    same_code = said("model_code", "equal") & (
        _feature(features, "rarest_unmatched_word_low") < _VERY_RARE_LEFT_OVER
    )
    for comparison in ("number", "measure"):
        same_code &= ~said(comparison, "conflict", "some_agree")
    same_code &= ~said("edition", "conflict", "overlap")
    return np.asarray(~said("choice", "neither") | said("gtin", "equal") | same_code)


def _has_own_number(said: _Said, probabilities: Scores) -> Flags:
    """Whether one of two different codes may be a store's own article number and none of the maker's: nothing else
    comes near, the brand is no other and no number differs."""
    same_brand = said("brand", "equal")
    apart = said("rival", *_RIVAL_BEHIND, "alone")
    sure = apart & same_brand & (probabilities >= _SURE_DESPITE_OTHER_CODES)
    far_behind = said("rival", *_RIVAL_FAR_BEHIND) & (probabilities >= _RATHER_SURE)
    sure |= (far_behind | (apart & (probabilities >= _SURE))) & ~said("brand", "different")
    sure |= said("rival", "just_ahead") & same_brand & (probabilities >= _SURE)
    return np.asarray(sure & said("choice", "mutual") & ~said("number", "conflict", "some_agree"))


def _leaves_too_much(said: _Said, features: Features, probabilities: Scores, own_number: Flags) -> Flags:
    """Whether titles that share no rare code differ in what may be another product: rare words on both sides of
    titles that are not very alike, an edition word on one side alone beside other words, a rival nearly as good, or
    prices far apart."""
    left_over, alike = _feature(features, "rarest_unmatched_word_low"), _feature(features, "letter_likeness")
    same_brand, other_brand = said("brand", "equal"), said("brand", "different")
    measured = said("measure", "agree", "several_agree") & same_brand
    far_ahead = said("choice", "mutual") & said("rival", *_RIVAL_FAR_BEHIND) & ~other_brand
    ahead = said("choice", "mutual") & said("rival", *_RIVAL_BEHIND) & ~other_brand
    alone = (far_ahead & (probabilities >= _RATHER_SURE)) | (ahead & (probabilities >= _VERY_SURE))
    unlike = (left_over > _RARE_LEFT_OVER) & (alike < _ALIKE) & ~(measured | alone)
    dearer = said("price", "apart", "far") & (left_over > _RARE_LEFT_OVER_AT_OTHER_PRICES)
    edition = said("edition", "one_sided", "overlap") & (left_over > _LEFT_OVER_BESIDE_AN_EDITION)
    edition &= ~(far_ahead & same_brand & (probabilities >= _SURE_DESPITE_MORE))
    contested = said("rival", "just_ahead") & (alike < _RATHER_ALIKE)
    # A code that is a part of the other, or ends otherwise where nothing else fits, says as much as a word left over.
    ending = said("model_code", "other_ending") & said("choice", "mutual") & ~other_brand
    ending &= said("rival", "just_ahead", *_RIVAL_BEHIND)
    in_part = said("model_code", "one_contains_other") | ending
    in_part |= said("model_code", "conflict") & own_number
    much = (unlike | dearer | edition | contested) & ~in_part
    return np.asarray(much | (said("price", "far") & (alike < _NEARLY_THE_SAME)))


def _feature(features: Features, name: str) -> npt.NDArray[np.float32]:
    return np.asarray(features[:, PAIR_FEATURES.index(name)])


def _said(levels: Levels) -> _Said:
    def said(comparison: str, *names: str) -> Flags:
        column, known = _columns[comparison]
        return np.isin(levels[:, column], [known.level_names.index(name) for name in names])

    return said


_columns: Mapping[str, tuple[int, Comparison]] = {
    comparison.name: (column, comparison)
    for column, comparison in enumerate((*COMPARISONS, *CONTEXT_COMPARISONS))
}
