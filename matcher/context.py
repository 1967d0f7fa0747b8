"""What a pair looks like among its rivals: margins to other offers of the same store and to look-alikes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from matcher.columns import grouped, places
from matcher.comparison import Comparison, Levels
from matcher.parallel import parts_of
from matcher.preparation import Integers, PreparedCatalogue

Scores = npt.NDArray[np.float64]
_OFFERS_AT_ONCE = 50_000

_RIVAL_EDGES = [-4.0, -2.0, -1.0, -0.3, 0.3, 1.0, 2.0, 3.5]
_LOOK_ALIKE_EDGES = [-6.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.5, 5.0]

CONTEXT_COMPARISONS: tuple[Comparison, ...] = (
    Comparison(
        "rival",
        "unknown",
        {
            "far_behind": "Another offer of the same store fits far better.",
            "behind": "Another offer of the same store fits better.",
            "a_little_behind": "Another offer of the same store fits a little better.",
            "just_behind": "Another offer of the same store fits about as well or slightly better.",
            "level": "Another offer of the same store fits equally well.",
            "just_ahead": "It fits slightly better than the next offer of the same store.",
            "ahead": "It fits better than the next offer of the same store.",
            "well_ahead": "It fits clearly better than the next offer of the same store.",
            "far_ahead": "No other offer of the same store comes near.",
            "alone": "No other offer of either store is worth comparing.",
            "unknown": "The stores are not known, or list products several times.",
        },
        speaks_against=("far_behind", "behind", "a_little_behind", "just_behind"),
        speaks_for=("ahead", "well_ahead", "far_ahead"),
    ),
    Comparison(
        "look_alike",
        "unknown",
        {
            "less_by_6": "They are far less alike than different products of one store are.",
            "less_by_4": "They are much less alike than different products of one store are.",
            "less_by_2": "They are less alike than different products of one store are.",
            "less_by_1": "They are a little less alike than different products of one store are.",
            "slightly_less": "They are about as alike as different products of one store are.",
            "slightly_more": "They are slightly more alike than the nearest different products of their own stores.",
            "more_by_1": "They are a little more alike than the nearest different products of their own stores.",
            "more_by_2": "They are more alike than the nearest different products of their own stores.",
            "more_by_3": "They are much more alike than the nearest different products of their own stores.",
            "more_by_5": "They are far more alike than the nearest different products of their own stores.",
            "unknown": "Their own stores hold nothing alike to compare with.",
        },
        speaks_against=("less_by_6", "less_by_4", "less_by_2", "less_by_1"),
        speaks_for=("more_by_1", "more_by_2", "more_by_3", "more_by_5"),
    ),
    Comparison(
        "choice",
        "one_way",
        {
            "mutual": "Each is the other's best fit among all offers.",
            "one_way": "One is the other's best fit, but not the other way round.",
            "neither": "Both have better fits among all offers.",
        },
        speaks_for=("mutual",),
        speaks_against=("neither",),
    ),
)


@dataclass(frozen=True, slots=True)
class Contenders:
    """For each offer the best two fits in each store and overall, and its best look-alike at home.

    `keys` name an offer and a store where it has a fit, `crowded` those where it has a `second`; most have none.
    Scores are log-odds of the ranking weights; -inf stands for none.
    """

    keys: Integers
    best: Scores
    best_partner: npt.NDArray[np.int32]
    crowded: Integers
    second: Scores
    overall: Scores
    overall_partner: Integers
    overall_second: Scores
    look_alike: Scores
    stores: int


def from_both_ends(
    count: int, left: Integers, right: Integers, scores: Scores
) -> Iterator[tuple[int, int, Integers, Integers, Scores]]:
    """Each pair from either end, some of the first `count` offers after others: from which offer to before which, and
    the offers, their partners and scores. At least once, so that nothing has a shape, too."""
    ends = [(*grouped(one, count), one, other) for one, other in ((left, right), (right, left))]
    for first, last in parts_of(count, _OFFERS_AT_ONCE) or [(0, 0)]:
        here = [(order[starts[first] : starts[last]], one, other) for order, starts, one, other in ends]
        yield (
            first,
            last,
            np.concatenate([one[pair] for pair, one, _ in here]),
            np.concatenate([other[pair] for pair, _, other in here]),
            np.concatenate([scores[pair] for pair, _, _ in here]),
        )


def contenders_of(
    start: int, end: int, store: Integers, offer: Integers, partner: Integers, score: Scores
) -> tuple[npt.NDArray[Any], ...]:
    """The fields of Contenders up to `overall_second` for the offers from `start` to before `end`, of which all
    partners are given; `store` is that of each position, -1 where it is unknown."""
    key = offer * number_of_stores(store) + store[partner] + 1
    order = np.argsort(key, kind="stable")
    key, partner, score, place = key[order], partner[order], score[order], offer[order] - start
    first, best, best_partner, second = _best_two(key, partner, score)
    has_second = np.diff(np.r_[first, len(key)]) > 1
    overall, overall_second = np.full(end - start, -np.inf), np.full(end - start, -np.inf)
    overall_partner = np.full(end - start, -1, dtype=np.int64)
    known, *two = _best_two(place, partner, score)
    overall[place[known]], overall_partner[place[known]], overall_second[place[known]] = two
    return (
        key[first],
        best,
        best_partner.astype(np.int32),
        key[first[has_second]],
        second[has_second],
        overall,
        overall_partner,
        overall_second,
    )


def number_of_stores(store: Integers) -> int:
    """How many numbers of stores there are, that of the unknown one included."""
    return int(store.max(initial=-1)) + 2


def _best_two(group: Integers, partner: Integers, score: Scores) -> tuple[Integers, Scores, Integers, Scores]:
    """For each group (rising) where it begins, its best score, the first partner who has it, and the second best."""
    if not len(group):
        return np.empty(0, dtype=np.int64), score, partner, score
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    sizes = np.diff(np.r_[first, len(group)])
    best = np.maximum.reduceat(score, first)
    is_best = score == np.repeat(best, sizes)
    best_partner = np.minimum.reduceat(np.where(is_best, partner, np.iinfo(np.int64).max), first)
    is_best &= partner == np.repeat(best_partner, sizes)
    second = np.maximum.reduceat(np.where(is_best, -np.inf, score), first)
    return first, best, best_partner, second


def context_levels(
    catalogue: PreparedCatalogue, contenders: Contenders, left: Integers, right: Integers, scores: Scores
) -> Levels:
    """Levels of the context comparisons for any pairs, candidates or not: pairs x CONTEXT_COMPARISONS."""
    rival = np.maximum(
        rival_scores(catalogue, contenders, left, right), rival_scores(catalogue, contenders, right, left)
    )
    known = (catalogue.store[left] >= 0) & (catalogue.store[right] >= 0)
    if catalogue.statistics.stores_list_twice:
        known[:] = False
    alone = np.isneginf(rival)
    rival_level = np.digitize(scores - np.where(alone, 0, rival), _RIVAL_EDGES)
    rival_level = np.where(known, np.where(alone, 9, rival_level), 10)

    look_alike = np.maximum(contenders.look_alike[left], contenders.look_alike[right])
    nothing_alike = np.isneginf(look_alike)
    alike_level = np.digitize(scores - np.where(nothing_alike, 0, look_alike), _LOOK_ALIKE_EDGES)
    alike_level = np.where(nothing_alike, 10, alike_level)

    best_left = scores >= contenders.overall[left] - 1e-9
    best_right = scores >= contenders.overall[right] - 1e-9
    choice = np.where(best_left & best_right, 0, np.where(best_left | best_right, 1, 2))
    return np.column_stack([rival_level, alike_level, choice]).astype(np.int8)


def rival_scores(
    catalogue: PreparedCatalogue, contenders: Contenders, offer: Integers, partner: Integers
) -> Scores:
    """The best score that `offer` has in the store of `partner` with anyone but `partner`."""
    wanted = offer * contenders.stores + catalogue.store[partner] + 1
    if not len(contenders.keys):
        return np.full(len(offer), -np.inf)
    place, found = places(contenders.keys, wanted)
    own = contenders.best_partner[place] == partner
    result: Scores = np.where(found & ~own, contenders.best[place], -np.inf)
    place, has_second = places(contenders.crowded, wanted)
    has_second &= own
    result[has_second] = contenders.second[place[has_second]]
    return result
