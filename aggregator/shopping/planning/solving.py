"""The order of what is best, settled objective by objective, each with its proof.

Units first, then stores with unknown shipping (where nothing is assumed for it), then cost, then the number
of stores. Plans equal in all of these are told apart by input order: going through the offers as they stand
in the basket, the plan that buys more of the first offer where they differ is taken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aggregator.shopping.planning.model import (
    Choice,
    Problem,
    Quantities,
    Score,
    Shop,
    cheapest_first,
    dearest_first,
)
from aggregator.shopping.planning.programme import TRUSTED_MAGNITUDE, Floats, Programme, Relaxation
from aggregator.shopping.planning.start import find_start

_START_SHARE = 0.25  # of the time, at most, for the start plan
# Of the relaxation's cost, that a plan may cost more.
_STEPS = (1.5e-4, 2.5e-4, 3.5e-4, 5e-4, 7e-4, 1e-3, 1.6e-3, 3e-3, 1e-2)
_FEW_COLUMNS = 100  # are solved as they are
_MOST_COLUMNS_FOR_ORDER = 1_200  # that plans as good as the best may move; beyond, their order is left open
_BLOCK = 2**20  # weights of one step through the input order stay below


@dataclass(frozen=True, slots=True)
class Solved:
    """A permitted plan and what is proven of it.

    `bound`: no plan of as many units and unknown stores costs less.
    """

    quantities: Quantities
    score: Score
    bound: int
    units_proven: bool
    unknown_proven: bool
    stores_proven: bool

    @property
    def proven(self) -> bool:
        """Whether no plan is better in units, unknown stores, cost and number of stores."""
        return (
            self.units_proven and self.unknown_proven and self.stores_proven and self.bound == self.score.cost
        )


def solve(
    problem: Problem, deadline: float, *, ties: bool = True, known: Quantities | None = None
) -> Solved | None:
    """The best plan, or the best found by the deadline (`time.monotonic`); None if nothing can be bought.

    Without `ties` the number of stores and the input order are left open, and so unproven. A permitted plan that
    is `known` already is where the search starts, if it finds no better one at once.
    """
    if not problem.shops:
        return None
    if len(problem.shops) == 1 or problem.max_stores == 1:
        return _solve_single(problem, deadline)
    return _Search(problem, deadline, known).run(ties=ties)


def cheapest_in_shop(problem: Problem, shop: Shop, wanted: dict[int, int], deadline: float) -> Solved | None:
    """These units of these lines at one store, as cheap as it sells them; None where it does not."""
    found = _best_in_shop(problem, shop, wanted, deadline)
    return found if found is not None and not found.score.unbought else None


def _best_in_shop(problem: Problem, shop: Shop, wanted: dict[int, int], deadline: float) -> Solved | None:
    """As much of these lines as one store sells, as cheap as it does; None where that is nothing.

    Its score counts as unbought only what the store lacks of these units; None too for a plain store that lacks
    any, since it sells all that it offers or refuses every order.
    """
    alone = problem.only(shop, wanted)
    if shop.is_plain():
        if alone.full_units != sum(wanted.values()):
            return None
        if shop.fee(dearest_first(shop.choices, wanted)[1]) is None:
            return None
        plan, subtotal = cheapest_first(shop.choices, wanted)
        fee = shop.fee(subtotal)
        least = _least_at(shop, subtotal)
        if fee is not None and subtotal + fee == least and _only_at(shop, subtotal, least):
            score = alone.score(plan)
            if score is not None:
                return Solved(plan, score, score.cost, True, True, True)
    found = _Search(alone, deadline).run(ties=True)
    short = sum(wanted.values()) - alone.full_units
    score = found.score._replace(unbought=found.score.unbought + short)
    return replace(found, score=score) if found.quantities else None


def least_cost(problem: Problem, units: int) -> int:
    """No plan of so many units costs less: the cheapest units there are, and the cheapest parcel.

    Where a discount makes parcels cost less than nothing, all of those.
    """
    fees = [shop.least_fee() for shop in problem.shops.values()]
    parcels = sum(fee for fee in fees if fee < 0) or min(fees)
    return least_goods(problem.choices.values(), problem.demand, units) + parcels if units else 0


def least_goods(choices: Iterable[Choice], demand: Sequence[int], units: int) -> int:
    """No purchase of so many wanted units costs less, shipping left aside."""
    left = list(demand)
    total = 0
    for choice in sorted(choices, key=lambda choice: choice.cost / choice.pack):
        taken = min(choice.limit * choice.pack, left[choice.line], units)
        left[choice.line] -= taken
        units -= taken
        total += taken * choice.cost // choice.pack
    return total


def least_stores(problem: Problem, units: int) -> int:
    """No plan of so many units uses fewer stores: the widest stores, as if they shared no line."""
    widest = sorted((sum(s.capacity(problem.demand).values()) for s in problem.shops.values()), reverse=True)
    count = 0
    while units > 0 and count < len(widest):
        units -= widest[count]
        count += 1
    return count


def earlier(left: Quantities, right: Quantities) -> bool:
    """Whether the left plan comes before the right one in input order."""
    for place in sorted(left.keys() | right.keys()):
        if left.get(place, 0) != right.get(place, 0):
            return left.get(place, 0) > right.get(place, 0)
    return False


class _Search:
    def __init__(self, problem: Problem, deadline: float, known: Quantities | None = None) -> None:
        self.problem = problem
        self.deadline = deadline
        now = time.monotonic()
        self.best: Quantities = find_start(problem, now + (deadline - now) * _START_SHARE)
        score = problem.score(self.best)
        if score is None:
            raise AssertionError("the start plan is permitted")
        self.score = score
        self._consider(known)
        self.relaxation: Relaxation | None = None
        self.settled = False

    def run(self, *, ties: bool) -> Solved:
        problem = self.problem
        if time.monotonic() >= self.deadline:
            bound = least_cost(problem, problem.full_units - self.score.unbought)
            return Solved(
                self.best, self.score, bound, not self.score.unbought, not self.score.unknown, False
            )
        self.programme = programme = Programme(problem)
        units_proven = self._settle_units()
        programme.buy_exactly(problem.full_units - self.score.unbought)
        unknown_proven = self._settle_unknown()
        bound, stores_proven = self._settle_cost(with_stores=ties)
        if ties and units_proven and unknown_proven and bound == self.score.cost:
            if self.relaxation is not None:
                programme.tighten(programme.within(self.relaxation, self.score.cost))
            stores_proven = stores_proven or self._settle_stores()
            if stores_proven and programme.free_columns() <= _MOST_COLUMNS_FOR_ORDER:
                self._settle_input_order()
        return Solved(self.best, self.score, bound, units_proven, unknown_proven, stores_proven)

    def _settle_units(self) -> bool:
        if not self.score.unbought:
            return True
        answer = self.programme.minimise(self.programme.unbought(), self.best, self.deadline)
        self._consider(answer.quantities)
        return not self.score.unbought or (
            answer.bound is not None
            and self.score.unbought <= answer.bound + self.programme.units_by_the_unit()
        )

    def _settle_unknown(self) -> bool:
        if not self.problem.ranks_unknown():
            return True
        proven = not self.score.unknown
        if not proven:
            answer = self.programme.minimise(self.programme.unknown_count(), self.best, self.deadline)
            self._consider(answer.quantities)
            proven = not self.score.unknown or (
                answer.bound is not None and answer.bound >= self.score.unknown
            )
        self.programme.at_most(self.programme.unknown_count(), self.score.unknown)
        return proven

    def _settle_cost(self, *, with_stores: bool) -> tuple[int, bool]:
        """The bound of the cost and whether the number of stores is proven with it."""
        units = self.problem.full_units - self.score.unbought
        least = least_cost(self.problem, units)
        if least == self.score.cost:
            return least, False
        weight = self._weight() if with_stores else 1
        objective = self._cost_and_stores(weight)
        relaxation = self.relaxation = self.programme.relax(self.deadline)
        if relaxation is not None:
            least = max(least, self._climb(relaxation, objective, weight))
            if self.settled:
                return self.score.cost, weight > 1
            self.programme.tighten(self.programme.within(relaxation, self.score.cost))
        answer = self.programme.minimise(objective, self.best, self.deadline)
        self._consider(answer.quantities)
        if answer.bound is None:
            return min(least, self.score.cost), False
        bound = min(max(least, _least_whole(answer.bound, weight)), self.score.cost)
        return bound, weight > 1 and answer.bound >= self._value(weight)

    def _climb(self, relaxation: Relaxation, objective: Floats, weight: int) -> int:
        """Look for plans a little dearer than the relaxation, then for dearer ones; the bound that this proves.

        Each step leaves out the columns that no plan as cheap as it can move. Most of the effort goes into what
        lies between the relaxation and the best plan, whatever plan is known, so that a step that finds
        nothing is cheap, and the one that finds a plan has proven it.
        """
        bound = math.ceil(relaxation.cost - 1e-3)
        for share in _STEPS:
            ceiling = math.floor(relaxation.cost * (1 + share))
            if ceiling >= self.score.cost:
                break
            if ceiling < bound:
                continue
            if self.programme.within(relaxation, self.score.cost).free_columns() <= _FEW_COLUMNS:
                break
            box = self.programme.within(relaxation, ceiling)
            answer = self.programme.find_below(objective, weight * (ceiling + 1), box, self.deadline)
            self._consider(answer.quantities)
            if answer.bound is None:
                break
            bound = max(bound, _least_whole(answer.bound, weight))
            self.settled = answer.bound >= self._value(weight)
            if bound <= ceiling or self.settled:
                break
        return min(bound, self.score.cost)

    def _value(self, weight: int) -> int:
        """The best plan's cost and stores in one, where the weight has both."""
        return weight * self.score.cost + (self.score.stores if weight > 1 else 0)

    def _weight(self) -> int:
        """One cost unit weighs more than all stores, where the solver's numbers are exact enough for that."""
        units = self.problem.full_units - self.score.unbought
        weight = 1 + min(len(self.problem.shops), units)
        return weight if self.programme.magnitude * weight < TRUSTED_MAGNITUDE else 1

    def _cost_and_stores(self, weight: int) -> Floats:
        objective = weight * self.programme.cost()
        return objective + self.programme.store_count() if weight > 1 else objective

    def _settle_stores(self) -> bool:
        if self.score.stores <= least_stores(self.problem, self.problem.full_units - self.score.unbought):
            return True
        self.programme.at_most(self.programme.cost(), self.score.cost)
        answer = self.programme.minimise(self.programme.store_count(), self.best, self.deadline)
        self._consider(answer.quantities)
        return answer.bound is not None and answer.bound >= self.score.stores

    def _settle_input_order(self) -> None:
        """First which offers plans as good as this one use at all, then block by block through those."""
        seen = set(self.best)
        weight = self._weight()
        objective = self._cost_and_stores(weight)
        value = self._value(weight)
        while True:
            answer = self.programme.find_other(objective, seen, value, self.deadline)
            if answer.bound is not None and answer.bound > value:
                break
            if answer.quantities is None or self.problem.score(answer.quantities) != self.score:
                return
            seen |= answer.quantities.keys()
        self.programme.only_offers(seen)
        self.programme.at_most(self.programme.cost(), self.score.cost)
        self.programme.at_most(self.programme.store_count(), self.score.stores)
        unsettled = self.programme.unsettled(seen)
        while unsettled:
            block, objective = self._first_block(unsettled)
            answer = self.programme.minimise(objective, self.best, self.deadline)
            if answer.quantities is None or self.problem.score(answer.quantities) != self.score:
                return
            if earlier(answer.quantities, self.best):
                self.best = answer.quantities
            self.programme.fix(self.best, block)
            unsettled = unsettled[len(block) :]

    def _first_block(self, places: list[int]) -> tuple[list[int], Floats]:
        """As many offers as fit, and an objective in which each outweighs all behind it."""
        size, weight = 0, 1
        for place in places:
            radix = self.problem.choices[place].limit + 1
            if size and weight * radix > _BLOCK:
                break
            size, weight = size + 1, weight * radix
        objective = np.zeros(len(self.programme.upper))
        for place in places[:size]:
            weight //= self.problem.choices[place].limit + 1
            objective[self.programme.column_of[place]] = -weight
        return places[:size], objective

    def _consider(self, quantities: Quantities | None) -> None:
        """Take what the solver found if the exact score agrees that it is better."""
        score = None if not quantities else self.problem.score(quantities)
        if quantities is not None and score is not None and score < self.score:
            self.best, self.score = quantities, score


