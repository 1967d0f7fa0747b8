"""Clusters by best-first merging under constraints: bar codes, stores and people's verdicts are never broken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from aggregator.domain.errors import InvalidInput
from aggregator.domain.verdicts import Verdict, contradiction, told
from matcher.context import Scores
from matcher.merging import Member, Merging, Part
from matcher.parallel import over_parts
from matcher.preparation import Flags, Integers, PreparedCatalogue
from matcher.rivals import taken_by_rivals

# A pair inside a cluster that blocking did not find counts as this much below the threshold of doubt, and no pair
# counts less.
_MISSING_BELOW = 2.0
_LARGEST_SCORE = 7.0
_CLEARLY_BELOW = 0.5  # below the threshold of doubt: no reason to merge without a person
_SHARE_OF_RIVALS = 0.75
_PARTS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Partition:
    """Cluster numbers of the offers of a prepared catalogue, by position: what the catalogue merges by
    itself, and the most probable partition, whose clusters are unions of the former. A number is the
    position of the cluster's first offer."""

    automatic: Integers
    probable: Integers


def cluster(
    catalogue: PreparedCatalogue,
    left: Integers,
    right: Integers,
    scores: Scores,
    *,
    automatic: float,
    doubtful: float,
    verdicts: Iterable[Verdict] = (),
    existing: Mapping[str, str] | None = None,
    processes: int = 1,
    cautious: Scores | None = None,
    taken: Scores | None = None,
) -> Partition:
    """Merge the best pair of clusters as long as the mean log-odds between them reach the thresholds.

    `scores`, `automatic` and `doubtful` are log-odds; `cautious` are what merging without a person goes by,
    where they are not the same. The most probable partition goes by the mean of both, so that look-alikes whose
    evidence is contradicted are not chained together by many middling scores, less what rivals of one store take.

    `existing` holds the clusters that some offers are in (offer id -> key): they are never split, and grow or unite
    only together with an offer in none; offers of a cluster that a verdict parts have to be given as in none.
    Verdicts come first: "same" unites even against the rules, "different" keeps apart whatever follows.
    Raises InvalidInput with the chain where verdicts contradict each other.

    No merge crosses two parts of the catalogue that no pair which reaches the threshold connects, so each such part
    is clustered alone, in any process.
    """
    settled = _Settled.of(catalogue, verdicts, existing or {})
    clipped = np.clip(np.asarray(scores, dtype=np.float64), -_LARGEST_SCORE, _LARGEST_SCORE)
    forbidding = clipped if cautious is None else np.clip(cautious, -_LARGEST_SCORE, _LARGEST_SCORE)
    # What counts as little as a pair that blocking did not find need not be remembered.
    missing = doubtful - _MISSING_BELOW
    label = _connected(len(catalogue), *_tied(left, right, settled.start, clipped >= doubtful))
    clipped[label[left] != label[right]] = -_LARGEST_SCORE
    leaning = (clipped + np.minimum(clipped, forbidding)) / 2
    undenied = ~settled.denied(left, right) if settled.apart else slice(None)
    if taken is None:
        taken = taken_by_rivals(catalogue, left[undenied], right[undenied], clipped[undenied])
    else:
        taken = taken[undenied]
    leaning[undenied] -= _SHARE_OF_RIVALS * taken
    # Being forbidden to merge alone is no evidence against a cluster that others hold together.
    careful = np.where(
        clipped < doubtful - _CLEARLY_BELOW, missing, np.maximum(forbidding, np.minimum(clipped, doubtful))
    )
    del clipped, forbidding, taken

    def merged(start: Integers, by: Scores, threshold: float) -> Integers:
        known = by > missing
        return _merged(
            catalogue, settled, start, (left[known], right[known], by[known]), threshold, missing, processes
        )

    certain = merged(settled.start, careful, automatic)
    return Partition(certain, merged(certain, leaning, doubtful))


