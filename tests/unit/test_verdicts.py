"""A new verdict is checked against all that was said before, over any number of steps."""

from __future__ import annotations

import random

import pytest

from aggregator.domain.verdicts import Verdict, contradiction, told


def same(one: str, other: str) -> Verdict:
    return Verdict(one, other, same=True)


def different(one: str, other: str) -> Verdict:
    return Verdict(one, other, same=False)


@pytest.mark.parametrize(
    ("standing", "new", "chain"),
    [
        ([], same("a", "b"), None),
        ([same("a", "b")], same("b", "c"), None),
        ([different("a", "b")], different("b", "c"), None),
        ([different("a", "b"), different("b", "c")], same("a", "c"), None),
        ([same("b", "a")], different("a", "b"), [same("b", "a")]),
        ([different("a", "b")], same("a", "b"), [different("a", "b")]),
        ([same("a", "b"), same("b", "c")], different("a", "c"), [same("a", "b"), same("b", "c")]),
        ([same("b", "c"), different("a", "c")], same("a", "b"), [different("a", "c"), same("b", "c")]),
        (
            [same("a", "b"), same("b", "c"), same("c", "d"), same("a", "d")],
            different("d", "a"),
            [same("a", "d")],
        ),
    ],
)
def test_the_shortest_chain_that_says_the_opposite(
    standing: list[Verdict], new: Verdict, chain: list[Verdict] | None
) -> None:
    assert contradiction(standing, new) == (None if chain is None else tuple(chain))


def test_the_chain_is_told_in_words() -> None:
    assert told([same("a", "b"), different("b", "c")]) == "a and b are one product, b and c are two"


def test_verdicts_taken_one_by_one_never_end_in_a_contradiction() -> None:
    chance = random.Random(3)
    for _ in range(40):
        product = {name: chance.randrange(3) for name in "abcdefgh"}
        standing: list[Verdict] = []
        for _ in range(30):
            one, other = chance.sample(sorted(product), 2)
            truth = Verdict(one, other, same=product[one] == product[other])
            # Words that fit one and the same truth never contradict each other; the opposite of one does.
            assert contradiction(standing, truth) is None
            standing.append(truth)
            assert contradiction(standing, Verdict(other, one, same=not truth.same)) is not None
