"""A basket in whole numbers: what the solver, the greedy start and the exact score all read."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

Quantities = Mapping[int, int]  # place of an offer in the basket -> packs, never 0

WHOLE = 10_000  # a rate of a band is in these parts of the subtotal


class Choice(NamedTuple):
    """An offer: its place in the basket, its line and store by number, and what a pack of it is.

    `price` is what a pack adds to the store's subtotal, `cost` what it costs in all; `once` is paid besides if
    any is bought. `limit` is how many packs can be used, `pack` the units in one.
    """

    place: int
    line: int
    shop: int
    price: int
    limit: int
    cost: int
    once: int = 0
    pack: int = 1


class Band(NamedTuple):
    """Subtotals from `low` to `high` (None: no end) cost `cost` to send, less a discount.

    A fixed discount is taken off the cost, which may be below 0; `rate` parts of WHOLE of the subtotal, rounded
    down, are taken off besides.
    """

    low: int
    high: int | None
    cost: int
    rate: int = 0

    def fee(self, subtotal: int) -> int:
        """What an order of that subtotal costs besides it."""
        return self.cost - self.rate * subtotal // WHOLE


class Score(NamedTuple):
    """What is best, least first: units not bought, unknown stores (0 where assumed), cost, stores."""

    unbought: int
    unknown: int
    cost: int
    stores: int


@dataclass(frozen=True, slots=True)
class Shop:
    """A store that can be used: `bands` are the subtotals within reach that it accepts, by their lower ends.

    Without `coupons` no two bands hold the same subtotal; with them the cheapest band counts. `reach`: no
    permitted purchase there is worth more.
    """

    number: int
    known: bool
    bands: tuple[Band, ...]
    choices: tuple[Choice, ...]
    reach: int
    coupons: bool = False

    def band_at(self, subtotal: int) -> int | None:
        """Which band an order of that subtotal is best sent at, None where the store takes no such order."""
        if not self.coupons:
            at = bisect_right(self.bands, subtotal, key=lambda band: band.low)
            return at - 1 if at else None
        fitting = [
            (band.fee(subtotal), at)
            for at, band in enumerate(self.bands)
            if band.low <= subtotal and (band.high is None or subtotal <= band.high)
        ]
        return min(fitting)[1] if fitting else None

    def fee(self, subtotal: int) -> int | None:
        """What ranks besides the goods at that subtotal, None where the store takes no such order."""
        at = self.band_at(subtotal)
        return None if at is None else self.bands[at].fee(subtotal)

    def least_fee(self) -> int:
        """No order within reach has a lower fee."""
        return min(
            band.fee(self.reach if band.high is None else min(band.high, self.reach)) for band in self.bands
        )

    def capacity(self, demand: Sequence[int]) -> dict[int, int]:
        """Line -> the most units of it that this store can sell."""
        return _attainable(self.choices, demand)

    def is_plain(self) -> bool:
        """Whether only tiers are added to goods that are sold by the unit."""
        return not self.coupons and all(
            choice.pack == 1 and not choice.once and choice.cost == choice.price for choice in self.choices
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """A basket with every amount as a whole number of `quantum`, the greatest amount that divides them all.

    `assumed`: unknown shipping has a price here, so that it does not rank by itself. `packed`: lines that some
    offer sells in packs. What such a line gets beyond its demand is less than any pack bought for it, so that
    nothing is bought only to reach a threshold.
    """

    demand: tuple[int, ...]
    shops: Mapping[int, Shop]
    max_stores: int | None
    assumed: bool
    quantum: Decimal
    choices: Mapping[int, Choice] = field(init=False)
    packed: frozenset[int] = field(init=False)
    full_units: int = field(init=False)

    def __post_init__(self) -> None:
        choices = {choice.place: choice for shop in self.shops.values() for choice in shop.choices}
        object.__setattr__(self, "choices", dict(sorted(choices.items())))
        packed = frozenset(choice.line for choice in choices.values() if choice.pack > 1)
        object.__setattr__(self, "packed", packed)
        object.__setattr__(self, "full_units", sum(self.attainable().values()))

    def attainable(self) -> dict[int, int]:
        """Line -> the most units of it that all usable stores together can sell."""
        return _attainable(self.choices.values(), self.demand)

    def ranks_unknown(self) -> bool:
        """Whether fewer unknown stores are better, before any cost."""
        return not self.assumed and any(not shop.known for shop in self.shops.values())

    def score(self, quantities: Quantities) -> Score | None:
        """The exact score of a plan, None where a store, a stock or a line does not allow it."""
        bought: dict[int, int] = defaultdict(int)
        smallest: dict[int, int] = {}
        subtotals: dict[int, int] = defaultdict(int)
        cost = 0
        for place, quantity in quantities.items():
            choice = self.choices[place]
            if not 0 < quantity <= choice.limit:
                return None
            bought[choice.line] += quantity * choice.pack
            smallest[choice.line] = min(choice.pack, smallest.get(choice.line, choice.pack))
            subtotals[choice.shop] += quantity * choice.price
            cost += quantity * choice.cost + choice.once
        if any(units - smallest[line] >= self.demand[line] for line, units in bought.items()):
            return None
        if self.max_stores is not None and len(subtotals) > self.max_stores:
            return None
        for number, subtotal in subtotals.items():
            fee = self.shops[number].fee(subtotal)
            if fee is None:
                return None
            cost += fee
        unknown = sum(not self.shops[number].known for number in subtotals) if not self.assumed else 0
        wanted = sum(min(units, self.demand[line]) for line, units in bought.items())
        return Score(self.full_units - wanted, unknown, cost, len(subtotals))

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
            choice._replace(limit=min(choice.limit, -(-wanted[choice.line] // choice.pack)))
            for choice in shop.choices
            if wanted[choice.line]
        )
        return replace(
            self, demand=wanted, shops={shop.number: replace(shop, choices=choices)}, max_stores=None
        )

    def line_alone(self, line: int) -> Problem:
        """One line alone, as if all its offers were of one store that sends for nothing."""
        choices = tuple(c._replace(shop=0) for c in self.choices.values() if c.line == line)
        wanted = tuple(units if at == line else 0 for at, units in enumerate(self.demand))
        shop = Shop(0, True, (Band(0, None, 0),), choices, highest_subtotal(choices, wanted))
        return replace(self, demand=wanted, shops={0: shop} if choices else {}, max_stores=None)


def cheapest_first(choices: Iterable[Choice], wanted: Mapping[int, int]) -> tuple[dict[int, int], int]:
    """Units of each line from its cheapest choices: the packs of each and the subtotal of them all.

    The cheapest purchase there is for lines sold by the unit, a good one for those sold in packs.
    """
    return _first(choices, wanted, lambda choice: (choice.cost / choice.pack, choice.place))


def dearest_first(choices: Iterable[Choice], wanted: Mapping[int, int]) -> tuple[dict[int, int], int]:
    """As `cheapest_first`, from the offers that bring a store's subtotal up most."""
    return _first(choices, wanted, lambda choice: (-choice.price / choice.pack, choice.place))


