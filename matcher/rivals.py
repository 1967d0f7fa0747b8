"""What rivals of one store take from a pair: a store lists a product once, so only one of its offers can be it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from matcher.columns import Numbers, places
from matcher.parallel import parts_of
from matcher.preparation import Integers, PreparedCatalogue

_Values = npt.NDArray[np.float64]
_ROUNDS = 5
_PAIRS_AT_ONCE = 100_000
_LEAST, _MOST = -4.0, 20.0  # log-odds; what is less likely claims nothing


@dataclass(frozen=True, slots=True)
class Claims:
    """How strongly offers claim partners in each other store, after what is left of them by their other choices.

    Belief propagation for matchings (Bayati, Shah, Sharma 2008), a fixed number of rounds, each message the geometric
    mean of two: four offers that fit four of another store equally well get a fourth each, and an offer that another
    one fits better hardly contests. `keys` name an offer and a store, `total` sums up the claims of that store's
    offers on it; `pairs` name the pairs, `on_left` and `on_right` are the claim of each on either end.
    """

    store: Integers
    stores: int
    keys: Numbers
    total: _Values
    pairs: Integers
    on_left: _Values
    on_right: _Values

    @classmethod
    def of(cls, catalogue: PreparedCatalogue, left: Integers, right: Integers, scores: _Values) -> Self:
        """Claims by the log-odds of pairs, each pair once; pairs where a store is unknown claim nothing."""
        store = catalogue.store
        stores = int(store.max(initial=-1)) + 1
        fits = len(catalogue) * max(stores, 1) <= np.iinfo(np.int32).max
        known = (store[left] >= 0) & (store[right] >= 0) & (scores > _LEAST)
        left, right, odds = left[known], right[known], np.exp(np.minimum(scores[known], _MOST))
        pairs = left * len(catalogue) + right
        ends: Numbers = np.empty(2 * len(left), dtype=np.int32 if fits else np.int64)
        ends[: len(left)] = left * stores + store[right]
        ends[len(left) :] = right * stores + store[left]
        del left, right, known
        keys, group = _numbered(ends)
        of_left, of_right = np.split(group, 2)

        def summed(on_left: _Values, on_right: _Values) -> _Values:
            total = np.asarray(np.bincount(of_left, on_left, len(keys)), dtype=np.float64)
            total += np.bincount(of_right, on_right, len(keys))
            return total

        def contested(total: _Values, group: Numbers, own: _Values) -> _Values:
            result: _Values = total[group]
            result -= own
            return np.maximum(result, 0.0, out=result)

        on_left, on_right = odds.copy(), odds.copy()
        for _ in range(_ROUNDS):
            total = summed(on_left, on_right)
            left_contested = contested(total, of_left, on_left)
            right_contested = contested(total, of_right, on_right)
            for claim, against in ((on_left, right_contested), (on_right, left_contested)):
                claim *= odds
                against += 1
                claim /= against
                np.sqrt(claim, out=claim)
        total = summed(on_left, on_right)
        if (pairs[1:] < pairs[:-1]).any():
            order = np.argsort(pairs, kind="stable")
            pairs, on_left, on_right = pairs[order], on_left[order], on_right[order]
        return cls(store, stores, keys, total, pairs, on_left, on_right)

    def taken(self, left: Integers, right: Integers) -> tuple[_Values, _Values]:
        """What rivals of either offer take on the other one, in log-odds of the pairs: first on the offer that comes
        first in the catalogue. Zero where nothing else in the store is claimed or a store is unknown."""
        first, second = np.minimum(left, right), np.maximum(left, right)
        place, found = places(self.pairs, first * len(self.store) + second)
        known = (self.store[left] >= 0) & (self.store[right] >= 0)
        result = []
        for one, other, own in ((first, second, self.on_left), (second, first, self.on_right)):
            key, held = places(
                self.keys, (one * self.stores + self.store[other]).astype(self.keys.dtype, copy=False)
            )
            total = np.where(held & known, self.total[key] if len(self.keys) else 0.0, 0.0)
            mine = np.where(found, own[place] if len(own) else 0.0, 0.0)
            result.append(np.log1p(np.maximum(total - mine, 0.0)))
        return result[0], result[1]


def taken_by_rivals(
    catalogue: PreparedCatalogue, left: Integers, right: Integers, scores: _Values
) -> _Values:
    """What rivals take of each of the pairs, by their log-odds; nothing where stores list products twice."""
    if catalogue.statistics.stores_list_twice:
        return np.zeros(len(left), dtype=np.float64)
    claims = Claims.of(catalogue, left, right, scores)
    result = np.empty(len(left), dtype=np.float64)
    for start, end in parts_of(len(left), _PAIRS_AT_ONCE):
        np.add(*claims.taken(left[start:end], right[start:end]), out=result[start:end])
    return result


def _numbered(values: Numbers) -> tuple[Numbers, Numbers]:
    """The distinct values in order, and which of them each value is."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    is_first = np.ones(len(values), dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    number = np.empty(len(values), dtype=np.int32)
    number[order] = np.cumsum(is_first, dtype=np.int32) - 1
    return ordered[is_first], number
