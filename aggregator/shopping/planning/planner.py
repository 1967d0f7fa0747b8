"""From a basket to its plan: solve, compare with simpler ways to buy, re-add in Decimal."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

from aggregator.domain.carts import (
    Basket,
    CheapestKnownParts,
    CheapestPerLine,
    FrontierPoint,
    Plan,
    PlanStatus,
    SingleStore,
)
from aggregator.shopping.planning.adding import Sums, add_up, missing_lines
from aggregator.shopping.planning.building import build_problem
from aggregator.shopping.planning.model import Problem, Quantities, cheapest_first
from aggregator.shopping.planning.solving import Solved, cheapest_in_shop, earlier, least_cost, solve

_MAIN_SHARE = 0.75  # of the time for the plan itself, where a frontier is asked for too

_RESERVE = 2  # times what building the model takes, kept back for what is not the solver's


def plan_basket(basket: Basket, *, time_limit: float = 10.0, frontier: bool = True) -> Plan:
    """The best split of the basket over its stores.

    Best is: most units; then the lowest total with `assumed_shipping` where that is given, else fewest stores
    with unknown shipping and then the lowest known total; then fewest stores; then input order (of two plans
    the one that buys more of the first offer, as they stand in the basket, in which they differ).

    The status is `optimal` only where all of that but the input order is proven with gap zero and the total
    re-added in Decimal agrees. `time_limit` (seconds) covers everything; past it the plan is `feasible` with
    a proven bound, and the frontier holds the points reached. Raises BasketError where an amount has more
    decimals than the currency.
    """
    began = time.monotonic()
    problem = build_problem(basket, assumed_shipping=basket.assumed_shipping)
    reserve = _RESERVE * (time.monotonic() - began)
    deadline = began + time_limit - reserve
    solved = solve(problem, began + time_limit * (_MAIN_SHARE if frontier else 1.0) - reserve)
    if solved is None or (solved.proven and not solved.quantities):
        return _nothing(basket, problem)
    points: dict[int, Solved] = {}
    if frontier:
        points, solved = _frontier(problem, solved, deadline, parcels_rank=bool(basket.parcel_value))
    return _describe(basket, problem, solved, points, deadline)


def _describe(
    basket: Basket, problem: Problem, solved: Solved, points: dict[int, Solved], deadline: float
) -> Plan:
    sums = add_up(basket, solved.quantities)
    ranked_only = (basket.assumed_shipping or 0) * sums.unknown + basket.parcel_value * len(sums.stores)
    ranked = sums.total + ranked_only
    agreed = ranked == solved.score.cost * problem.quantum and sums.units == (
        problem.full_units - solved.score.unbought
    )
    bound = max(Decimal(0), solved.bound * problem.quantum - ranked_only)
    return Plan(
        currency=basket.currency,
        status=PlanStatus.OPTIMAL if solved.proven and agreed else PlanStatus.FEASIBLE,
        total=sums.total,
        bound=bound if agreed else None,
        complete=sums.complete,
        allocations=sums.allocations,
        stores=sums.stores,
        missing=missing_lines(basket, problem, solved.quantities),
        frontier=tuple(_point(basket, limit, found) for limit, found in sorted(points.items())),
        single_store=_single_store(basket, problem, solved.quantities, deadline),
        cheapest_per_line=_cheapest_per_line(basket, problem, deadline),
        cheapest_known_parts=_cheapest_known_parts(basket, problem, sums, deadline),
        surplus=sums.surplus,
        estimated=sums.estimated,
    )


def _nothing(basket: Basket, problem: Problem) -> Plan:
    return Plan(
        currency=basket.currency,
        status=PlanStatus.INFEASIBLE,
        total=Decimal(0),
        bound=Decimal(0),
        complete=not basket.lines,
        allocations=(),
        stores=(),
        missing=missing_lines(basket, problem, {}),
        frontier=(),
        single_store=None,
        cheapest_per_line=CheapestPerLine(Decimal(0), complete=not basket.lines),
        cheapest_known_parts=CheapestKnownParts(Decimal(0), unknown_stores=0),
    )


def _frontier(
    problem: Problem, best: Solved, deadline: float, *, parcels_rank: bool
) -> tuple[dict[int, Solved], Solved]:
    """The best plan for each lower limit on stores, and the plan itself: a better one if one turned up.

    Each limit has its share of the time and what others left of theirs, and starts from the plan before it. A
    better plan can only turn up where the main one ran out of time. What a total holds depends on ties only where
    it is not all that ranks: where unknown shipping is assumed or a parcel has a value. Elsewhere they are left
    open.
    """
    ties = parcels_rank or (problem.assumed and any(not shop.known for shop in problem.shops.values()))
    points: dict[int, Solved] = {}
    previous: Solved | None = None
    limit = 1
    while limit < best.score.stores and (now := time.monotonic()) < deadline:
        share = (deadline - now) / (best.score.stores - limit)
        known = None if previous is None else previous.quantities
        found = solve(problem.with_max_stores(limit), now + share, ties=ties, known=known)
        if found is not None and found.quantities:
            if previous is not None and previous.score[:3] < found.score[:3]:
                found = replace(previous, units_proven=False)
            points[limit] = previous = found
            if found.score < best.score:
                best = _improved(problem, best, found)
        limit += 1
    points[best.score.stores] = best
    return {limit: found for limit, found in points.items() if limit <= best.score.stores}, best


def _improved(problem: Problem, best: Solved, found: Solved) -> Solved:
    """A better plan than the unproven one, with what holds of it among all plans."""
    comparable = found.score[:2] == best.score[:2]
    bound = best.bound if comparable else least_cost(problem, problem.full_units - found.score.unbought)
    return replace(found, bound=min(bound, found.score.cost), stores_proven=False)


def _point(basket: Basket, limit: int, solved: Solved) -> FrontierPoint:
    sums = add_up(basket, solved.quantities)
    proven = solved.units_proven and solved.unknown_proven and solved.bound == solved.score.cost
    return FrontierPoint(limit, sums.units, sums.total, sums.complete, proven)


def _single_store(
    basket: Basket, problem: Problem, quantities: Quantities, deadline: float
) -> SingleStore | None:
    """The best one store for exactly what the plan buys of each line."""
    wanted: dict[int, int] = defaultdict(int)
    for place, quantity in quantities.items():
        choice = problem.choices[place]
        wanted[choice.line] = min(problem.demand[choice.line], wanted[choice.line] + quantity * choice.pack)
    best: Solved | None = None
    for shop in problem.shops.values():
        found = cheapest_in_shop(problem, shop, wanted, deadline)
        if found is not None and (
            best is None
            or found.score < best.score
            or (found.score == best.score and earlier(found.quantities, best.quantities))
        ):
            best = found
    if best is None:
        return None
    sums = add_up(basket, best.quantities)
    return SingleStore(sums.stores[0].store, sums.total, sums.complete)


def _cheapest_per_line(basket: Basket, problem: Problem, deadline: float) -> CheapestPerLine:
    """What a shopper pays who takes each line where it is cheapest, of any number of stores.

    A store that does not accept the order that comes out delivers nothing, and the purchase is incomplete.
    """
    involved = problem.packed | {choice.line for choice in problem.choices.values() if choice.once}
    wanted = {line: units for line, units in enumerate(problem.demand) if line not in involved}
    quantities, _ = cheapest_first(problem.choices.values(), wanted)
    for line in sorted(involved):
        alone = solve(problem.line_alone(line), deadline)
        quantities |= alone.quantities if alone else {}
    subtotals: dict[int, int] = defaultdict(int)
    for place, quantity in quantities.items():
        subtotals[problem.choices[place].shop] += quantity * problem.choices[place].price
    accepted = {
        number for number, subtotal in subtotals.items() if problem.shops[number].fee(subtotal) is not None
    }
    sums = add_up(basket, {p: q for p, q in quantities.items() if problem.choices[p].shop in accepted})
    return CheapestPerLine(sums.total, sums.complete)


def _cheapest_known_parts(
    basket: Basket, problem: Problem, plan: Sums, deadline: float
) -> CheapestKnownParts:
    if all(shop.known for shop in problem.shops.values()):
        return CheapestKnownParts(plan.total, unknown_stores=0)
    solved = solve(build_problem(basket, assumed_shipping=Decimal(0)), deadline)
    sums = plan if solved is None else add_up(basket, solved.quantities)
    return CheapestKnownParts(sums.total, sums.unknown)
