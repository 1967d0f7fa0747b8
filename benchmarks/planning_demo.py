"""What the exact split saves on the demo stores' catalogue: money and parcels, against simpler ways to buy.

    python -m benchmarks.planning_demo [--baskets 300] [--lines 3 5 8 15] [--seed 0] [--most-price 30]

Baskets are drawn at random from the products of one demo store, itself drawn, that another one sells too (by the truth
that their catalogues keep, so that the matcher has no part in it), each wanted once or twice: so one store could sell
all. The store that publishes no shipping counts with what the site assumes. Compared are ways that both buy all.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from aggregator.domain.carts import Basket, BasketLine, BasketOffer, BasketStore, Plan, PlanStatus
from aggregator.domain.shipping import ShippingRule, ShippingTier
from aggregator.shopping.planning import plan_basket
from fixtures.demo.catalogue import read_catalogue
from fixtures.demo.profiles import Profile, read_profiles

ASSUMED = Decimal("5.90")


@dataclass(frozen=True, slots=True)
class Offer:
    """One variant of a demo store."""

    id: str
    store: str
    price: Decimal
    stock: int


def read_products(profiles: Sequence[Profile], most_price: Decimal | None) -> dict[str, list[Offer]]:
    """Product (a cluster of the truth) -> its offers, for products of at least two stores, dear ones left out."""
    products: defaultdict[str, list[Offer]] = defaultdict(list)
    for profile in profiles:
        for product in read_catalogue(profile.slug):
            for variant in product.variants:
                offer = Offer(f"{profile.slug}/{variant.sku}", profile.slug, variant.price, variant.stock)
                if variant.stock:
                    products[variant.cluster].append(offer)
    return {
        cluster: offers
        for cluster, offers in sorted(products.items())
        if len({offer.store for offer in offers}) > 1
        and (most_price is None or min(offer.price for offer in offers) <= most_price)
    }


def draw_basket(
    rng: random.Random, products: dict[str, list[Offer]], lines: int, profiles: Sequence[Profile]
) -> Basket:
    """That many products of one store, once or twice each."""
    sold = {
        profile.slug: [cluster for cluster, offers in products.items() if _is_at(profile.slug, offers)]
        for profile in profiles
    }
    chosen = rng.sample(rng.choice([known for known in sold.values() if len(known) >= lines]), lines)
    stores = [BasketStore(profile.slug, _rule(profile)) for profile in profiles]
    return Basket(
        currency="EUR",
        lines=tuple(BasketLine(cluster, rng.choice([1, 1, 2])) for cluster in chosen),
        stores=tuple(stores),
        offers=tuple(
            BasketOffer(offer.id, cluster, offer.store, offer.price, offer.stock)
            for cluster in chosen
            for offer in products[cluster]
        ),
    )


def measure(lines: int, baskets: int, seed: int, most_price: Decimal | None) -> str:
    """One row of the table."""
    profiles = read_profiles()
    products = read_products(profiles, most_price)
    rng = random.Random(f"{seed} {lines}")
    drawn = [draw_basket(rng, products, lines, profiles) for _ in range(baskets)]
    plans = [plan_basket(basket) for basket in drawn]
    per_line, single, parcels, parcels_per_line = [], [], [], []
    for basket, plan in zip(drawn, plans, strict=True):
        if plan.status is not PlanStatus.OPTIMAL or not plan.complete:
            continue
        if plan.cheapest_per_line.complete:
            per_line.append(_saving(plan, plan.cheapest_per_line.total))
            parcels.append(len(plan.stores))
            parcels_per_line.append(_stores_per_line(basket))
        if plan.single_store and plan.single_store.complete:
            single.append(_saving(plan, plan.single_store.total))
    proven = sum(plan.status is PlanStatus.OPTIMAL for plan in plans)
    return (
        f"{lines:5} {baskets:8} {proven:7} {_summary(per_line)} {_summary(single)}"
        f" {_mean(parcels):8} {_mean(parcels_per_line):17}"
    )


def _is_at(slug: str, offers: Sequence[Offer]) -> bool:
    return any(offer.store == slug for offer in offers)


def _saving(plan: Plan, other: Decimal) -> float:
    return float(1 - plan.total / other)


def _stores_per_line(basket: Basket) -> int:
    cheapest = {
        line.id: min((offer for offer in basket.offers if offer.line == line.id), key=lambda o: o.price)
        for line in basket.lines
    }
    return len({offer.store for offer in cheapest.values()})


def _summary(savings: list[float]) -> str:
    if not savings:
        return f"{'–':>10} {'–':>8} {0:9}"
    better = sum(saving > 0 for saving in savings) / len(savings)
    return f"{statistics.mean(savings):10.2%} {better:8.0%} {len(savings):9}"


def _mean(values: list[int]) -> str:
    return f"{statistics.mean(values):.2f}" if values else "–"


def _rule(profile: Profile) -> ShippingRule:
    if profile.shipping is None:
        return ShippingRule.flat(ASSUMED)
    tiers = tuple(ShippingTier(tier.min_subtotal, tier.cost) for tier in profile.shipping.tiers)
    return ShippingRule(tiers, profile.shipping.min_order)


def main() -> None:
    """Read the options and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--baskets", type=int, default=300)
    parser.add_argument("--lines", type=int, nargs="+", default=[3, 5, 8, 15])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--most-price", type=Decimal, default=Decimal(30), help="of the second table's products"
    )
    options = parser.parse_args()
    for most_price in (None, options.most_price):
        print("all products" if most_price is None else f"products that cost {most_price} at most")
        show(options.lines, options.baskets, options.seed, most_price)


def show(sizes: Sequence[int], baskets: int, seed: int, most_price: Decimal | None) -> None:
    """Print one table."""
    print(
        "               against:   cheapest per line             best single store        parcels on average"
    )
    print(
        "lines  baskets  proven     saving   better  compared     saving   better  compared  plan  cheapest per line"
    )
    for lines in sizes:
        print(measure(lines, baskets, seed, most_price), flush=True)


if __name__ == "__main__":
    main()
