"""Best-first merging of the offers of one connected part of a catalogue, under constraints."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_Entry = tuple[float, int, int]


@dataclass(frozen=True, slots=True)
class Member:
    """What the rules ask of one offer; -1 stands for unknown. One that is in no cluster yet `may_grow`.

    Clusters whose `natures` differ in the same place never join: bar code, region, bundle or not; nor do those
    whose `contrasts` give one attribute two values.
    """

    natures: tuple[int, ...]
    contrasts: Mapping[str, str]
    store: int
    group: int
    may_grow: bool


@dataclass(slots=True)
class _Cluster:
    size: int
    natures: tuple[set[int], ...]
    contrasts: dict[str, set[str]]
    stores: set[int]
    groups: set[int]
    may_grow: bool
    members: list[int]
    neighbours: dict[int, list[float]] = field(default_factory=dict)
    """Other cluster -> [sum of the known pairs' scores, how many are known]; one list for both directions."""


@dataclass(frozen=True, slots=True)
class Part:
    """One connected part: its offers by position, their scored pairs, and what is settled beforehand.

    `ties` are pairs that are one cluster whatever the rules say, `apart` pairs that never become one.
    Each score counts for as many pairs of offers as it says.
    """

    members: Mapping[int, Member]
    pairs: Iterable[tuple[int, int, float, int]]
    ties: Sequence[tuple[int, int]] = ()
    apart: Sequence[tuple[int, int]] = ()


class Merging:
    """Clusters that grow by merging; each goes by the position of its first member."""

    def __init__(self, part: Part, *, one_per_store: bool, missing: float, threshold: float) -> None:
        self._one_per_store = one_per_store
        self._missing = missing
        self._threshold = threshold
        self.owner = {position: position for position in part.members}
        self._apart: dict[int, set[int]] = {}
        self._clusters = {
            position: _Cluster(
                1,
                tuple({nature} if nature >= 0 else set() for nature in member.natures),
                {attribute: {value} for attribute, value in member.contrasts.items()},
                {member.store} if member.store >= 0 else set(),
                {member.group} if member.group >= 0 else set(),
                member.may_grow,
                [position],
            )
            for position, member in part.members.items()
        }
        for one, other in part.ties:
            if self.owner[one] != self.owner[other]:
                self._unite(self.owner[one], self.owner[other])
        for one, other in part.apart:
            first, second = self.owner[one], self.owner[other]
            self._apart.setdefault(first, set()).add(second)
            self._apart.setdefault(second, set()).add(first)
        self._connect(part.pairs)
        self._heap: list[_Entry] = []
        for number, cluster in self._clusters.items():
            for neighbour in cluster.neighbours:
                if number < neighbour:
                    self._offer(number, neighbour)
        heapq.heapify(self._heap)

    def merge(self) -> None:
        """Merge the best pair of clusters as long as its mean reaches the threshold."""
        heap, clusters = self._heap, self._clusters
        while heap:
            negative, one, other = heapq.heappop(heap)
            first = clusters.get(one)
            if first is None or other not in first.neighbours:
                continue
            if self._mean(first, other) != -negative or not self._allowed(one, other):
                continue
            keep = self._unite(one, other)
            for neighbour in clusters[keep].neighbours:
                self._offer(keep, neighbour, push=True)

    def _connect(self, pairs: Iterable[tuple[int, int, float, int]]) -> None:
        owner, clusters = self.owner, self._clusters
        for a, b, score, times in pairs:
            one, other = owner[a], owner[b]
            if one == other:
                continue
            entry = clusters[one].neighbours.get(other)
            if entry is None:
                entry = clusters[one].neighbours[other] = clusters[other].neighbours[one] = [0.0, 0]
            entry[0] += score * times
            entry[1] += times

    def _offer(self, one: int, other: int, push: bool = False) -> None:
        mean = self._mean(self._clusters[one], other)
        if mean >= self._threshold:
            entry = (-mean, one, other) if one < other else (-mean, other, one)
            if push:
                heapq.heappush(self._heap, entry)
            else:
                self._heap.append(entry)

    def _mean(self, one: _Cluster, other: int) -> float:
        """Mean log-odds over all pairs between two clusters, the unknown ones counted as missing."""
        total, known = one.neighbours[other]
        pairs = one.size * self._clusters[other].size
        return (total + (pairs - known) * self._missing) / pairs

    def _allowed(self, one: int, other: int) -> bool:
        a, b = self._clusters[one], self._clusters[other]
        return (
            (a.may_grow or b.may_grow)
            and all(
                one_nature == other_nature or one_nature <= other_nature or other_nature <= one_nature
                for one_nature, other_nature in zip(a.natures, b.natures, strict=True)
            )
            and _agree(a.contrasts, b.contrasts)
            and a.groups.isdisjoint(b.groups)
            and not (self._one_per_store and not a.stores.isdisjoint(b.stores))
            and other not in self._apart.get(one, ())
        )

    def _unite(self, one: int, other: int) -> int:
        """Unite two clusters, whatever the rules say; returns the number of the united one."""
        keep, drop = (one, other) if one < other else (other, one)
        kept, dropped = self._clusters[keep], self._clusters.pop(drop)
        kept.size += dropped.size
        kept.members += dropped.members
        for nature, other_nature in zip(kept.natures, dropped.natures, strict=True):
            nature |= other_nature
        for attribute, values in dropped.contrasts.items():
            kept.contrasts.setdefault(attribute, set()).update(values)
        kept.stores |= dropped.stores
        kept.groups |= dropped.groups
        kept.may_grow |= dropped.may_grow
        for member in dropped.members:
            self.owner[member] = keep
        for stranger in self._apart.pop(drop, ()):
            self._apart[stranger].discard(drop)
            self._apart[stranger].add(keep)
            self._apart.setdefault(keep, set()).add(stranger)
        kept.neighbours.pop(drop, None)
        for neighbour, entry in dropped.neighbours.items():
            if neighbour == keep:
                continue
            back = self._clusters[neighbour].neighbours
            del back[drop]
            common = kept.neighbours.get(neighbour)
            if common is None:
                kept.neighbours[neighbour] = back[keep] = entry
            else:
                common[0] += entry[0]
                common[1] += entry[1]
        return keep


def _agree(one: Mapping[str, set[str]], other: Mapping[str, set[str]]) -> bool:
    """Whether of each attribute that both have one's values are among the other's."""
    return all(
        values <= other[attribute] or other[attribute] <= values
        for attribute, values in one.items()
        if attribute in other
    )
