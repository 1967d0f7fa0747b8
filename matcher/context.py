"""What a pair looks like among its rivals: margins to other offers of the same store and to look-alikes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from matcher.blocking import CandidatePairs
from matcher.columns import places
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


def find_contenders(
    catalogue: PreparedCatalogue, pairs: CandidatePairs, scores: Scores, alike_scores: Scores
) -> Contenders:
    """Summarise the candidates' ranking scores, and those of the look-alikes, for `context_levels`."""
    stores = int(catalogue.store.max(initial=-1)) + 2
    parts = [
        _contenders_of(first, last, offer * stores + catalogue.store[partner] + 1, offer, partner, score)
        for first, last, offer, partner, score in from_both_ends(len(catalogue), pairs, scores)
    ]
    look_alike = np.full(len(catalogue), -np.inf)
    np.maximum.at(look_alike, pairs.alike_left, alike_scores)
    np.maximum.at(look_alike, pairs.alike_right, alike_scores)
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Contenders(*(*columns, look_alike, stores))


def from_both_ends(
    count: int, pairs: CandidatePairs, scores: Scores
) -> Iterator[tuple[int, int, Integers, Integers, Scores]]:
    """Each pair from either end, some offers after others: from which offer to before which, and the offers, their
    partners and scores. At least once, so that nothing has a shape, too."""
    ends = [
        (np.argsort(one, kind="stable"), one, other)
        for one, other in ((pairs.left, pairs.right), (pairs.right, pairs.left))
    ]
    for first, last in parts_of(count, _OFFERS_AT_ONCE) or [(0, 0)]:
        here = [
            (order[slice(*np.searchsorted(one, [first, last], sorter=order))], one, other)
            for order, one, other in ends
        ]
        yield (
            first,
            last,
            np.concatenate([one[pair] for pair, one, _ in here]),
            np.concatenate([other[pair] for pair, _, other in here]),
            np.concatenate([scores[pair] for pair, _, _ in here]),
        )


def _contenders_of(
    start: int, end: int, key: Integers, offer: Integers, partner: Integers, score: Scores
) -> tuple[npt.NDArray[Any], ...]:
    """The fields of Contenders up to `overall_second` for the offers from `start` to before `end`."""
    order = np.lexsort((partner, -score, key))
    key, partner, score, offer = key[order], partner[order], score[order], offer[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.empty(0, dtype=np.int64)
    following = np.minimum(first + 1, max(len(key) - 1, 0))
    has_second = (following > first) & (key[following] == key[first])
    return (
        key[first],
        score[first],
        partner[first].astype(np.int32),
        key[first[has_second]],
        score[following[has_second]],
        *_best_two(end - start, offer - start, partner, score),
    )


def _best_two(
    count: int, offer: Integers, partner: Integers, score: Scores
) -> tuple[Scores, Integers, Scores]:
    """For each offer its best score, whose it is (-1: nobody's), and its second best."""
    best, second = np.full(count, -np.inf), np.full(count, -np.inf)
    best_partner = np.full(count, -1, dtype=np.int64)
    order = np.lexsort((partner, -score, offer))
    first = np.flatnonzero(np.r_[True, offer[order][1:] != offer[order][:-1]]) if len(order) else order
    best[offer[order][first]] = score[order][first]
    best_partner[offer[order][first]] = partner[order][first]
    following = first[first + 1 < len(order)] + 1
    following = following[offer[order][following] == offer[order][following - 1]]
    second[offer[order][following]] = score[order][following]
    return best, best_partner, second


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
