"""Clusters by best-first merging under constraints: bar codes, stores and people's verdicts are never broken."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aggregator.domain.errors import InvalidInput
from matcher.context import Scores
from matcher.preparation import Integers, PreparedCatalogue
from matcher.records import Verdict

# A pair inside a cluster that blocking did not find counts as this much below the threshold of doubt.
_MISSING_BELOW = 2.0
_LARGEST_SCORE = 7.0


@dataclass(slots=True)
class _Cluster:
    members: list[int]
    gtins: set[int]
    stores: set[int]
    groups: set[int]
    may_grow: bool
    neighbours: dict[int, list[float]] = field(default_factory=dict)
    """Other cluster -> [sum of the known pairs' scores, how many are known]."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Cluster numbers of the offers of a prepared catalogue, by position: what the catalogue merges by
    itself, and the most probable partition, whose clusters are unions of the former."""

    automatic: Integers
    probable: Integers


class _Merging:
    """Clusters that grow by merging; numbers are positions of their first members."""

    def __init__(self, catalogue: PreparedCatalogue, may_grow: Sequence[bool], missing: float) -> None:
        self.one_per_store = not catalogue.statistics.stores_list_twice
        self.missing = missing
        self.owner = list(range(len(catalogue)))
        self.apart: dict[int, set[int]] = defaultdict(set)
        self.clusters = {
            index: _Cluster(
                members=[index],
                gtins={int(catalogue.gtin[index])} - {-1},
                stores={int(catalogue.store[index])} - {-1},
                groups={int(catalogue.item_group[index])} - {-1},
                may_grow=may_grow[index],
            )
            for index in range(len(catalogue))
        }

    def merge(self, one: int, other: int) -> int:
        """Unite two clusters, whatever the rules say; returns the number of the united one."""
        keep, drop = (one, other) if one < other else (other, one)
        kept, dropped = self.clusters[keep], self.clusters.pop(drop)
        kept.members += dropped.members
        kept.gtins |= dropped.gtins
        kept.stores |= dropped.stores
        kept.groups |= dropped.groups
        kept.may_grow |= dropped.may_grow
        for member in dropped.members:
            self.owner[member] = keep
        for stranger in self.apart.pop(drop, ()):
            self.apart[stranger].discard(drop)
            self.apart[stranger].add(keep)
            self.apart[keep].add(stranger)
        kept.neighbours.pop(drop, None)
        for neighbour, (total, known) in dropped.neighbours.items():
            if neighbour == keep:
                continue
            back = self.clusters[neighbour].neighbours
            back.pop(drop)
            entry = kept.neighbours.setdefault(neighbour, [0.0, 0])
            entry[0] += total
            entry[1] += known
            back[keep] = entry
        return keep

    def mean(self, one: int, other: int) -> float:
        """Mean log-odds over all pairs between two clusters, the unknown ones counted as missing."""
        total, known = self.clusters[one].neighbours[other]
        pairs = len(self.clusters[one].members) * len(self.clusters[other].members)
        return (total + (pairs - known) * self.missing) / pairs

    def allowed(self, one: int, other: int) -> bool:
        a, b = self.clusters[one], self.clusters[other]
        return (
            (a.may_grow or b.may_grow)
            and len(a.gtins | b.gtins) <= max(1, len(a.gtins), len(b.gtins))
            and not a.groups & b.groups
            and not (self.one_per_store and a.stores & b.stores)
            and other not in self.apart.get(one, ())
        )


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
) -> Partition:
    """Merge the best pair of clusters as long as the mean log-odds between them reach the thresholds.

    `scores`, `automatic` and `doubtful` are log-odds. `existing` holds the clusters that some offers are in
    (offer id -> key): they are never split, and grow or unite only together with an offer that is in none.
    Verdicts come first: "same" unites even against the rules, "different" keeps apart whatever follows.
    Raises InvalidInput where verdicts contradict each other.
    """
    existing = existing or {}
    ids = [record.offer_id for record in catalogue.records]
    position = {offer_id: index for index, offer_id in enumerate(ids)}
    merging = _Merging(catalogue, [offer_id not in existing for offer_id in ids], doubtful - _MISSING_BELOW)
    decided = [
        (position[v.left_id], position[v.right_id], v.same)
        for v in sorted(verdicts, key=lambda v: (v.left_id, v.right_id))
        if v.left_id in position and v.right_id in position
    ]
    parted = {frozenset((ids[a], ids[b])) for a, b, same in decided if not same}
    first_of: dict[str, int] = {}
    for index, offer_id in enumerate(ids):
        key = existing.get(offer_id)
        if key is not None and (first := first_of.setdefault(key, index)) != index:
            merging.merge(merging.owner[first], merging.owner[index])
    said = _one_by_verdict(len(ids), decided)
    for a, b, same in decided:
        if same and merging.owner[a] != merging.owner[b]:
            merging.merge(merging.owner[a], merging.owner[b])
    for a, b, same in decided:
        if same:
            continue
        one, other = merging.owner[a], merging.owner[b]
        if one == other and ids[a] in existing and existing[ids[a]] == existing.get(ids[b]):
            continue  # a person's split has to be written by whoever holds the clusters; none is split here
        if one == other:
            raise InvalidInput(
                f"verdicts contradict each other: {ids[a]} and {ids[b]} are said to be two products, "
                "but others make them one",
                remedy="withdraw one of them",
            )
        merging.apart[one].add(other)
        merging.apart[other].add(one)
    _connect(merging, left, right, scores, parted, ids, said)
    heap = [
        (-merging.mean(number, neighbour), number, neighbour)
        for number in merging.clusters
        for neighbour in merging.clusters[number].neighbours
        if number < neighbour
    ]
    heap = [entry for entry in heap if -entry[0] >= doubtful]
    heapq.heapify(heap)
    waiting = _merge_down_to(merging, heap, automatic)
    merged = np.array(merging.owner, dtype=np.int64)
    _merge_down_to(merging, waiting, doubtful)
    return Partition(automatic=merged, probable=np.array(merging.owner, dtype=np.int64))


def _one_by_verdict(offers: int, decided: Sequence[tuple[int, int, bool]]) -> list[int]:
    """For each offer the first of those that people's "same" ties it to; itself where nobody said so."""
    first = list(range(offers))

    def top(index: int) -> int:
        while first[index] != index:
            first[index] = first[first[index]]
            index = first[index]
        return index

    for a, b, same in decided:
        if same:
            one, other = top(a), top(b)
            first[max(one, other)] = min(one, other)
    return [top(index) for index in range(offers)]


def _connect(
    merging: _Merging,
    left: Integers,
    right: Integers,
    scores: Scores,
    parted: set[frozenset[str]],
    ids: Sequence[str],
    said: Sequence[int],
) -> None:
    """Note the scores between clusters.

    What is like one of the offers that a person called one product is that much like all of them: people
    call those the same whose wordings differ, and a mean over them would tear off what matched one before.
    """
    sizes = Counter(said)
    together = [sizes[first] for first in said]
    best: dict[tuple[int, int], tuple[float, int, int]] = {}

    def note(one: int, other: int, score: float, pairs: int) -> None:
        entry = merging.clusters[one].neighbours.setdefault(other, [0.0, 0])
        entry[0] += score * pairs
        entry[1] += pairs
        merging.clusters[other].neighbours[one] = entry

    clipped = np.clip(scores, -_LARGEST_SCORE, _LARGEST_SCORE)
    for a, b, score in zip(left.tolist(), right.tolist(), clipped.tolist(), strict=True):
        one, other = merging.owner[a], merging.owner[b]
        if one == other or (parted and frozenset((ids[a], ids[b])) in parted):
            continue
        if together[a] == together[b] == 1:
            note(one, other, score, 1)
            continue
        kin = (min(said[a], said[b]), max(said[a], said[b]))
        if kin not in best or score > best[kin][0]:
            best[kin] = (score, one, other)
    for (a, b), (score, one, other) in best.items():
        note(one, other, score, together[a] * together[b])


def _merge_down_to(
    merging: _Merging, heap: list[tuple[float, int, int]], threshold: float
) -> list[tuple[float, int, int]]:
    """Merge from the best downwards; returns what is left below the threshold."""
    while heap and -heap[0][0] >= threshold:
        negative, one, other = heapq.heappop(heap)
        first, second = merging.clusters.get(one), merging.clusters.get(other)
        if first is None or second is None or other not in first.neighbours:
            continue
        if merging.mean(one, other) != -negative or not merging.allowed(one, other):
            continue
        keep = merging.merge(one, other)
        for neighbour in merging.clusters[keep].neighbours:
            low, high = min(keep, neighbour), max(keep, neighbour)
            mean = merging.mean(low, high)
            heapq.heappush(heap, (-mean, low, high))
    return heap
