"""Best-first merging gives what its definition says, worked out anew after each merge."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest

from matcher.merging import Merging, Pairs, Traits

MISSING, THRESHOLD = -2.0, 1.0


@dataclass(frozen=True)
class World:
    """Offers 0 to n - 1 with a cluster to begin with each (its number), their traits and whole scores of some pairs."""

    number: Sequence[int]
    traits: Sequence[Traits]
    may_grow: Sequence[bool]
    scores: dict[tuple[int, int], int]
    apart: Sequence[tuple[int, int]]

    @classmethod
    def random(cls, chance: random.Random) -> World:
        offers, density = 18, chance.choice((0.15, 0.25, 0.5))
        number = sorted(chance.choices(range(14), k=offers))
        number = [sorted(set(number)).index(one) for one in number]
        clusters = range(max(number) + 1)
        return cls(
            number,
            [
                Traits(
                    {
                        name: frozenset(chance.sample(range(3), chance.choice((1, 1, 2))))
                        for name in ("gtin", "size")
                        if chance.random() < 0.25
                    },
                    frozenset(chance.sample(range(90), 2)),
                )
                for _ in clusters
            ],
            [chance.random() < 0.7 for _ in clusters],
            {
                pair: chance.randint(-2, 7)
                for pair in combinations(range(offers), 2)
                if chance.random() < density
            },
            [(one, other) for one, other in combinations(clusters, 2) if chance.random() < 0.05],
        )

    def merged(self) -> list[int]:
        left, right = np.array(list(self.scores), dtype=np.int64).reshape(-1, 2).T
        number = np.array(self.number)
        merging = Merging(
            np.bincount(number),
            list(self.traits),
            Pairs.summed(number[left], number[right], np.array(list(self.scores.values()), dtype=np.float64)),
            self.apart,
            missing=MISSING,
        )
        merged: list[int] = merging.merge(THRESHOLD, np.array(self.may_grow)).tolist()
        return merged

    def by_definition(self) -> list[int]:
        """Of all pairs of clusters that may be one the two with the best mean are, again and again."""
        parts: dict[int, list[int]] = {cluster: [cluster] for cluster in range(len(self.traits))}
        while True:
            allowed = [
                (self._mean(parts[one], parts[other]), -one, -other)
                for one, other in combinations(sorted(parts), 2)
                if self._may_join(parts[one], parts[other])
            ]
            best = max(allowed, default=(-np.inf, 0, 0))
            if best[0] < THRESHOLD:
                return [
                    next(number for number, part in parts.items() if one in part) for one in self._clusters
                ]
            parts[-best[1]] += parts.pop(-best[2])

    @property
    def _clusters(self) -> range:
        return range(len(self.traits))

    def _mean(self, one: Sequence[int], other: Sequence[int]) -> float:
        between = [
            self.scores.get((min(a, b), max(a, b)), MISSING)
            for a, first in enumerate(self.number)
            for b, second in enumerate(self.number)
            if first in one and second in other
        ]
        return sum(between) / len(between)

    def _may_join(self, one: Sequence[int], other: Sequence[int]) -> bool:
        def values(part: Sequence[int], name: str) -> set[object]:
            return {value for cluster in part for value in self.traits[cluster].natures.get(name, ())}

        def once(part: Sequence[int]) -> set[int]:
            return {value for cluster in part for value in self.traits[cluster].once}

        return (
            any(self.may_grow[cluster] for cluster in (*one, *other))
            and not any((a, b) in self.apart or (b, a) in self.apart for a in one for b in other)
            and once(one).isdisjoint(once(other))
            and all(
                values(one, name) <= values(other, name) or values(other, name) <= values(one, name)
                for name in ("gtin", "size")
            )
        )


@pytest.mark.parametrize("seed", range(100))
def test_merging_is_what_its_definition_says(seed: int) -> None:
    world = World.random(random.Random(seed))
    assert world.merged() == world.by_definition()
