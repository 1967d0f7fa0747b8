"""The plan against every possible purchase of random small baskets, and what must hold of any two plans."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from aggregator.domain.carts import Basket, FrontierPoint, PlanStatus
from aggregator.shopping.basket_files import read_basket
from aggregator.shopping.planning import plan_basket
from tests.unit.planning_documents import oracle_answers, random_document
from tests.unit.planning_oracle import best_plans, cheapest_in_one_store, random_basket


def assert_plan_is_the_best_purchase(basket: Basket) -> None:
    plan = plan_basket(basket)
    frontier = best_plans(basket, basket.assumed_shipping)
    if not frontier:
        assert plan.status is PlanStatus.INFEASIBLE
        assert (plan.total, plan.bound, plan.allocations, plan.stores, plan.frontier) == (0, 0, (), (), ())
        return
    best = frontier[-1]
    assert plan.status is PlanStatus.OPTIMAL
    assert (plan.units, plan.unknown_stores, plan.total * 100, len(plan.stores)) == (
        best.units,
        best.unknown,
        best.total,
        best.stores,
    )
    assert plan.bound == plan.total
    assert {allocation.offer: allocation.quantity for allocation in plan.allocations} == best.bought
    assert [(p.max_stores, p.units, p.total * 100, p.proven) for p in plan.frontier] == [
        (stores, point.units, point.total, True)
        for stores, point in enumerate(frontier[: best.stores], start=1)
    ]
    ignoring = best_plans(basket, Decimal(0))[-1]
    known_parts = plan.cheapest_known_parts
    assert (known_parts.total * 100, known_parts.unknown_stores) == (ignoring.total, ignoring.unknown)
    wanted: Counter[str] = Counter()
    for allocation in plan.allocations:
        wanted[allocation.line] += allocation.units
    wanted.subtract({line.line: line.quantity for line in plan.surplus})
    single = cheapest_in_one_store(basket, wanted, basket.assumed_shipping)
    assert (plan.single_store and plan.single_store.total * 100) == (single and single.total)
    assert sum(line.quantity for line in basket.lines) == plan.units + sum(m.quantity for m in plan.missing)


@pytest.mark.parametrize("block", range(3))
def test_equals_the_best_of_all_purchases_on_a_sample(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        assert_plan_is_the_best_purchase(random_basket(random.Random(seed)))


@pytest.mark.parametrize("block", range(2))
def test_equals_the_best_of_all_rich_purchases_on_a_sample(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        assert_plan_is_the_best_purchase(random_basket(random.Random(f"rich {seed}"), rich=True))


@pytest.mark.prove
@pytest.mark.parametrize("block", range(20))
def test_equals_the_best_of_all_rich_purchases(block: int) -> None:
    for seed in range(1_000 + block * 100, 1_100 + block * 100):
        assert_plan_is_the_best_purchase(random_basket(random.Random(f"rich {seed}"), rich=True))


@pytest.mark.prove
@pytest.mark.parametrize("block", range(20))
def test_equals_the_best_of_all_purchases(block: int) -> None:
    for seed in range(1_000 + block * 200, 1_200 + block * 200):
        assert_plan_is_the_best_purchase(random_basket(random.Random(seed)))


def assert_plans_equal_the_oracle(seeds: Sequence[str], *, rich: bool = False) -> None:
    """In units, stores of unknown shipping, cents and stores, each plan proven with gap zero."""
    documents = [random_document(random.Random(seed), rich=rich) for seed in seeds]
    for document, expected in zip(documents, oracle_answers(documents), strict=True):
        basket = read_basket(json.dumps(document).encode())
        plan = plan_basket(basket, time_limit=60, frontier=False)
        assert expected["proven"]
        if not expected["units"]:
            assert plan.status is PlanStatus.INFEASIBLE
            continue
        assert (plan.status, plan.bound) == (PlanStatus.OPTIMAL, plan.total)
        besides = plan.unknown_stores * (basket.assumed_shipping or 0) + basket.parcel_value * len(
            plan.stores
        )
        assert plan.units == expected["units"]
        assert (plan.total + besides) * 100 == expected["ranked"]
        assert len(plan.stores) == expected["stores"]
        if basket.assumed_shipping is None:
            assert plan.unknown_stores == expected["unknown"]


def test_equals_another_solver_on_a_sample() -> None:
    assert_plans_equal_the_oracle([f"sample {seed}" for seed in range(75)])
    assert_plans_equal_the_oracle([f"sample {seed}" for seed in range(25)], rich=True)


@pytest.mark.prove
@pytest.mark.parametrize("block", range(40))
def test_equals_another_solver(block: int) -> None:
    assert_plans_equal_the_oracle([f"{block} {seed}" for seed in range(250)])


@pytest.mark.prove
@pytest.mark.parametrize("block", range(10))
def test_equals_another_solver_on_rich_baskets(block: int) -> None:
    assert_plans_equal_the_oracle([f"rich {block} {seed}" for seed in range(100)], rich=True)


def assert_frontiers_equal_the_oracle(seeds: Sequence[str], *, rich: bool) -> None:
    """Every point, in units and cents, where no assumption ranks besides what is paid."""
    documents = [random_document(random.Random(seed), rich=rich) for seed in seeds]
    asked: list[dict[str, Any]] = []
    points: list[FrontierPoint] = []
    for document in documents:
        document |= {"assumed_shipping": None, "parcel_value": "0"}
        plan = plan_basket(read_basket(json.dumps(document).encode()), time_limit=60)
        for point in plan.frontier:
            asked.append(document | {"max_stores": point.max_stores})
            points.append(point)
    for point, expected in zip(points, oracle_answers(asked), strict=True):
        assert point.proven
        assert (point.units, point.total * 100) == (expected["units"], expected["ranked"])


def test_every_point_of_a_frontier_equals_another_solver_on_a_sample() -> None:
    assert_frontiers_equal_the_oracle([f"frontier {seed}" for seed in range(12)], rich=False)
    assert_frontiers_equal_the_oracle([f"frontier {seed}" for seed in range(4)], rich=True)


@pytest.mark.prove
@pytest.mark.parametrize("block", range(10))
def test_every_point_of_a_frontier_equals_another_solver(block: int) -> None:
    assert_frontiers_equal_the_oracle([f"frontier {block} {seed}" for seed in range(40)], rich=block % 5 == 4)
