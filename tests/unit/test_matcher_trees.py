"""Trees: read from plain lists, summed for many pairs at once, refused when malformed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from matcher.trees import Forest, Tree, scaled


def walked(tree: Tree, row: dict[str, float]) -> float:
    while isinstance(tree, list):
        name, limit, below, above = tree
        tree = above if row[name] > np.float32(limit) else below
    return float(tree)


def grown(chance: np.random.Generator, depth: int) -> Tree:
    if depth == 0 or chance.random() < 0.2:
        return round(float(chance.normal()), 4)
    name = ("a", "b", "c")[int(chance.integers(3))]
    return [name, round(float(chance.normal()), 3), grown(chance, depth - 1), grown(chance, depth - 1)]


def test_a_forest_gives_the_sum_of_the_leaves_that_a_walk_finds() -> None:
    chance = np.random.default_rng(3)
    trees = tuple(grown(chance, 3) for _ in range(50))
    features = chance.normal(size=(2000, 3)).astype(np.float32)
    features[:40, 0] = np.round(features[:40, 0], 3)
    sums = Forest(("a", "b", "c"), trees).values(features)
    for number in range(0, 2000, 7):
        row = dict(zip("abc", features[number].tolist(), strict=True))
        assert sums[number] == pytest.approx(sum(walked(tree, row) for tree in trees), abs=1e-4)


def test_a_value_on_the_limit_counts_as_below_it() -> None:
    forest = Forest(("a",), (["a", 0.5, -1.0, 1.0],))
    assert forest.values(np.array([[0.5], [0.51]], dtype=np.float32)).tolist() == [-1.0, 1.0]


def test_no_trees_add_nothing() -> None:
    assert Forest(("a",), ()).values(np.zeros((3, 1), dtype=np.float32)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (["b", 0.5, 0.0, 1.0], "unknown feature 'b'"),
        (["a", 0.5, 0.0], "not enough values"),
        (
            [
                "a",
                1,
                ["a", 0, 0, 0],
                ["a", 2, 0, ["a", 3, 0, ["a", 4, 0, ["a", 5, 0, ["a", 6, 0, ["a", 7, 0, 0]]]]]],
            ],
            "9 leaves",
        ),
    ],
)
def test_a_malformed_tree_is_refused(tree: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Forest(("a",), (tree,))


def test_scaling_keeps_the_splits_and_rounds_the_leaves() -> None:
    assert scaled([["a", 0.5, 1.0, [["b"], 1, -0.1, 2.0]]], 0.25) == (
        ["a", 0.5, 0.25, [["b"], 1, -0.025, 0.5]],
    )