def _solve_single(problem: Problem, deadline: float) -> Solved | None:
    """Each store by itself; only those that may beat the best so far are worked out."""
    best: Solved | None = None
    bounds: dict[tuple[int, int], int] = {}
    for shop in problem.shops.values():
        wanted = shop.capacity(problem.demand)
        units = sum(wanted.values())
        unbought = problem.full_units - units
        unknown = int(problem.ranks_unknown() and not shop.known)
        if shop.is_plain():
            least = _least_at(shop, cheapest_first(shop.choices, wanted)[1])
        else:
            least = least_goods(shop.choices, problem.demand, units) + shop.least_fee()
        if best is not None and (unbought, unknown, least) > best.score[:3]:
            continue
        found = _best_in_shop(problem, shop, wanted, deadline)
        if found is None:
            continue
        unbought += found.score.unbought
        group = (unbought, unknown)
        bounds[group] = min(bounds.get(group, found.bound), found.bound)
        found = replace(found, score=found.score._replace(unbought=unbought, unknown=unknown))
        if (
            best is None
            or found.score < best.score
            or (found.score == best.score and earlier(found.quantities, best.quantities))
        ):
            best = found
    if best is None:
        return None
    return replace(best, bound=min(best.bound, bounds[best.score[:2]]))


def _least_whole(bound: int, weight: int) -> int:
    """The least cost of plans whose cost times the weight and fewer stores than it are at least the bound."""
    return -((weight - 1 - bound) // weight)


def _least_at(shop: Shop, subtotal: int) -> int:
    """No plan of goods worth at least this much costs less at the store."""
    reachable = [band for band in shop.bands if band.high is None or band.high >= subtotal]
    return min(max(band.low, subtotal) + band.cost for band in reachable)


def _only_at(shop: Shop, subtotal: int, least: int) -> bool:
    """Whether no higher subtotal costs as little."""
    return all(band.low + band.cost > least for band in shop.bands if band.low > subtotal)
