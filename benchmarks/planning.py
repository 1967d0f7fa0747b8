"""How long the exact split takes: random baskets of growing size, CPU seconds of its one thread.

    python -m benchmarks.planning [--instances 200] [--size 15x12] [--family shop] [--frontier]

Without --frontier the main plan is timed; with it, the best plan for each number of stores besides.

The generator: a line's reference price is log-normal (median 25, sigma 0.9); a store offers it with the given
coverage at 0.85 to 1.3 times that, or 0.95 to 1.05 in the family `close`, where shipping decides nearly
everything. Stores have one to three falling tiers, a quarter of them a minimum order, 40 % of the offers a
stock limit, lines are wanted one to three times. The family `dense` is `close` with full coverage.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Iterable
from decimal import Decimal

from aggregator.domain.carts import Basket, BasketLine, BasketOffer, BasketStore, Plan, PlanStatus
from aggregator.domain.shipping import ShippingRule, ShippingTier
from aggregator.shopping.planning import plan_basket

SIZES = ("15x12", "30x100", "60x300")
TIME_LIMIT = 10.0
FAMILIES = {"shop": (0.85, 1.3, 0.3), "close": (0.95, 1.05, 0.3), "dense": (0.95, 1.05, 1.0)}


def generate_basket(rng: random.Random, lines: int, stores: int, family: str = "shop") -> Basket:
    """A basket of that many lines and stores; the same seed gives the same basket."""
    low, high, coverage = FAMILIES[family]
    offers = []
    for line in range(lines):
        reference = 25 * math.exp(rng.gauss(0, 0.9))
        for store in range(stores):
            if rng.random() < coverage:
                cents = max(1, round(100 * reference * rng.uniform(low, high)))
                stock = rng.choice([None, None, None, 1, 2])
                price = Decimal(cents).scaleb(-2)
                offers.append(BasketOffer(f"o{len(offers)}", f"l{line}", f"s{store}", price, stock))
    return Basket(
        currency="EUR",
        lines=tuple(BasketLine(f"l{line}", rng.choice([1, 1, 1, 2, 3])) for line in range(lines)),
        stores=tuple(BasketStore(f"s{store}", _generate_rule(rng)) for store in range(stores)),
        offers=tuple(offers),
    )


def _generate_rule(rng: random.Random) -> ShippingRule:
    fee = Decimal(rng.choice([190, 290, 390, 490, 590, 690])).scaleb(-2)
    tiers = [ShippingTier(Decimal(0), fee)]
    count = rng.choice([1, 2, 2, 3])
    if count == 3:
        tiers.append(ShippingTier(Decimal(rng.choice([20, 30])), (fee / 2).quantize(Decimal("0.01"))))
    if count > 1:
        tiers.append(ShippingTier(Decimal(rng.choice([40, 50, 80, 100])), Decimal(0)))
    return ShippingRule(tuple(tiers), rng.choice([None, None, None, Decimal(rng.choice([10, 20]))]))


def measure(size: str, family: str, instances: int, *, frontier: bool) -> None:
    """Print one row of the table."""
    lines, stores = map(int, size.split("x"))
    seconds: list[float] = []
    plans: list[Plan] = []
    for seed in range(instances):
        basket = generate_basket(random.Random(f"{size} {family} {seed}"), lines, stores, family)
        began = time.process_time()
        plans.append(plan_basket(basket, time_limit=TIME_LIMIT, frontier=frontier))
        seconds.append(time.process_time() - began)
    seconds.sort()
    unproven = sum(plan.status is not PlanStatus.OPTIMAL for plan in plans)
    points = [point.proven for plan in plans for point in plan.frontier]
    p95 = seconds[max(0, math.ceil(0.95 * len(seconds)) - 1)]
    per_line = _mean_saving((p, p.cheapest_per_line.total, p.cheapest_per_line.complete) for p in plans)
    single = _mean_saving(
        (p, p.single_store.total, p.single_store.complete) for p in plans if p.single_store is not None
    )
    parcels = statistics.mean(len(plan.stores) for plan in plans)
    proven = f"{sum(points)}/{len(points)}" if frontier else "–"
    print(
        f"{family:6} {size:>7} {instances:10} {statistics.median(seconds):8.3f} {p95:8.3f}"
        f" {seconds[-1]:8.3f} {unproven:9} {proven:>10} {per_line:>9} {single:>9} {parcels:8.1f}",
        flush=True,
    )


def _mean_saving(others: Iterable[tuple[Plan, Decimal, bool]]) -> str:
    savings = [1 - plan.total / other for plan, other, complete in others if plan.complete and complete]
    return f"{statistics.mean(savings):.1%}" if savings else "–"


def main() -> None:
    """Read the options and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--size", action="append", help=f"lines x stores; default {', '.join(SIZES)}")
    parser.add_argument("--family", action="append", choices=list(FAMILIES))
    parser.add_argument(
        "--frontier", action="store_true", help="with the best plan for each number of stores"
    )
    options = parser.parse_args()
    print(
        "family    size  instances    p50 s    p95 s    max s  unproven   frontier   greedy*   single*  parcels"
    )
    for family in options.family or ["shop"]:
        for size in options.size or SIZES:
            measure(size, family, options.instances, frontier=options.frontier)
    print("CPU seconds of a plan; frontier: points proven of all; parcels: stores of a plan")
    print("* mean saving against each line where it is cheapest, and against the best single store, shipping")
    print("  included, where both are complete")


if __name__ == "__main__":
    main()