def can_tie(
    scores: npt.NDArray[np.floating],
    cautious: npt.NDArray[np.floating],
    taken: npt.NDArray[np.floating],
    *,
    automatic: float,
    doubtful: float,
) -> Flags:
    """Whether a pair alone would unite two clusters, by itself or in the most probable partition; all in log-odds."""
    clipped = np.clip(scores, -_LARGEST_SCORE, _LARGEST_SCORE)
    leaning = (clipped + np.minimum(clipped, cautious)) / 2 - _SHARE_OF_RIVALS * taken
    return np.asarray((clipped >= doubtful) & ((leaning >= doubtful) | (cautious >= automatic)))


def _merged(
    catalogue: PreparedCatalogue,
    settled: _Settled,
    start: Integers,
    pairs: tuple[Integers, Integers, Scores],
    threshold: float,
    missing: float,
    processes: int,
) -> Integers:
    """The cluster of each position after merging down to the threshold; `start` are the clusters to begin with."""
    left, right, scores = pairs
    label = _connected(len(catalogue), *_tied(left, right, start, scores >= threshold))
    within = np.flatnonzero(label[left] == label[right])
    within = within[np.argsort(label[left[within]], kind="stable")]
    offers = np.argsort(label, kind="stable")
    offer_ends = np.cumsum(np.bincount(label)) if len(label) else label
    pair_ends = np.cumsum(np.bincount(label[left[within]], minlength=len(offer_ends)))
    several = np.flatnonzero(np.diff(np.r_[0, offer_ends]) > 1)

    def merge(first: int, last: int) -> tuple[list[int], list[int]]:
        positions: list[int] = []
        numbers: list[int] = []
        for part in several[first:last].tolist():
            here = offers[offer_ends[part - 1] if part else 0 : offer_ends[part]]
            kept = within[pair_ends[part - 1] if part else 0 : pair_ends[part]]
            merging = Merging(
                settled.part(catalogue, here, start, left[kept], right[kept], scores[kept]),
                one_per_store=not catalogue.statistics.stores_list_twice,
                missing=missing,
                threshold=threshold,
            )
            merging.merge()
            positions += here.tolist()
            numbers += (merging.owner[position] for position in here.tolist())
        return positions, numbers

    result = np.arange(len(catalogue), dtype=np.int64)
    for positions, numbers in over_parts(merge, len(several), _PARTS_AT_ONCE, processes):
        result[positions] = numbers
    return result


def _tied(left: Integers, right: Integers, start: Integers, strong: Flags) -> tuple[Integers, Integers]:
    """Ends of the strong pairs, and of what ties each cluster to begin with together."""
    tied = np.flatnonzero(start != np.arange(len(start)))
    return np.concatenate([left[strong], start[tied]]), np.concatenate([right[strong], tied])


def _ends(pairs: Sequence[tuple[int, int]]) -> tuple[Integers, Integers]:
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def _contrasts(catalogue: PreparedCatalogue, here: Integers) -> Iterator[Mapping[str, str]]:
    """Attribute -> value of each offer; most titles say none."""
    starts, ends = catalogue.contrasts.indptr[here].tolist(), catalogue.contrasts.indptr[here + 1].tolist()
    columns, names = catalogue.contrasts.indices, catalogue.contrast_names
    for start, end in zip(starts, ends, strict=True):
        yield dict(names[column] for column in columns[start:end].tolist()) if start < end else {}


def _connected(count: int, left: Integers, right: Integers) -> Integers:
    """The number of the connected part that each position is in."""
    graph = sparse.csr_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    label: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return label


