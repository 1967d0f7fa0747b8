"""Random small baskets and their best plans by trying every purchase: no solver, no code of the planner."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace
from decimal import Decimal

from aggregator.domain.carts import Basket, BasketLine, BasketOffer, BasketStore
from aggregator.domain.shipping import ShippingRule, ShippingTier

_MOST_PURCHASES = 12_000


@dataclass(frozen=True)
class Best:
    """`ranked` includes assumed shipping, `total` does not; amounts in cents. `bought`: offer id -> units."""

    units: int
    unknown: int
    ranked: int
    total: int
    stores: int
    bought: dict[str, int]


def random_basket(rng: random.Random) -> Basket:
    """Up to 4 lines and 4 stores; prices are coarse, so that ties and thresholds met exactly are common."""
    while True:
        basket = _draw(rng)
        if _purchases(basket) <= _MOST_PURCHASES:
            return basket


def best_plans(basket: Basket, assumed: Decimal | None) -> list[Best]:
    """The best plan with at most 1, 2, 3 ... stores, max_stores included; empty if nothing can be bought."""
    line_options = [_line_options(basket, line) for line in basket.lines]
    best: dict[int, tuple[tuple[object, ...], Best]] = {}
    for purchase in itertools.product(*line_options):
        bought = {at: units for option in purchase for at, units in option}
        subtotals: dict[str, int] = {}
        for at, units in bought.items():
            offer = basket.offers[at]
            subtotals[offer.store] = subtotals.get(offer.store, 0) + units * _cents(offer.price)
        stores = len(subtotals)
        if not stores or (basket.max_stores is not None and stores > basket.max_stores):
            continue
        total, unknown = sum(subtotals.values()), 0
        for store in basket.stores:
            if store.id not in subtotals:
                continue
            if store.shipping is None:
                unknown += 1
                continue
            shipping = _shipping(store.shipping, subtotals[store.id])
            if shipping is None:
                break
            total += shipping
        else:
            units = sum(bought.values())
            ranked = total + unknown * (0 if assumed is None else _cents(assumed))
            order = tuple(-bought.get(at, 0) for at in range(len(basket.offers)))
            key = (-units, unknown if assumed is None else 0, ranked, stores, order)
            if stores not in best or key < best[stores][0]:
                by_id = {basket.offers[at].id: n for at, n in bought.items()}
                best[stores] = (key, Best(units, unknown, ranked, total, stores, by_id))
    frontier: list[tuple[tuple[object, ...], Best]] = []
    for count in range(1, max(best, default=0) + 1):
        candidates = frontier[-1:] + ([best[count]] if count in best else [])
        if candidates:
            frontier.append(min(candidates, key=lambda entry: entry[0]))
    return [entry[1] for entry in frontier]


def cheapest_in_one_store(basket: Basket, wanted: dict[str, int], assumed: Decimal | None) -> Best | None:
    """The best plan of one store that buys exactly these units of these lines."""
    exact = replace(
        basket,
        lines=tuple(BasketLine(line, units) for line, units in wanted.items()),
        offers=tuple(offer for offer in basket.offers if offer.line in wanted),
        max_stores=1,
    )
    plans = best_plans(exact, assumed)
    return plans[0] if plans and plans[0].units == sum(wanted.values()) else None


def _cents(amount: Decimal) -> int:
    return int(amount * 100)


def _shipping(rule: ShippingRule, subtotal: int) -> int | None:
    if rule.min_order is not None and subtotal < _cents(rule.min_order):
        return None
    cost, highest = None, -1
    for tier in rule.tiers:
        if highest < _cents(tier.min_subtotal) <= subtotal:
            cost, highest = _cents(tier.cost), _cents(tier.min_subtotal)
    return cost


def _line_options(basket: Basket, line: BasketLine) -> list[tuple[tuple[int, int], ...]]:
    offers = [(at, offer) for at, offer in enumerate(basket.offers) if offer.line == line.id]
    ranges = [
        range(1 + min(line.quantity, line.quantity if offer.stock is None else offer.stock))
        for _, offer in offers
    ]
    return [
        tuple((at, units) for (at, _), units in zip(offers, counts, strict=True) if units)
        for counts in itertools.product(*ranges)
        if sum(counts) <= line.quantity
    ]


def _purchases(basket: Basket) -> int:
    count = 1
    for line in basket.lines:
        count *= len(_line_options(basket, line))
    return count


def _draw(rng: random.Random) -> Basket:
    step = rng.choice([1, 5, 50, 250])
    lines = tuple(
        BasketLine(f"l{at}", rng.choice([1, 1, 2, 3])) for at in range(rng.choice([1, 2, 3, 3, 4, 4, 4]))
    )
    stores = tuple(
        BasketStore(f"s{at}", _draw_rule(rng, step) if rng.random() < 0.8 else None)
        for at in range(rng.choice([1, 2, 3, 3, 4, 4, 4]))
    )
    offers: list[BasketOffer] = []
    for line in lines:
        base = rng.randint(2, 40) * 50
        for store in stores:
            for _ in range(rng.choices([0, 1, 2], [35, 58, 7])[0]):
                price = max(0, round(base * rng.uniform(0.7, 1.4) / step) * step)
                stock = rng.choice([None, None, None, 0, 1, 2])
                offers.append(BasketOffer("", line.id, store.id, Decimal(price).scaleb(-2), stock))
    rng.shuffle(offers)
    return Basket(
        currency="EUR",
        lines=lines,
        stores=stores,
        offers=tuple(replace(offer, id=f"o{at}") for at, offer in enumerate(offers)),
        max_stores=rng.choice([None, None, None, 1, 2, 3]),
        assumed_shipping=Decimal(rng.choice([0, 250, 490])).scaleb(-2) if rng.random() < 0.5 else None,
    )


def _draw_rule(rng: random.Random, step: int) -> ShippingRule:
    starts = sorted(rng.sample([0, 500, 1000, 1500, 2000, 3000, 5000], rng.randint(1, 3)))
    if rng.random() < 0.75:
        starts[0] = 0
    costs = [rng.choice([0, 100, 250, 390, 490, 650]) for _ in starts]
    if rng.random() < 0.6:
        costs.sort(reverse=True)
    tiers = [
        ShippingTier(Decimal(start).scaleb(-2), Decimal(cost // step * step).scaleb(-2))
        for start, cost in zip(starts, costs, strict=True)
    ]
    rng.shuffle(tiers)
    least = rng.choice([None, None, None, 500, 1000, 2000])
    return ShippingRule(tuple(tiers), None if least is None else Decimal(least).scaleb(-2))
