"""Random small baskets and their best plans by trying every purchase: no solver, no code of the planner."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace
from decimal import Decimal

from aggregator.domain.carts import Basket, BasketLine, BasketOffer, BasketStore, Coupon
from aggregator.domain.shipping import ShippingRule, ShippingTier

_MOST_PURCHASES = 12_000


@dataclass(frozen=True)
class Best:
    """`ranked` includes assumed shipping and what parcels are worth, `total` does not; amounts in cents.

    `bought`: offer id -> packs. `units`: those wanted.
    """

    units: int
    unknown: int
    ranked: int
    total: int
    stores: int
    bought: dict[str, int]


def random_basket(rng: random.Random, *, rich: bool = False) -> Basket:
    """Up to 4 lines and 4 stores; prices are coarse, so that ties and thresholds met exactly are common.

    `rich`: with packs, deposits, shipping per pack and line, coupons, pins, exclusions and a parcel's value.
    """
    while True:
        basket = _enrich(rng, _draw(rng)) if rich else _draw(rng)
        if _purchases(basket) <= _MOST_PURCHASES:
            return basket


def best_plans(basket: Basket, assumed: Decimal | None) -> list[Best]:
    """The best plan with at most 1, 2, 3 ... stores, max_stores included; empty if nothing can be bought."""
    line_options = [_line_options(basket, line) for line in basket.lines]
    wanted = {line.id: line.quantity for line in basket.lines}
    best: dict[int, tuple[tuple[object, ...], Best]] = {}
    for purchase in itertools.product(*line_options):
        bought = {at: packs for option in purchase for at, packs in option}
        parts: dict[str, dict[int, int]] = {}
        got: dict[str, int] = {}
        for at, packs in bought.items():
            offer = basket.offers[at]
            parts.setdefault(offer.store, {})[at] = packs
            got[offer.line] = got.get(offer.line, 0) + packs * offer.pack_size
        stores = len(parts)
        if not stores or (basket.max_stores is not None and stores > basket.max_stores):
            continue
        total = unknown = 0
        for store in basket.stores:
            if store.id not in parts:
                continue
            paid = _paid(basket, store, parts[store.id])
            if paid is None:
                break
            total += paid
            unknown += store.shipping is None
        else:
            units = sum(min(n, wanted[line]) for line, n in got.items())
            ranked = total + unknown * (0 if assumed is None else _cents(assumed))
            ranked += stores * _cents(basket.parcel_value)
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


def _paid(basket: Basket, store: BasketStore, packs: dict[int, int]) -> int | None:
    """The known part of what one store asks for these packs, None where it takes no such order."""
    bought = [(basket.offers[at], n) for at, n in packs.items()]
    subtotal = sum(_cents(offer.price) * n for offer, n in bought)
    discounts = [0]
    for coupon in store.coupons:
        if subtotal >= _cents(coupon.min_subtotal):
            if coupon.amount is not None:
                discounts.append(min(subtotal, _cents(coupon.amount)))
            elif coupon.percent is not None:
                discounts.append(int(coupon.percent * subtotal) // 100)
    besides = sum(_cents(offer.deposit) * n for offer, n in bought)
    if store.shipping is None:
        return subtotal + besides - max(discounts)
    besides += sum(_cents(offer.unit_shipping) * n + _cents(offer.line_shipping) for offer, n in bought)
    ways = [(_shipping(store.shipping, subtotal - discount), discount) for discount in discounts]
    fees = [fee - discount for fee, discount in ways if fee is not None]
    return subtotal + besides + min(fees) if fees else None


def _shipping(rule: ShippingRule, subtotal: int) -> int | None:
    if rule.min_order is not None and subtotal < _cents(rule.min_order):
        return None
    cost, highest = None, -1
    for tier in rule.tiers:
        if highest < _cents(tier.min_subtotal) <= subtotal:
            cost, highest = _cents(tier.cost), _cents(tier.min_subtotal)
    return cost


def _line_options(basket: Basket, line: BasketLine) -> list[tuple[tuple[int, int], ...]]:
    """All ways to buy some of the line, without a pack that could be left out."""
    unwanted = {store.id for store in basket.stores if store.excluded}
    offers = [(at, offer) for at, offer in enumerate(basket.offers) if offer.line == line.id]
    if any(offer.pinned for _, offer in offers):
        offers = [(at, offer) for at, offer in offers if offer.pinned]
    offers = [(at, offer) for at, offer in offers if not offer.excluded and offer.store not in unwanted]
    ranges = [range(1 + min(line.quantity, line.quantity if o.stock is None else o.stock)) for _, o in offers]
    options = []
    for counts in itertools.product(*ranges):
        used = [(at, n, offer.pack_size) for (at, offer), n in zip(offers, counts, strict=True) if n]
        units = sum(n * pack for _, n, pack in used)
        if all(units - pack < line.quantity for _, _, pack in used):
            options.append(tuple((at, n) for at, n, _ in used))
    return options


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


def _enrich(rng: random.Random, basket: Basket) -> Basket:
    def sometimes(share: float, cents: list[int]) -> Decimal:
        return Decimal(rng.choice(cents) if rng.random() < share else 0).scaleb(-2)

    def coupon(name: str) -> Coupon:
        least = sometimes(0.6, [500, 1000, 2000, 3000])
        if rng.random() < 0.5:
            return Coupon(name, amount=sometimes(1, [100, 250, 500, 1500]), min_subtotal=least)
        return Coupon(
            name, percent=Decimal(rng.choice(["5", "10", "12.5", "33.33", "100"])), min_subtotal=least
        )

    packs = rng.random() < 0.6
    stores = tuple(
        replace(
            store,
            coupons=tuple(coupon(f"c{at}") for at in range(rng.choice([0, 0, 0, 1, 2]))),
            excluded=rng.random() < 0.05,
        )
        for store in basket.stores
    )
    offers = tuple(
        replace(
            offer,
            pack_size=rng.choice([1, 1, 2, 3, 4]) if packs else 1,
            unit_shipping=sometimes(0.2, [50, 100]),
            line_shipping=sometimes(0.2, [100, 300]),
            deposit=sometimes(0.2, [8, 25, 100]),
            pinned=rng.random() < 0.04,
            excluded=rng.random() < 0.06,
        )
        for offer in basket.offers
    )
    return replace(basket, stores=stores, offers=offers, parcel_value=sometimes(0.3, [50, 100, 390]))


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
