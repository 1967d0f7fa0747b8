"""What is settled before scores are looked at: people's verdicts, and clusters that exist already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from aggregator.domain.errors import InvalidInput
from aggregator.domain.verdicts import Verdict, contradiction, told
from matcher.context import Scores
from matcher.preparation import Flags, Integers, PreparedCatalogue


@dataclass(frozen=True, slots=True)
class Settled:
    """Verdicts and existing clusters, by position.

    `start` has the first of those that existing clusters and "same" make one; `apart` are the two
    ends of each pair that people keep apart. Offers in no existing cluster `may_grow`.
    `kin` has the first of those that people alone tie together, `kin_size` how many they are.
    """

    start: Integers
    apart: Integers
    may_grow: Flags
    kin: Integers
    kin_size: Integers

    @classmethod
    def of(
        cls, catalogue: PreparedCatalogue, verdicts: Iterable[Verdict], existing: Mapping[str, str]
    ) -> Self:
        """Raises InvalidInput with the chain where verdicts contradict each other."""
        count = len(catalogue)
        may_grow = np.ones(count, dtype=bool)
        ordered = sorted(verdicts, key=lambda one: (one.left_id, one.right_id))
        if not ordered and not existing:
            alone = np.arange(count)
            return cls(alone, _ends([]), may_grow, alone, np.ones_like(alone))
        position = {offer_id: index for index, offer_id in enumerate(catalogue.offer_ids)}
        here = [one for one in ordered if one.left_id in position and one.right_id in position]
        same = [(position[one.left_id], position[one.right_id]) for one in here if one.same]
        tied = connected(count, *_ends(same).T)
        apart = []
        for one in here:
            left, right = position[one.left_id], position[one.right_id]
            if one.same:
                continue
            if tied[left] == tied[right]:
                chain = contradiction((other for other in here if other.same), one) or ()
                raise InvalidInput(
                    f"verdicts contradict each other: {one.left_id} and {one.right_id} are said to be two "
                    f"products, but {told(chain)}",
                    remedy="withdraw one of them",
                )
            apart.append((left, right))
        first_of: dict[str, int] = {}
        clusters = [
            (first_of.setdefault(key, position[offer_id]), position[offer_id])
            for offer_id, key in existing.items()
            if offer_id in position
        ]
        may_grow[[index for _, index in clusters]] = False
        return cls(
            _first_of(connected(count, *_ends([*clusters, *same]).T)),
            _ends(apart),
            may_grow,
            _first_of(tied),
            np.bincount(tied)[tied],
        )

    def denied(self, left: Integers, right: Integers) -> Flags:
        """Whether a person keeps the pairs apart."""
        return are_among(self.apart, left, right)

    def as_said(
        self, left: Integers, right: Integers, scores: Scores
    ) -> tuple[Integers, Integers, Scores, Integers | None]:
        """Pairs with one in place of all between offers called one product; each with the sum of its scores and
        how many they are (None where each is one).

        What is like one of the offers that a person called one product is that much like all of them: people
        call those the same whose wordings differ, and a mean over them would tear off what matched one before.
        """
        shared = (self.kin_size[left] > 1) | (self.kin_size[right] > 1)
        if not shared.any():
            return left, right, scores, None
        kin_left, kin_right = self.kin[left[shared]], self.kin[right[shared]]
        width = len(self.start)
        keys, group = np.unique(
            np.minimum(kin_left, kin_right) * width + np.maximum(kin_left, kin_right), return_inverse=True
        )
        best = np.full(len(keys), -np.inf)
        np.maximum.at(best, group, scores[shared])
        one, other = np.divmod(keys, width)
        times = self.kin_size[one] * self.kin_size[other]
        return (
            np.concatenate([left[~shared], one]),
            np.concatenate([right[~shared], other]),
            np.concatenate([scores[~shared], best * times]),
            np.concatenate([np.ones(len(left) - len(group), dtype=np.int64), times]),
        )


def are_among(pairs: Integers, left: Integers, right: Integers) -> Flags:
    """Whether each pair of positions is one of `pairs` (two columns), whichever end comes first."""
    if not len(pairs):
        return np.zeros(len(left), dtype=bool)
    low, high = np.sort(pairs, axis=1).T
    width = int(max(high.max(), left.max(initial=0), right.max(initial=0))) + 1
    return np.isin(np.minimum(left, right) * width + np.maximum(left, right), low * width + high)


def connected(count: int, left: Integers, right: Integers) -> npt.NDArray[np.int32]:
    """The number of the connected part that each position is in."""
    graph = sparse.csr_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    label: npt.NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return label


def _first_of(label: npt.NDArray[np.int32]) -> Integers:
    first: Integers = np.unique(label, return_index=True)[1].astype(np.int64)[label]
    return first


def _ends(pairs: Sequence[tuple[int, int]]) -> Integers:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
