"""What is cut off, dropped or left out on the way to a plan is never a part of a plan that counts."""

from __future__ import annotations

import random
import time
from decimal import Decimal

import numpy as np
import pytest

from aggregator.shopping.planning.building import build_problem
from aggregator.shopping.planning.model import Problem
from aggregator.shopping.planning.programme import Programme
from aggregator.shopping.planning.thresholds import ThresholdCuts
from tests.unit.planning_oracle import best_plans, random_basket


def permitted_plans(problem: Problem, rng: random.Random) -> list[dict[int, int]]:
    """Random quantities that the exact score allows."""
    plans = []
    for _ in range(300):
        places = rng.sample(list(problem.choices), rng.randint(1, len(problem.choices)))
        plan = {place: rng.randint(1, problem.choices[place].limit) for place in places}
        if problem.score(plan) is not None:
            plans.append(plan)
    return plans


@pytest.mark.parametrize("rounded", [False, True])
def test_no_cut_forbids_a_permitted_plan(rounded: bool) -> None:
    cuts_seen = 0
    for seed in range(150):
        rng = random.Random(f"cuts {seed}")
        problem = build_problem(random_basket(rng, rich=seed % 3 == 0), assumed_shipping=None)
        if not problem.shops:
            continue
        programme = Programme(problem)
        cuts = ThresholdCuts(problem, programme.bands, programme.column_of)
        plans = [np.array(programme.values(plan)) for plan in permitted_plans(problem, rng)]
        for _ in range(20):
            somewhere = np.array([rng.random() * upper for upper in programme.upper])
            for cut in cuts.violated_by(somewhere, rounded=rounded):
                cuts_seen += 1
                assert cut.values @ somewhere[cut.columns] < 0
                assert all(cut.values @ plan[cut.columns] >= -1e-9 for plan in plans)
    assert cuts_seen > 500


@pytest.mark.parametrize("block", range(4))
def test_what_is_dropped_costs_more_than_the_best_plan(block: int) -> None:
    dropped = 0
    for seed in range(block * 50, block * 50 + 50):
        basket = random_basket(random.Random(f"dropped {seed}"), rich=seed % 3 == 0)
        problem = build_problem(basket, assumed_shipping=basket.assumed_shipping)
        best = best_plans(basket, basket.assumed_shipping)
        if not best or best[-1].units < problem.full_units:
            continue
        places = {offer.id: place for place, offer in enumerate(basket.offers)}
        plan = {places[offer]: units for offer, units in best[-1].bought.items()}
        programme = Programme(problem)
        programme.buy_exactly(problem.full_units)
        relaxation = programme.relax(time.monotonic() + 60)
        assert relaxation is not None
        score = problem.score(plan)
        assert score is not None
        assert relaxation.cost <= score.cost + 0.5
        free = programme.upper.copy()
        programme.tighten(programme.within(relaxation, score.cost))
        values = np.array(programme.values(plan))
        assert np.all((programme.lower <= values) & (values <= programme.upper))
        dropped += int((programme.upper < free).sum())
    assert dropped > 20


def test_every_permitted_plan_is_in_the_programme_at_its_cost() -> None:
    seen = 0
    for seed in range(120):
        rng = random.Random(f"programme {seed}")
        problem = build_problem(random_basket(rng, rich=seed % 3 > 0), assumed_shipping=Decimal(2))
        if not problem.shops:
            continue
        programme = Programme(problem)
        for plan in permitted_plans(problem, rng)[:20]:
            values, score = np.array(programme.values(plan)), problem.score(plan)
            assert score is not None
            assert programme.cost() @ values == score.cost
            assert programme.store_count() @ values == score.stores
            assert programme.unbought() @ values + programme.units_by_the_unit() == score.unbought
            assert np.all((programme.lower <= values) & (values <= programme.upper))
            for row in programme.rows:
                assert row.lower <= np.array(row.values) @ values[list(row.columns)] <= row.upper
            seen += 1
    assert seen > 500
