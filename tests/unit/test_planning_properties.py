"""What must hold of any two plans, whatever the basket: more choice never costs more, no simpler way is better."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from decimal import Decimal

import pytest
from _pytest.mark import ParameterSet

from aggregator.domain.carts import Basket, Plan, PlanStatus
from aggregator.shopping.basket_files import read_basket
from aggregator.shopping.planning import plan_basket
from benchmarks.planning import generate_basket
from tests.unit.planning_documents import random_document
from tests.unit.planning_oracle import random_basket


def rank(plan: Plan, basket: Basket) -> tuple[int, int, Decimal]:
    parcels = basket.parcel_value * len(plan.stores)
    if basket.assumed_shipping is None:
        return -plan.units, plan.unknown_stores, plan.total + parcels
    return -plan.units, 0, plan.total + parcels + basket.assumed_shipping * plan.unknown_stores


def plan_only(basket: Basket) -> Plan:
    plan = plan_basket(basket, frontier=False)
    assert plan.status is not PlanStatus.FEASIBLE
    return plan


def some_basket(name: str, seed: int) -> Basket:
    """By turns a small one with coarse prices, and one of up to 15 lines and 12 stores; half are rich."""
    rng, rich = random.Random(f"{name} {seed}"), seed % 4 > 1
    if seed % 2:
        return random_basket(rng, rich=rich)
    return read_basket(json.dumps(random_document(rng, rich=rich)).encode())


def sampled(count: int) -> list[ParameterSet]:
    """The first quarter of so many seeds, and the others for the long proofs."""
    return [pytest.param(seed, marks=() if seed < count // 4 else pytest.mark.prove) for seed in range(count)]


@pytest.mark.parametrize("seed", sampled(40))
def test_more_to_choose_from_is_never_worse(seed: int) -> None:
    basket = some_basket("more", seed)
    offers = tuple(replace(offer, pinned=False) for offer in basket.offers)  # a pin takes choice away
    basket = replace(basket, offers=offers)
    best = rank(plan_only(basket), basket)
    assert best <= rank(plan_only(replace(basket, offers=offers[:-1])), basket)
    without = basket.stores[-1].id
    remaining = tuple(offer for offer in offers if offer.store != without)
    assert best <= rank(plan_only(replace(basket, stores=basket.stores[:-1], offers=remaining)), basket)
    assert rank(plan_only(replace(basket, max_stores=None)), basket) <= best


@pytest.mark.parametrize("seed", sampled(40))
def test_no_simpler_way_to_buy_as_much_is_better(seed: int) -> None:
    basket = replace(some_basket("simple", seed), max_stores=None, parcel_value=Decimal(0))
    plan = plan_basket(basket)
    if plan.complete and plan.cheapest_per_line.complete:
        assert plan.total <= plan.cheapest_per_line.total
    if plan.single_store:
        unknown = next(
            store.shipping is None for store in basket.stores if store.id == plan.single_store.store
        )
        if basket.assumed_shipping is not None or unknown == plan.unknown_stores:
            single = plan.single_store.total + (basket.assumed_shipping or 0) * unknown
            assert rank(plan, basket)[2] <= single
    totals = [point.total for point in plan.frontier if point.complete]
    assert totals == sorted(totals, reverse=True)


@pytest.mark.parametrize("seed", sampled(20))
def test_out_of_time_it_keeps_a_permitted_plan_and_a_true_bound(seed: int) -> None:
    basket = random_basket(random.Random(f"hurry {seed}"), rich=seed % 2 == 1)
    hurried, best = plan_basket(basket, time_limit=1e-9), plan_basket(basket)
    assert (hurried.status is PlanStatus.INFEASIBLE) == (best.status is PlanStatus.INFEASIBLE)
    assert rank(best, basket) <= rank(hurried, basket)
    assert hurried.bound is not None
    assert hurried.bound <= hurried.total
    if (hurried.units, hurried.unknown_stores) == (best.units, best.unknown_stores):
        assert hurried.bound <= best.total
    if hurried.status is PlanStatus.OPTIMAL:
        assert rank(hurried, basket) == rank(best, basket)


@pytest.mark.parametrize("time_limit", [0.05, 0.2, 0.8])
def test_a_large_basket_out_of_time_has_a_true_bound(time_limit: float) -> None:
    basket = generate_basket(random.Random("60x300 shop 7"), 60, 300)
    proven_best = Decimal("2797.76")
    plan = plan_basket(basket, time_limit=time_limit, frontier=False)
    assert plan.complete
    assert plan.bound is not None
    assert plan.bound <= proven_best <= plan.total
    assert plan.status is PlanStatus.FEASIBLE or plan.bound == plan.total
