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
class KeptClaims:
    """Claims of pairs that an earlier run settled: they count beside those to be found and do not change."""

    left: Integers
    right: Integers
    on_left: _Values
    on_right: _Values

    @classmethod
    def of(
        cls,
        left: Integers,
        right: Integers,
        scores: npt.NDArray[np.floating],
        taken_left: npt.NDArray[np.floating],
        taken_right: npt.NDArray[np.floating],
    ) -> Self:
        """From the log-odds of pairs and what rivals take of them at either end: the claim on one end is what is left
        of the pair at the other."""
        kept = np.flatnonzero(scores > _LEAST)
        odds = np.minimum(scores[kept].astype(np.float64), _MOST)
        on_left, on_right = np.exp(odds - taken_right[kept]), np.exp(odds - taken_left[kept])
        return cls(left[kept], right[kept], on_left, on_right)


@dataclass(frozen=True, slots=True)
class Claims:
    """How strongly offers claim partners in each other store, after what is left of them by their other choices.

    Belief propagation for matchings (Bayati, Shah, Sharma 2008), a fixed number of rounds, each message the geometric
    mean of two: four offers that fit four of another store equally well get a fourth each, and an offer that another
    one fits better hardly contests. `keys` name an offer and a store, `total` sums up the claims of that store's
    offers on it; `pairs` name the pairs, `on_left` and `on_right` are the claim of each on either end, which are among
    the claims of the keys `of_left` and `of_right`.
    """

    store: Integers
    stores: int
    keys: Numbers
    total: _Values
    pairs: Integers
    on_left: _Values
    on_right: _Values
    of_left: Numbers
    of_right: Numbers

    @classmethod
    def of(
        cls, store: Integers, left: Integers, right: Integers, scores: _Values, kept: KeptClaims | None = None
    ) -> Self:
        """Claims by the log-odds of pairs, each pair once; pairs where a store is unknown claim nothing.

        `store` is that of each position, -1 where it is unknown.
        """
        stores = int(store.max(initial=-1)) + 1
        fits = len(store) * max(stores, 1) <= np.iinfo(np.int32).max
        known = (store[left] >= 0) & (store[right] >= 0) & (scores > _LEAST)
        left, right, odds = left[known], right[known], np.exp(np.minimum(scores[known], _MOST))
        count = len(left)
        if kept is not None:
            settled_too = (store[kept.left] >= 0) & (store[kept.right] >= 0)
            left = np.concatenate([left, kept.left[settled_too]])
            right = np.concatenate([right, kept.right[settled_too]])
        pairs = left * len(store) + right
        ends: Numbers = np.empty(2 * len(left), dtype=np.int32 if fits else np.int64)
        ends[: len(left)] = left * stores + store[right]
        ends[len(left) :] = right * stores + store[left]
        del left, right, known
        keys, group = _numbered(ends)
        del ends
        of_left, of_right = np.split(group, 2)
        on_left, on_right = odds.copy(), odds.copy()
        settled: _Values | float = 0.0
        if kept is not None:
            on_left = np.concatenate([on_left, kept.on_left[settled_too]])
            on_right = np.concatenate([on_right, kept.on_right[settled_too]])
            settled = np.asarray(np.bincount(of_left[count:], on_left[count:], len(keys)), dtype=np.float64)
            settled += np.bincount(of_right[count:], on_right[count:], len(keys))

        def summed() -> _Values:
            total = np.asarray(np.bincount(of_left[:count], on_left[:count], len(keys)), dtype=np.float64)
            total += np.bincount(of_right[:count], on_right[:count], len(keys))
            total += settled
            return total

        def contested(group: Numbers, own: _Values) -> _Values:
            result: _Values = total[group]
            result -= own
            return np.maximum(result, 0.0, out=result)

        total = summed()
        for _ in range(_ROUNDS):
            for start, end in parts_of(count, _PAIRS_AT_ONCE):
                claims = on_left[start:end], on_right[start:end]
                left_contested = contested(of_left[start:end], claims[0])
                right_contested = contested(of_right[start:end], claims[1])
                for claim, against in zip(claims, (right_contested, left_contested), strict=True):
                    claim *= odds[start:end]
                    against += 1
                    claim /= against
                    np.sqrt(claim, out=claim)
            del total  # no two of them at a time
            total = summed()
        if (pairs[1:] < pairs[:-1]).any():
            order = np.argsort(pairs, kind="stable")
            pairs, on_left, on_right = pairs[order], on_left[order], on_right[order]
            of_left, of_right = of_left[order], of_right[order]
        return cls(store, stores, keys, total, pairs, on_left, on_right, of_left, of_right)

    def taken(self, left: Integers, right: Integers) -> tuple[_Values, _Values]:
        """What rivals of either offer take on the other one, in log-odds of the pairs: first on the offer that comes
        first in the catalogue. Zero where nothing else in the store is claimed or a store is unknown."""
        first, second = np.minimum(left, right), np.maximum(left, right)
        place, found = places(self.pairs, first * len(self.store) + second)
        known = (self.store[left] >= 0) & (self.store[right] >= 0)
        result = []
        for one, other, own, of in (
            (first, second, self.on_left, self.of_left),
            (second, first, self.on_right, self.of_right),
        ):
            against = np.zeros(len(left))
            against[found] = self.total[of[place[found]]] - own[place[found]]
            strange = np.flatnonzero(known & ~found)
            sought = one[strange] * self.stores + self.store[other[strange]]
            key, held = places(self.keys, sought.astype(self.keys.dtype, copy=False))
            against[strange[held]] = self.total[key[held]]
            result.append(np.log1p(np.maximum(against, 0.0)))
        return result[0], result[1]

    def taken_of_all(self, left: Integers, right: Integers) -> tuple[_Values, _Values]:
        """The same of many pairs, some at a time."""
        on_first, on_second = np.empty(len(left)), np.empty(len(left))
        for start, end in parts_of(len(left), _PAIRS_AT_ONCE):
            on_first[start:end], on_second[start:end] = self.taken(left[start:end], right[start:end])
        return on_first, on_second


def taken_by_rivals(
    catalogue: PreparedCatalogue, left: Integers, right: Integers, scores: _Values
) -> _Values:
    """What rivals take of each of the pairs, by their log-odds; nothing where stores list products twice."""
    if catalogue.statistics.stores_list_twice:
        return np.zeros(len(left), dtype=np.float64)
    on_first, on_second = Claims.of(catalogue.store, left, right, scores).taken_of_all(left, right)
    on_first += on_second
    return on_first


def _numbered(values: Numbers) -> tuple[Numbers, Numbers]:
    """The distinct values in order, and which of them each value is."""
    order = _in_order(values)
    ordered = values[order]
    is_first = np.ones(len(values), dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    number = np.empty(len(values), dtype=np.int32)
    number[order] = np.cumsum(is_first, dtype=np.int32) - 1
    return ordered[is_first], number


def _in_order(values: Numbers) -> Numbers:
    """The places of the values in rising order; NumPy sorts numbers of two bytes by counting, which is fastest."""
    if values.itemsize > 4:
        return np.argsort(values, kind="stable")
    # At most 2 ** 31 values, as they are made of numbers of four bytes.
    order = np.argsort((values & 0xFFFF).astype(np.uint16), kind="stable").astype(np.int32)
    return order[np.argsort((values >> 16).astype(np.uint16)[order], kind="stable")]
