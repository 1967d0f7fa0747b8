"""Best-first merging of clusters under constraints."""

from __future__ import annotations

import heapq
from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from matcher.columns import Integers
from matcher.parallel import parts_of

_PAIRS_AT_ONCE = 100_000

# Minus the mean score of two clusters, so that the best come first; the two, the smaller number first; their pair.
_Candidate = tuple[float, int, int, int]


@dataclass(frozen=True, slots=True)
class Traits:
    """What the rules ask of a cluster.

    Two never join where of an attribute that both have in `natures` either has a value that the other has not, nor
    where they have any of `once` in common. What is equal may be one object in many of them.
    """

    natures: Mapping[str, frozenset[Hashable]]
    once: frozenset[int]

    def agree(self, other: Traits) -> bool:
        """Whether the rules let the two be one cluster."""
        return self.once.isdisjoint(other.once) and (
            self.natures is other.natures
            or all(
                values <= other.natures[attribute] or other.natures[attribute] <= values
                for attribute, values in self.natures.items()
                if attribute in other.natures
            )
        )

    def united(self, other: Traits) -> Traits:
        """What the rules ask of the two as one cluster, whether they agree or not."""
        natures = self.natures
        if natures is not other.natures:
            none: frozenset[Hashable] = frozenset()
            new = {
                attribute: values | natures.get(attribute, none)
                for attribute, values in other.natures.items()
                if not values <= natures.get(attribute, none)
            }
            natures = {**natures, **new} if new else natures
        return Traits(natures, self.once | other.once)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of clusters by number, `one` before `other`, each once and in order.

    `totals` are the sums of the scores known between their offers, `known` is how many those are.
    """

    one: npt.NDArray[np.int32]
    other: npt.NDArray[np.int32]
    totals: npt.NDArray[np.float64]
    known: npt.NDArray[np.int32]

    @classmethod
    def summed(
        cls,
        one: Integers,
        other: Integers,
        scores: npt.NDArray[np.float64],
        times: Integers | None = None,
    ) -> Self:
        """From pairs of offers, given by the numbers of their clusters; a score is the sum of as many as `times`
        says, or of one."""
        between = one != other
        width = int(max(one.max(initial=0), other.max(initial=0))) + 1
        keys, pair = np.unique(
            (np.minimum(one, other) * width + np.maximum(one, other))[between], return_inverse=True
        )
        return cls(
            (keys // width).astype(np.int32),
            (keys % width).astype(np.int32),
            np.bincount(pair, scores[between], len(keys)).astype(np.float64, copy=False),
            np.bincount(pair, None if times is None else times[between], len(keys)).astype(np.int32),
        )


class Merging:
    """Clusters that grow by merging, numbered from 0; a united one goes by the smaller number.

    What lies between clusters that never merge, which most do not, stays in arrays: the neighbours of a cluster
    are only gathered when it merges for the first time.
    """

    def __init__(
        self,
        sizes: Integers,
        traits: list[Traits],
        pairs: Pairs,
        apart: Iterable[tuple[int, int]] = (),
        *,
        missing: float,
    ) -> None:
        self._owner = list(range(len(sizes)))
        self._sizes: list[int] = sizes.tolist()
        self._traits = traits
        self._missing = missing
        self._apart: defaultdict[int, set[int]] = defaultdict(set)
        for one, other in apart:
            self._apart[one].add(other)
            self._apart[other].add(one)
        self._one, self._other = pairs.one, pairs.other
        self._totals = array("d", pairs.totals.tobytes())
        self._known = array("i", pairs.known.tobytes())
        # Where the pairs begin that a cluster comes first in, and among `_by_other` those that it comes second in.
        starts = np.searchsorted(pairs.one, np.arange(len(sizes) + 1)).astype(np.int32)
        self._starts: list[int] = starts.tolist()
        by_other = sparse.csr_matrix(
            (np.arange(len(pairs.one), dtype=np.int32), pairs.other, starts), shape=(len(sizes),) * 2
        ).tocsc()
        self._other_starts: list[int] = by_other.indptr.tolist()
        self._by_other, self._one_by_other = by_other.data, by_other.indices
        self._neighbours: dict[int, dict[int, int]] = {}
        """Of those that merged: other cluster -> their pair, whose total and known count are kept up."""
        self._heap: list[_Candidate] = []

    def merge(self, threshold: float, may_grow: npt.NDArray[np.bool_]) -> Integers:
        """Merge the best two clusters as long as their mean reaches the threshold and one of them may grow; what
        became of each is the number of the cluster that it is in."""
        owner, heap = self._owner, self._heap
        for negative, one, other, pair in self._best_first(threshold, may_grow):
            if owner[one] != one or owner[other] != other:
                continue
            if self._mean(pair, one, other) != -negative or not self._allowed(one, other):
                continue
            self._unite(one, other)
            for neighbour, between in self._neighbours[one].items():
                mean = self._mean(between, one, neighbour)
                if mean >= threshold:
                    ends = (one, neighbour) if one < neighbour else (neighbour, one)
                    heapq.heappush(heap, (-mean, *ends, between))
        return np.array([self._top(number) for number in range(len(self._owner))], dtype=np.int64)

    def _best_first(self, threshold: float, may_grow: npt.NDArray[np.bool_]) -> Iterator[_Candidate]:
        """Pairs that reach the threshold, those that come up meanwhile among them."""
        heap = self._heap
        means = self._means()
        hopeful = np.flatnonzero((means >= threshold) & (may_grow[self._one] | may_grow[self._other]))
        hopeful = hopeful[np.argsort(-means[hopeful], kind="stable")]
        means = means[hopeful]
        for start, end in parts_of(len(hopeful), _PAIRS_AT_ONCE):
            here = hopeful[start:end]
            columns = (-means[start:end], self._one[here], self._other[here], here)
            for candidate in zip(*(column.tolist() for column in columns), strict=True):
                while heap and heap[0] < candidate:
                    yield heapq.heappop(heap)
                yield candidate
        while heap:
            yield heapq.heappop(heap)

    def _means(self) -> npt.NDArray[np.float64]:
        """As `_mean`, of all pairs to begin with."""
        sizes, known = np.array(self._sizes), np.frombuffer(self._known, dtype=np.int32)
        possible = sizes[self._one] * sizes[self._other]
        means: npt.NDArray[np.float64] = np.frombuffer(self._totals) + (possible - known) * self._missing
        means /= possible
        return means

    def _mean(self, pair: int, one: int, other: int) -> float:
        """Mean log-odds over all pairs of offers between two clusters, the unknown ones counted as missing."""
        possible = self._sizes[one] * self._sizes[other]
        return (self._totals[pair] + (possible - self._known[pair]) * self._missing) / possible

    def _allowed(self, one: int, other: int) -> bool:
        return self._traits[one].agree(self._traits[other]) and other not in self._apart.get(one, ())

    def _top(self, number: int) -> int:
        """The cluster that a former one is in."""
        owner = self._owner
        while owner[number] != number:
            owner[number] = number = owner[owner[number]]
        return owner[number]

    def _unite(self, keep: int, drop: int) -> None:
        kept, dropped = self._gathered(keep), self._gathered(drop)
        del self._neighbours[drop], kept[drop], dropped[keep]
        keep = self._owner[drop] = self._owner[keep]
        self._sizes[keep] += self._sizes[drop]
        self._traits[keep] = self._traits[keep].united(self._traits[drop])
        for stranger in self._apart.pop(drop, ()):
            self._apart[stranger].remove(drop)
            self._apart[stranger].add(keep)
            self._apart[keep].add(stranger)
        for neighbour, pair in dropped.items():
            common = kept.setdefault(neighbour, pair)
            if common != pair:
                self._totals[common] += self._totals[pair]
                self._known[common] += self._known[pair]
            if (back := self._neighbours.get(neighbour)) is not None:
                del back[drop]
                back[keep] = common

    def _gathered(self, number: int) -> dict[int, int]:
        """The neighbours of a cluster; where one of them has merged, what it knows of their pair is newer."""
        if (known := self._neighbours.get(number)) is not None:
            return known
        found = self._neighbours[number] = {}
        start, end = self._starts[number : number + 2]
        ends, pairs = self._other[start:end].tolist(), list(range(start, end))
        start, end = self._other_starts[number : number + 2]
        ends += self._one_by_other[start:end].tolist()
        pairs += self._by_other[start:end].tolist()
        owner = self._owner
        for end, pair in zip(ends, pairs, strict=True):
            neighbour = owner[end]
            if owner[neighbour] != neighbour:
                neighbour = self._top(neighbour)
            merged = self._neighbours.get(neighbour)
            found[neighbour] = pair if merged is None else merged[number]
        return found