def _first(
    choices: Iterable[Choice], wanted: Mapping[int, int], key: Callable[[Choice], tuple[float, int]]
) -> tuple[dict[int, int], int]:
    offered: dict[int, list[Choice]] = defaultdict(list)
    for choice in sorted(choices, key=key):
        if wanted.get(choice.line):
            offered[choice.line].append(choice)
    taken = [pair for line, ranked in offered.items() for pair in take_in_turn(ranked, wanted[line])]
    quantities = {choice.place: quantity for choice, quantity in taken}
    return quantities, sum(quantity * choice.price for choice, quantity in taken)


def take_in_turn(ranked: Iterable[Choice], wanted: int) -> list[tuple[Choice, int]]:
    """Packs of one line, from the first choice on, until no more units are wanted; no pack is superfluous."""
    left = wanted
    taken: list[tuple[Choice, int]] = []
    for choice in ranked:
        if left <= 0:
            break
        quantity = min(choice.limit, -(-left // choice.pack))
        left -= quantity * choice.pack
        taken.append((choice, quantity))
    for at, (choice, quantity) in enumerate(taken):
        superfluous = min(quantity, -left // choice.pack) if left < 0 else 0
        left += superfluous * choice.pack
        taken[at] = (choice, quantity - superfluous)
    return [(choice, quantity) for choice, quantity in taken if quantity]


def highest_subtotal(choices: Iterable[Choice], demand: Sequence[int]) -> int:
    """No permitted purchase of these choices is worth more. Exact where all are sold by the unit."""
    largest: dict[int, int] = {}
    chosen = list(choices)
    for choice in chosen:
        largest[choice.line] = max(choice.pack, largest.get(choice.line, 1))
    left = {line: demand[line] + pack - 1 for line, pack in largest.items()}
    subtotal = 0
    for choice in sorted(chosen, key=lambda choice: -choice.price / choice.pack):
        quantity = min(choice.limit, -(-left[choice.line] // choice.pack))
        if quantity > 0:
            left[choice.line] -= quantity * choice.pack
            subtotal += quantity * choice.price
    return subtotal


def _attainable(choices: Iterable[Choice], demand: Sequence[int]) -> dict[int, int]:
    units: dict[int, int] = defaultdict(int)
    for choice in choices:
        units[choice.line] += choice.limit * choice.pack
    return {line: min(demand[line], stock) for line, stock in units.items()}
