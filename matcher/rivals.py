"""What rivals of one store take from a pair: a store lists a product once, so only one of its offers can be it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from matcher.context import Scores
from matcher.preparation import Integers, PreparedCatalogue

_ROUNDS = 10


def taken_by_rivals(catalogue: PreparedCatalogue, left: Integers, right: Integers, scores: Scores) -> Scores:
    """How much lower, in log-odds, each pair is if an offer has at most one partner in each other store.

    An offer's claim on a partner counts as much as its own other choices in the partner's store leave of it: belief
    propagation for matchings (Bayati, Shah, Sharma 2008), a fixed number of rounds, each pair's message the
    geometric mean of two rounds. Four offers that fit four of another store equally well get a fourth each.
    Zero where a store is unknown. A pair takes nothing from pairs that share no offer with it.
    """
    known = (catalogue.store[left] >= 0) & (catalogue.store[right] >= 0)
    stores = int(catalogue.store.max(initial=-1)) + 1
    of_left = _numbered(left * stores + catalogue.store[right])
    of_right = _numbered(right * stores + catalogue.store[left])
    odds = np.where(known, np.exp(scores), 0.0)
    from_left, from_right = odds, odds
    for _ in range(_ROUNDS):
        left_over, right_over = _others(of_left, from_left), _others(of_right, from_right)
        from_left = np.sqrt(from_left * odds / (1 + right_over))
        from_right = np.sqrt(from_right * odds / (1 + left_over))
    taken = np.log1p(_others(of_left, from_left)) + np.log1p(_others(of_right, from_right))
    return np.where(known, taken, 0.0)


def _numbered(keys: Integers) -> Integers:
    return np.asarray(np.unique(keys, return_inverse=True)[1], dtype=np.int64)


def _others(group: Integers, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The sum of each one's group without itself."""
    return np.maximum(np.bincount(group, values)[group] - values, 0.0)
