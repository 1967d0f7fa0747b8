"""Columns and rows of what only some baskets have: costs paid once, packs, percentages off.

All are empty for a basket of units, tiers and fixed amounts, whose programme stays as small as it can be.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from aggregator.shopping.planning.model import WHOLE, Problem, Quantities

_INFINITY = math.inf
_RowParts = tuple[list[int], list[float], float, float]  # columns, values, lower, upper


class Extras:
    """For each column its `upper` end, its part of the cost, and of the units that lines sold in packs fall short.

    Each holds for every permitted plan, and together with the programme's rows they hold for no other.
    """

    def __init__(
        self, problem: Problem, bands: Mapping[int, Sequence[int]], column_of: Mapping[int, int]
    ) -> None:
        self.problem = problem
        self.upper: list[float] = []
        self.costs: list[float] = []
        self.short: list[float] = []
        self.rows: list[_RowParts] = []
        self._next = sum(map(len, bands.values())) + len(column_of)
        self._once: list[int] = []
        self._sizes: list[tuple[int, int]] = []  # line and units in a pack
        self._lines: list[int] = []
        self._rated: list[tuple[int, int]] = []  # store and which of its bands
        self._add_once(column_of)
        self._add_sizes(column_of)
        self._add_shortages(column_of)
        self._add_rates(bands, column_of)

    def values(self, plan: Quantities, subtotals: Mapping[int, int]) -> list[float]:
        """What the columns are in a permitted plan; `subtotals` are its stores'."""
        problem = self.problem
        bought: dict[int, int] = defaultdict(int)
        used: set[tuple[int, int]] = set()
        for place, quantity in plan.items():
            choice = problem.choices[place]
            bought[choice.line] += quantity * choice.pack
            used.add((choice.line, choice.pack))
        attainable = problem.attainable() if self._lines else {}
        discounts = []
        for number, at in self._rated:
            subtotal, shop = subtotals.get(number), problem.shops[number]
            in_band = subtotal is not None and shop.band_at(subtotal) == at
            discounts.append(float(shop.bands[at].rate * (subtotal or 0) // WHOLE if in_band else 0))
        return [
            *(float(place in plan) for place in self._once),
            *(float(size in used) for size in self._sizes),
            *(float(max(0, attainable[line] - bought[line])) for line in self._lines),
            *discounts,
        ]

    def _column(self, upper: float, *, cost: float = 0, short: float = 0) -> int:
        self.upper.append(upper)
        self.costs.append(cost)
        self.short.append(short)
        self._next += 1
        return self._next - 1

    def _add_once(self, column_of: Mapping[int, int]) -> None:
        for place, choice in self.problem.choices.items():
            if choice.once:
                paid = self._column(1, cost=choice.once)
                self._once.append(place)
                self.rows.append(([column_of[place], paid], [1, -choice.limit], -_INFINITY, 0))

    def _add_sizes(self, column_of: Mapping[int, int]) -> None:
        """A line gets less than its demand and one more pack of any size that is used for it."""
        for line, offers in self._packed_lines().items():
            largest = max(pack for pack, _, _ in offers)
            columns = [column_of[place] for _, place, _ in offers]
            packs = [float(pack) for pack, _, _ in offers]
            for size in sorted({pack for pack, _, _ in offers} - {largest}):
                used = self._column(1)
                self._sizes.append((line, size))
                for pack, place, limit in offers:
                    if pack == size:
                        self.rows.append(([column_of[place], used], [1, -limit], -_INFINITY, 0))
                most = self.problem.demand[line] + largest - 1
                self.rows.append(([*columns, used], [*packs, largest - size], -_INFINITY, most))

    def _add_shortages(self, column_of: Mapping[int, int]) -> None:
        attainable = self.problem.attainable()
        for line, offers in self._packed_lines().items():
            missing = self._column(attainable[line], short=1)
            self._lines.append(line)
            columns = [column_of[place] for _, place, _ in offers]
            packs = [float(pack) for pack, _, _ in offers]
            self.rows.append(([*columns, missing], [*packs, 1], attainable[line], _INFINITY))

    def _add_rates(self, bands: Mapping[int, Sequence[int]], column_of: Mapping[int, int]) -> None:
        for shop in self.problem.shops.values():
            for at, band in enumerate(shop.bands):
                if not band.rate:
                    continue
                most = band.rate * (shop.reach if band.high is None else band.high) // WHOLE
                discount = self._column(most, cost=-1)
                self._rated.append((shop.number, at))
                part = math.gcd(band.rate, WHOLE)
                columns = [column_of[choice.place] for choice in shop.choices]
                shares = [-float(band.rate // part * choice.price) for choice in shop.choices]
                self.rows.append(([*columns, discount], [*shares, WHOLE // part], -_INFINITY, 0))
                self.rows.append(([bands[shop.number][at], discount], [-most, 1], -_INFINITY, 0))

    def _packed_lines(self) -> dict[int, list[tuple[int, int, int]]]:
        """Line -> units in a pack, place and limit of its offers, for lines that some offer sells in packs."""
        offers: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for place, choice in self.problem.choices.items():
            if choice.line in self.problem.packed:
                offers[choice.line].append((choice.pack, place, choice.limit))
        return offers
