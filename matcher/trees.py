"""Small decision trees that anyone can read, and their sum for many pairs at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from matcher.features import Features

# A leaf is a number; a split is [feature, limit, what counts up to the limit, what counts above it].
Tree = float | list[Any]

MOST_LEAVES = 8
_CHUNK = 32_768


@dataclass(frozen=True)
class Forest:
    """Trees over named features; the value of a pair is the sum of the leaves it falls into, in log-odds.

    Raises ValueError for a tree of more than MOST_LEAVES leaves, an unknown feature or a malformed split.
    """

    features: tuple[str, ...]
    trees: tuple[Tree, ...]

    def __post_init__(self) -> None:
        _ = self._compiled

    def values(self, features: Features) -> npt.NDArray[np.float64]:
        """Sums for pairs x features, columns as in `features`; not-a-number counts as below every limit."""
        limits, trees = self._compiled
        result = np.empty(len(features), dtype=np.float64)
        for start in range(0, len(features), _CHUNK):
            part = features[start : start + _CHUNK]
            # The number of limits below a value stands for it: comparing bytes is what makes this fast.
            places = {
                column: np.searchsorted(known, part[:, column], side="left").astype(np.uint8)
                for column, known in limits.items()
            }
            total = np.zeros(len(part), dtype=np.float32)
            left_over = np.empty(len(part), dtype=np.uint8)
            passed = np.empty(len(part), dtype=np.uint8)
            for splits, leaf_of in trees:
                left_over.fill(255)
                for column, place, kept in splits:
                    np.less_equal(places[column], place, out=passed.view(np.bool_))
                    np.negative(passed, out=passed)  # 255 where the split keeps everything, else 0
                    np.bitwise_or(passed, kept, out=passed)
                    np.bitwise_and(left_over, passed, out=left_over)
                total += leaf_of[left_over]
            result[start : start + _CHUNK] = total
        return result

    @cached_property
    def _compiled(
        self,
    ) -> tuple[
        dict[int, npt.NDArray[np.float32]],
        list[tuple[list[tuple[int, np.uint8, np.uint8]], npt.NDArray[np.float32]]],
    ]:
        """Limits of each feature, and each tree as its splits with the leaves that stay possible above them.

        A pair's leaf is the first one that every split above whose limit it lies has left over (QuickScorer,
        Lucchese et al. 2015).
        """
        columns = {name: number for number, name in enumerate(self.features)}
        found: dict[int, set[float]] = {}
        for tree in self.trees:
            for name, limit in _splits(tree):
                if name not in columns:
                    raise ValueError(f"unknown feature {name!r}")
                found.setdefault(columns[name], set()).add(limit)
        limits = {
            column: np.array(sorted(values), dtype=np.float32) for column, values in sorted(found.items())
        }
        if any(len(known) > 255 for known in limits.values()):
            raise ValueError("more than 255 limits for one feature")
        trees = []
        for tree in self.trees:
            splits: list[tuple[int, np.uint8, np.uint8]] = []
            leaves: list[float] = []
            self._compile(tree, columns, limits, splits, leaves)
            if len(leaves) > MOST_LEAVES:
                raise ValueError(f"a tree has {len(leaves)} leaves, at most {MOST_LEAVES} are allowed")
            first = [(rest & -rest).bit_length() - 1 for rest in range(256)]
            leaf_of = np.array([leaves[min(max(leaf, 0), len(leaves) - 1)] for leaf in first], np.float32)
            trees.append((splits, leaf_of))
        return limits, trees

    def _compile(
        self,
        tree: Tree,
        columns: dict[str, int],
        limits: dict[int, npt.NDArray[np.float32]],
        splits: list[tuple[int, np.uint8, np.uint8]],
        leaves: list[float],
    ) -> None:
        if not isinstance(tree, list):
            leaves.append(float(tree))
            return
        name, limit, below, above = tree
        first = len(leaves)
        self._compile(below, columns, limits, splits, leaves)
        removed = sum(1 << leaf for leaf in range(first, min(len(leaves), MOST_LEAVES)))
        column = columns[name]
        place = np.searchsorted(limits[column], np.float32(limit))
        splits.append((column, np.uint8(place), np.uint8(255 & ~removed)))
        self._compile(above, columns, limits, splits, leaves)


def _splits(tree: Tree) -> Iterator[tuple[str, float]]:
    if isinstance(tree, list):
        name, limit, below, above = tree
        yield name, float(np.float32(limit))
        yield from _splits(below)
        yield from _splits(above)


def scaled(trees: Sequence[Tree], factor: float) -> tuple[Tree, ...]:
    """The trees with every leaf multiplied, rounded to what a person can read."""

    def one(tree: Tree) -> Tree:
        if isinstance(tree, list):
            name, limit, below, above = tree
            return [name, limit, one(below), one(above)]
        return round(tree * factor, 5) + 0.0

    return tuple(map(one, trees))
