"""A good plan at once: where the solver starts, and what is left when its time runs out."""

from __future__ import annotations

import time
from collections import defaultdict

from aggregator.shopping.planning.model import (
    Choice,
    Problem,
    Quantities,
    Score,
    Shop,
    cheapest_first,
    dearest_first,
    take_in_turn,
)


class _Split:
    """Every line bought where it is cheapest among the open stores; stores can be closed one by one."""

    def __init__(self, problem: Problem, open_shops: set[int]) -> None:
        self.problem = problem
        self.open = set(open_shops)
        self.offered: dict[int, list[Choice]] = defaultdict(list)
        for choice in sorted(problem.choices.values(), key=lambda c: (c.cost / c.pack, c.place)):
            self.offered[choice.line].append(choice)
        self.taken: dict[int, list[tuple[Choice, int]]] = {}
        self.subtotals: dict[int, int] = {}
        self.lines: dict[int, set[int]] = defaultdict(set)
        for line in self.offered:
            self._fill(line)

    def copy(self) -> _Split:
        other = _Split.__new__(_Split)
        other.problem, other.offered = self.problem, self.offered
        other.open, other.taken = set(self.open), dict(self.taken)
        other.subtotals = dict(self.subtotals)
        other.lines = defaultdict(set, {shop: set(lines) for shop, lines in self.lines.items()})
        return other

    def close(self, shop: int) -> None:
        self.open.discard(shop)
        for line in list(self.lines[shop]):
            taken = self.taken.pop(line)
            for choice, quantity in taken:
                self.subtotals[choice.shop] -= quantity * choice.price
                self.lines[choice.shop].discard(line)
            for number in {choice.shop for choice, _ in taken}:
                if not self.lines[number]:
                    del self.lines[number], self.subtotals[number]
            self._fill(line)

    def close_what_refuses(self) -> None:
        """Close stores below their least order, the one furthest from it first."""
        while True:
            refusing = [
                (subtotal / self.problem.shops[shop].bands[0].low, shop)
                for shop, subtotal in self.subtotals.items()
                if self.problem.shops[shop].fee(subtotal) is None
            ]
            if not refusing:
                return
            self.close(min(refusing)[1])

    def quantities(self) -> dict[int, int]:
        return {choice.place: quantity for taken in self.taken.values() for choice, quantity in taken}

    def _fill(self, line: int) -> None:
        ranked = (choice for choice in self.offered[line] if choice.shop in self.open)
        taken = take_in_turn(ranked, self.problem.demand[line])
        for choice, quantity in taken:
            self.subtotals[choice.shop] = self.subtotals.get(choice.shop, 0) + quantity * choice.price
            self.lines[choice.shop].add(line)
        self.taken[line] = taken


def find_start(problem: Problem, deadline: float) -> dict[int, int]:
    """A permitted plan, quickly; empty where none is found. No claim that it is best.

    Where all is sold by the unit it is empty only if nothing can be bought.
    """
    best, score = _best_single(problem)
    if score is None:
        return {}
    for open_shops in _openings(problem):
        split = _Split(problem, open_shops)
        split.close_what_refuses()
        split = _close_while_better(split, deadline)
        quantities = split.quantities()
        found = problem.score(quantities)
        if found is not None and quantities and found < score:
            best, score = quantities, found
    return dict(best)


def _openings(problem: Problem) -> list[set[int]]:
    """The sets of stores to begin with: all of them, those with known shipping, the widest few."""
    everything = set(problem.shops)
    if problem.max_stores is not None and problem.max_stores < len(everything):
        return [_widest(problem, problem.max_stores)]
    known = {number for number, shop in problem.shops.items() if shop.known}
    return [everything, known] if problem.ranks_unknown() and known else [everything]


def _widest(problem: Problem, count: int) -> set[int]:
    left = problem.attainable()
    capacities = {number: shop.capacity(problem.demand) for number, shop in problem.shops.items()}
    chosen: set[int] = set()
    for _ in range(count):
        gains = [
            (sum(min(units, left[line]) for line, units in capacities[number].items()), -number)
            for number in capacities.keys() - chosen
        ]
        gain, negative = max(gains, default=(0, 0))
        if not gain:
            break
        chosen.add(-negative)
        for line, units in capacities[-negative].items():
            left[line] -= min(units, left[line])
    return chosen


def _close_while_better(split: _Split, deadline: float) -> _Split:
    """Close any one store while that makes the plan better."""
    score = split.problem.score(split.quantities())
    improved = score is not None
    while improved:
        improved = False
        for shop in sorted(split.subtotals, key=lambda shop: (split.subtotals[shop], shop)):
            if time.monotonic() > deadline:
                return split
            if shop not in split.subtotals:
                continue
            trial = split.copy()
            trial.close(shop)
            trial.close_what_refuses()
            found = split.problem.score(trial.quantities())
            if found is not None and score is not None and found < score:
                split, score, improved = trial, found, True
    return split


def _best_single(problem: Problem) -> tuple[Quantities, Score | None]:
    best: dict[int, int] = {}
    best_score: Score | None = None
    for shop in problem.shops.values():
        quantities = fill_shop(problem, shop)
        score = problem.score(quantities)
        if score is not None and (best_score is None or score < best_score):
            best, best_score = quantities, score
    return best, best_score


def fill_shop(problem: Problem, shop: Shop) -> dict[int, int]:
    """As much as one store sells: its cheapest offers, or its dearest where those fall short of its least."""
    wanted = dict(enumerate(problem.demand))
    quantities, subtotal = cheapest_first(shop.choices, wanted)
    return quantities if shop.fee(subtotal) is not None else dearest_first(shop.choices, wanted)[0]