@dataclass(frozen=True, slots=True)
class _Settled:
    """What is settled before scores are looked at, by position: in `start` the first of those that clusters and
    "same" make one, what is apart.

    `said` gives for the offers that a person tied to others the first of them, `times` how many they are.
    """

    start: Integers
    apart: Mapping[int, Sequence[int]]
    in_cluster: frozenset[int]
    said: Mapping[int, int]
    times: Mapping[int, int]

    @classmethod
    def of(
        cls, catalogue: PreparedCatalogue, verdicts: Iterable[Verdict], existing: Mapping[str, str]
    ) -> _Settled:
        ordered = sorted(verdicts, key=lambda one: (one.left_id, one.right_id))
        if not ordered and not existing:
            return cls(np.arange(len(catalogue)), {}, frozenset(), {}, {})
        position = {offer_id: index for index, offer_id in enumerate(catalogue.offer_ids)}
        here = [one for one in ordered if one.left_id in position and one.right_id in position]
        same = [(position[one.left_id], position[one.right_id]) for one in here if one.same]
        kin_of = _connected(len(position), *_ends(same))
        apart: defaultdict[int, list[int]] = defaultdict(list)
        for one in here:
            left, right = position[one.left_id], position[one.right_id]
            if one.same:
                continue
            if kin_of[left] == kin_of[right]:
                chain = contradiction((other for other in here if other.same), one) or ()
                raise InvalidInput(
                    f"verdicts contradict each other: {one.left_id} and {one.right_id} are said to be two "
                    f"products, but {told(chain)}",
                    remedy="withdraw one of them",
                )
            apart[left].append(right)
        first_of: dict[str, int] = {}
        clusters = [
            (first_of.setdefault(key, position[offer_id]), position[offer_id])
            for offer_id, key in sorted(existing.items())
            if offer_id in position
        ]
        tied = _connected(len(position), *_ends([*clusters, *same]))
        start = np.unique(tied, return_index=True)[1].astype(np.int64)[tied]
        in_cluster = frozenset(position[offer_id] for offer_id in existing if offer_id in position)
        kin: defaultdict[int, list[int]] = defaultdict(list)
        for index in sorted({index for pair in same for index in pair}):
            kin[int(kin_of[index])].append(index)
        said = {index: together[0] for together in kin.values() for index in together}
        times = {index: len(together) for together in kin.values() for index in together}
        return cls(start, apart, in_cluster, said, times)

    def part(
        self,
        catalogue: PreparedCatalogue,
        here: Integers,
        start: Integers,
        left: Integers,
        right: Integers,
        scores: Scores,
    ) -> Part:
        positions = here.tolist()
        members = {
            position: Member(natures, contrasts, store, group, position not in self.in_cluster)
            for position, natures, contrasts, store, group in zip(
                positions,
                zip(
                    catalogue.gtin[here].tolist(),
                    catalogue.region[here].tolist(),
                    catalogue.bundle[here].astype(int).tolist(),
                    strict=True,
                ),
                _contrasts(catalogue, here),
                catalogue.store[here].tolist(),
                catalogue.item_group[here].tolist(),
                strict=True,
            )
        }
        pairs = zip(left.tolist(), right.tolist(), scores.tolist(), strict=True)
        return Part(
            members,
            self._as_said(pairs) if self.said or self.apart else ((*pair, 1) for pair in pairs),
            ties=[pair for pair in zip(start[here].tolist(), positions, strict=True) if pair[0] != pair[1]],
            apart=[
                (one, other) for one in positions for other in self.apart.get(one, ()) if other in members
            ],
        )

    def denied(self, left: Integers, right: Integers) -> Flags:
        """Whether a person keeps the pairs apart."""
        said = [(one, other) for one, others in self.apart.items() for other in others]
        if not said:
            return np.zeros(len(left), dtype=bool)
        low, high = np.sort(np.array(said, dtype=np.int64), axis=1).T
        width = int(max(left.max(initial=0), right.max(initial=0), high.max())) + 1
        return np.isin(np.minimum(left, right) * width + np.maximum(left, right), low * width + high)

    def _as_said(self, pairs: Iterable[tuple[int, int, float]]) -> Iterator[tuple[int, int, float, int]]:
        """Scores without those that a person denied, and with those of offers called one product shared.

        What is like one of the offers that a person called one product is that much like all of them: people
        call those the same whose wordings differ, and a mean over them would tear off what matched one before.
        """
        best: dict[tuple[int, int], tuple[float, int, int]] = {}
        for one, other, score in pairs:
            if other in self.apart.get(one, ()) or one in self.apart.get(other, ()):
                continue
            if one not in self.said and other not in self.said:
                yield one, other, score, 1
                continue
            kin = self.said.get(one, one), self.said.get(other, other)
            key = min(kin), max(kin)
            if key not in best or score > best[key][0]:
                best[key] = (score, one, other)
        for (first, second), (score, one, other) in best.items():
            yield one, other, score, self.times.get(first, 1) * self.times.get(second, 1)
