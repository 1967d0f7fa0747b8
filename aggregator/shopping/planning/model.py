"""A basket in whole numbers: what the solver, the greedy start and the exact score all read."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from aggregator.domain.carts import Basket
from aggregator.domain.errors import BasketError
from aggregator.domain.money import currency_exponent
from aggregator.domain.shipping import ShippingRule

Quantities = Mapping[int, int]  # place of an offer in the basket -> units, never 0


class Choice(NamedTuple):
    """An offer: its place in the basket, its line and store by number, price, units that can be used."""

    place: int
    line: int
    shop: int
    price: int
    limit: int


class Band(NamedTuple):
    """Subtotals from `low` to `high` (None: no end) cost `cost` to send."""

    low: int
    high: int | None
    cost: int


class Score(NamedTuple):
    """What is best, least first: units not bought, unknown stores (0 where assumed), cost, stores."""

    unbought: int
    unknown: int
    cost: int
    stores: int


@dataclass(frozen=True, slots=True)
class Shop:
    """A store that can be used: `bands` are the subtotals within reach that it accepts, ascending."""

    number: int
    known: bool
    bands: tuple[Band, ...]
    choices: tuple[Choice, ...]

    def fee(self, subtotal: int) -> int | None:
        """What ranks as shipping at that subtotal, None where the store takes no such order."""
        at = bisect_right(self.bands, subtotal, key=lambda band: band.low)
        return self.bands[at - 1].cost if at else None

    def capacity(self, demand: tuple[int, ...]) -> dict[int, int]:
        """Line -> the most units of it that this store can sell."""
        units: dict[int, int] = defaultdict(int)
        for choice in self.choices:
            units[choice.line] += choice.limit
        return {line: min(demand[line], stock) for line, stock in units.items()}


@dataclass(frozen=True, slots=True)
class Problem:
    """A basket with every amount as a whole number of `quantum`, the greatest amount that divides them all.

    `assumed`: unknown shipping has a price here, so that it does not rank by itself.
    """

    demand: tuple[int, ...]
    shops: Mapping[int, Shop]
    max_stores: int | None
    assumed: bool
    quantum: Decimal
    choices: Mapping[int, Choice] = field(init=False)
    full_units: int = field(init=False)

    def __post_init__(self) -> None:
        choices = {choice.place: choice for shop in self.shops.values() for choice in shop.choices}
        object.__setattr__(self, "choices", dict(sorted(choices.items())))
        object.__setattr__(self, "full_units", sum(self.attainable().values()))

    def attainable(self) -> dict[int, int]:
        """Line -> the most units of it that all usable stores together can sell."""
        units: dict[int, int] = defaultdict(int)
        for choice in self.choices.values():
            units[choice.line] += choice.limit
        return {line: min(self.demand[line], stock) for line, stock in units.items()}

    def ranks_unknown(self) -> bool:
        """Whether fewer unknown stores are better, before any cost."""
        return not self.assumed and any(not shop.known for shop in self.shops.values())

    def score(self, quantities: Quantities) -> Score | None:
        """The exact score of a plan, None where a store, a stock or a line does not allow it."""
        bought: dict[int, int] = defaultdict(int)
        subtotals: dict[int, int] = defaultdict(int)
        for place, quantity in quantities.items():
            choice = self.choices[place]
            if not 0 < quantity <= choice.limit:
                return None
            bought[choice.line] += quantity
            subtotals[choice.shop] += quantity * choice.price
        if any(quantity > self.demand[line] for line, quantity in bought.items()):
            return None
        if self.max_stores is not None and len(subtotals) > self.max_stores:
            return None
        cost = 0
        for number, subtotal in subtotals.items():
            fee = self.shops[number].fee(subtotal)
            if fee is None:
                return None
            cost += subtotal + fee
        unknown = sum(not self.shops[number].known for number in subtotals) if not self.assumed else 0
        return Score(self.full_units - sum(bought.values()), unknown, cost, len(subtotals))

    def shops_of(self, quantities: Quantities) -> list[Shop]:
        """The stores that a plan uses, in input order."""
        return [self.shops[number] for number in sorted({self.choices[p].shop for p in quantities})]

    def with_max_stores(self, max_stores: int | None) -> Problem:
        """The same basket with another limit on stores."""
        return replace(self, max_stores=max_stores)

    def only(self, shop: Shop, demand: Mapping[int, int]) -> Problem:
        """One store alone, for these units of these lines."""
        wanted = tuple(demand.get(line, 0) for line in range(len(self.demand)))
        choices = tuple(
            choice._replace(limit=min(choice.limit, wanted[choice.line]))
            for choice in shop.choices
            if wanted[choice.line]
        )
        return replace(
            self, demand=wanted, shops={shop.number: replace(shop, choices=choices)}, max_stores=None
        )


def build_problem(basket: Basket, *, assumed_shipping: Decimal | None) -> Problem:
    """The basket in whole numbers, without the offers and stores that no plan can use.

    Left out are offers without stock and stores that no permitted purchase brings to their least order.
    Raises BasketError where an amount has more decimals than the currency.
    """
    exponent = currency_exponent(basket.currency)
    line_of = {line.id: at for at, line in enumerate(basket.lines)}
    shop_of = {store.id: at for at, store in enumerate(basket.stores)}
    demand = tuple(line.quantity for line in basket.lines)

    prices = [_minor(o.price, exponent, f"$.offers[{at}].price") for at, o in enumerate(basket.offers)]
    rules = [
        None if store.shipping is None else _minor_rule(store.shipping, exponent, f"$.stores[{at}].shipping")
        for at, store in enumerate(basket.stores)
    ]
    assumed = 0 if assumed_shipping is None else _minor(assumed_shipping, exponent, "$.assumed_shipping")
    costs = [cost for rule in rules if rule for _, cost in rule]
    unit = math.gcd(assumed, *prices, *costs) or 1

    offered: dict[int, list[Choice]] = defaultdict(list)
    for place, (offer, price) in enumerate(zip(basket.offers, prices, strict=True)):
        line, shop = line_of[offer.line], shop_of[offer.store]
        limit = demand[line] if offer.stock is None else min(offer.stock, demand[line])
        if limit:
            offered[shop].append(Choice(place, line, shop, price // unit, limit))

    shops: dict[int, Shop] = {}
    for number, rule in enumerate(rules):
        choices = offered.get(number)
        if not choices:
            continue
        tiers = [(0, assumed)] if rule is None else rule
        bands = _bands(tiers, unit, cheapest_first(choices, demand, dearest=True)[1])
        if bands:
            shops[number] = Shop(number, rule is not None, bands, tuple(choices))
    return Problem(
        demand=demand,
        shops=shops,
        max_stores=basket.max_stores,
        assumed=assumed_shipping is not None,
        quantum=Decimal(unit).scaleb(-exponent),
    )


def cheapest_first(
    choices: Iterable[Choice], wanted: Mapping[int, int] | tuple[int, ...], *, dearest: bool = False
) -> tuple[dict[int, int], int]:
    """Units of each line from its cheapest (or dearest) choices: the quantities and what they cost."""
    left = dict(enumerate(wanted)) if isinstance(wanted, tuple) else dict(wanted)
    sign = -1 if dearest else 1
    quantities: dict[int, int] = {}
    subtotal = 0
    for choice in sorted(choices, key=lambda choice: (sign * choice.price, choice.place)):
        quantity = min(choice.limit, left.get(choice.line, 0))
        if quantity:
            left[choice.line] -= quantity
            quantities[choice.place] = quantity
            subtotal += quantity * choice.price
    return quantities, subtotal


def _bands(tiers: list[tuple[int, int]], unit: int, reach: int) -> tuple[Band, ...]:
    """Tiers in minor units as bands in `unit`s, up to the highest subtotal within reach.

    Subtotals are multiples of the unit, so a lower end is rounded up.
    """
    bands: list[Band] = []
    for at, (start, cost) in enumerate(tiers):
        low = -(-start // unit)
        high = -(-tiers[at + 1][0] // unit) - 1 if at + 1 < len(tiers) else None
        if low > reach or (high is not None and high < low):
            continue
        if high is not None and high >= reach:
            high = None
        if bands and bands[-1].cost == cost // unit:
            bands[-1] = Band(bands[-1].low, high, cost // unit)
        else:
            bands.append(Band(low, high, cost // unit))
    return tuple(bands)


def _minor_rule(rule: ShippingRule, exponent: int, path: str) -> list[tuple[int, int]]:
    """(subtotal, cost) in minor units, ascending, from the minimum order on."""
    tiers = sorted(
        (
            _minor(tier.min_subtotal, exponent, f"{path}.tiers[{at}].min_subtotal"),
            _minor(tier.cost, exponent, f"{path}.tiers[{at}].cost"),
        )
        for at, tier in enumerate(rule.tiers)
    )
    if rule.min_order is not None:
        least = _minor(rule.min_order, exponent, f"{path}.min_order")
        below = [tier for tier in tiers if tier[0] <= least]
        above = [tier for tier in tiers if tier[0] > least]
        tiers = ([(least, below[-1][1])] if below else []) + above
    return tiers


def _minor(amount: Decimal, exponent: int, path: str) -> int:
    minor = int(amount.scaleb(exponent))
    if Decimal(minor).scaleb(-exponent) != amount:
        raise BasketError(
            f"{amount} has more decimals than the currency", place=path, remedy=f"at most {exponent} decimals"
        )
    return minor
