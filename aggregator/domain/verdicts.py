"""What people have said about pairs of offers, and when a new word contradicts what was said before."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """A person's word on two offers: one product (`same`) or two. It outranks the model and every rule."""

    left_id: str
    right_id: str
    same: bool


def contradiction(verdicts: Iterable[Verdict], new: Verdict) -> tuple[Verdict, ...] | None:
    """The shortest chain of standing verdicts that says the opposite of `new`, None where there is none.

    The chain leads from `new.left_id` to `new.right_id`. Against "different" it is made of "same" alone;
    against "same" exactly one of its verdicts is "different". Withdrawing any of them breaks it.
    """
    neighbours: defaultdict[str, list[tuple[str, Verdict]]] = defaultdict(list)
    for verdict in sorted(verdicts, key=lambda one: (one.left_id, one.right_id, one.same)):
        neighbours[verdict.left_id].append((verdict.right_id, verdict))
        neighbours[verdict.right_id].append((verdict.left_id, verdict))
    # A place is an offer and how often "different" was passed on the way to it.
    start, goal = (new.left_id, 0), (new.right_id, 1 if new.same else 0)
    came_by: dict[tuple[str, int], tuple[tuple[str, int], Verdict] | None] = {start: None}
    waiting = deque([start])
    while waiting and goal not in came_by:
        offer_id, differences = here = waiting.popleft()
        for other_id, verdict in neighbours[offer_id]:
            there = (other_id, differences + (not verdict.same))
            if there[1] <= goal[1] and there not in came_by:
                came_by[there] = (here, verdict)
                waiting.append(there)
    if goal not in came_by:
        return None
    chain: list[Verdict] = []
    place = goal
    while step := came_by[place]:
        place, verdict = step
        chain.append(verdict)
    return tuple(reversed(chain))


def told(chain: Iterable[Verdict]) -> str:
    """A chain in words: "a and b are one product, b and c are two"."""
    return ", ".join(
        f"{verdict.left_id} and {verdict.right_id} are {'one product' if verdict.same else 'two'}"
        for verdict in chain
    )
