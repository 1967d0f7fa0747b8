"""The integer programme of a problem, and HiGHS to minimise one objective over it at a time.

Columns: one 0/1 for each band of each store (its parcel is sent at this band's cost), then one whole
number for each offer (packs bought), then what only some baskets need: 0/1 for an offer with a cost that is paid
once, 0/1 for a size of packs used for a line, the units that a line sold in packs falls short, the discount of a
band with a percentage. Rows: a store uses at most one band; an offer is bought only where its store is used; a
store's subtotal reaches its band's lower end, and stays below the upper end where a higher band may cost more
(where it can only cost less, overrunning the end never pays); a line gets at most what is wanted, or less than
one pack more; at most so many stores.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from aggregator.shopping.planning.extras import Extras
from aggregator.shopping.planning.model import WHOLE, Problem, Quantities, Shop
from aggregator.shopping.planning.thresholds import ThresholdCuts

Floats = NDArray[np.float64]

# Objectives from here on come too near the solver's tolerances for a proof to the last unit.
TRUSTED_MAGNITUDE = 10**10
_INFINITY = highspy.kHighsInf
_ROW_WISE, _MINIMISE = 2, 1


@dataclass(frozen=True, slots=True)
class Answer:
    """`quantities` None: nothing permitted was found. `bound`: no objective is lower, None unproven."""

    quantities: dict[int, int] | None
    bound: int | None


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The cheapest plan in fractions: its cost, each column's value and reduced cost."""

    cost: float
    values: Floats
    reduced_costs: Floats


@dataclass(frozen=True, slots=True)
class Box:
    """The lower and upper end of each column."""

    lower: Floats
    upper: Floats

    def free_columns(self) -> int:
        """How many columns are not fixed."""
        return int((self.lower < self.upper).sum())


@dataclass(frozen=True, slots=True)
class _Row:
    columns: Sequence[int]
    values: Sequence[float]
    lower: float
    upper: float


class Programme:
    """One problem's matrix. It only ever tightens, as one objective after the other is settled."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.places = list(problem.choices)
        self.bands: dict[int, list[int]] = {}
        first = 0
        for shop in problem.shops.values():
            self.bands[shop.number] = list(range(first, first + len(shop.bands)))
            first += len(shop.bands)
        self.first_offer = first
        self.column_of = {place: first + at for at, place in enumerate(self.places)}
        self.rows: list[_Row] = []
        self.extras = Extras(problem, self.bands, self.column_of)
        limits = [choice.limit for choice in problem.choices.values()]
        self.upper: Floats = np.array([1.0] * first + limits + self.extras.upper, dtype=np.float64)
        self.lower: Floats = np.zeros(len(self.upper))
        self._add_shops()
        self.line_rows = self._add_lines()
        self.rows += [_Row(*row) for row in self.extras.rows]
        if problem.max_stores is not None and problem.max_stores < len(problem.shops):
            self.at_most(self.store_count(), problem.max_stores)
        self.magnitude = _magnitude(problem)
        self.trusted = max(self.magnitude, _largest_row(problem)) < TRUSTED_MAGNITUDE

    def cost(self) -> Floats:
        """The objective goods plus shipping, and all else that is paid."""
        fees = [band.cost for shop in self.problem.shops.values() for band in shop.bands]
        costs = [choice.cost for choice in self.problem.choices.values()]
        return self._objective(fees, costs, self.extras.costs)

    def packs(self, *, but: Collection[int] = ()) -> Floats:
        """The objective packs bought, of all offers but these."""
        return self._objective([0] * self.first_offer, [place not in but for place in self.places])

    def unbought(self) -> Floats:
        """The objective wanted units not bought, less `units_by_the_unit`."""
        by_the_unit = [
            -1.0 * (choice.line not in self.problem.packed) for choice in self.problem.choices.values()
        ]
        return self._objective([0] * self.first_offer, by_the_unit, self.extras.short)

    def units_by_the_unit(self) -> int:
        """The most units of lines that no offer sells in packs."""
        attainable = self.problem.attainable().items()
        return sum(units for line, units in attainable if line not in self.problem.packed)

    def store_count(self) -> Floats:
        """The objective stores used."""
        return self._objective([1] * self.first_offer, [0] * len(self.places))

    def unknown_count(self) -> Floats:
        """The objective stores used whose shipping is unknown."""
        unknown = [not shop.known for shop in self.problem.shops.values() for _ in shop.bands]
        return self._objective(unknown, [0] * len(self.places))

    def values(self, plan: Quantities) -> list[float]:
        """What the columns are in a permitted plan."""
        values = [0.0] * (self.first_offer + len(self.places))
        subtotals: dict[int, int] = defaultdict(int)
        for place, quantity in plan.items():
            choice = self.problem.choices[place]
            values[self.column_of[place]] = quantity
            subtotals[choice.shop] += quantity * choice.price
        for number, subtotal in subtotals.items():
            at = self.problem.shops[number].band_at(subtotal)
            if at is None:
                raise AssertionError("the plan is permitted")
            values[self.bands[number][at]] = 1.0
        return values + self.extras.values(plan, subtotals)

    def at_most(self, objective: Floats, value: float) -> None:
        """Only plans whose objective is not above the value."""
        self.rows.append(self._row(objective, -_INFINITY, value))

    def buy_exactly(self, units: int) -> None:
        """Only plans of so many units: each line in full where that is all that can be bought."""
        if units == self.problem.full_units:
            for line, wanted in self.problem.attainable().items():
                row = self.rows[self.line_rows[line]]
                most = row.upper if line in self.problem.packed else wanted
                self.rows[self.line_rows[line]] = _Row(row.columns, row.values, wanted, most)
        else:
            unbought = self.problem.full_units - units - self.units_by_the_unit()
            self.rows.append(self._row(self.unbought(), unbought, unbought))

    def relax(self, deadline: float) -> Relaxation | None:
        """The relaxation for the cost, with every threshold cut that it breaks made a row for good."""
        if not self.trusted or time.monotonic() >= deadline:
            return None
        highs = self._load(self.cost(), deadline, whole=False)
        cuts = ThresholdCuts(self.problem, self.bands, self.column_of)
        while True:
            highs.run()
            if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return None
            solution = highs.getSolution()
            values = np.array(solution.col_value)
            broken = list(cuts.violated_by(values, rounded=False))
            broken = broken or list(cuts.violated_by(values, rounded=True))
            if not broken:
                return Relaxation(
                    highs.getInfo().objective_function_value, values, np.array(solution.col_dual)
                )
            for cut in broken:
                highs.addRow(0, _INFINITY, len(cut.columns), cut.columns, cut.values)
                self.rows.append(_Row(cut.columns.tolist(), cut.values.tolist(), 0, _INFINITY))

    def within(self, relaxation: Relaxation, cost: int) -> Box:
        """The ends of the columns when those are fixed that no plan of at most this cost can move.

        Safe with every rule of the problem, since the relaxation holds them all: its optimum plus a column's
        reduced cost is a lower bound of each plan that moves the column. Half a unit covers the tolerance.
        """
        slack = cost + 0.5 - relaxation.cost
        upper = np.where(relaxation.reduced_costs > slack, self.lower, self.upper)
        return Box(np.where(-relaxation.reduced_costs > slack, upper, self.lower), upper)

    def tighten(self, box: Box) -> None:
        """Only plans in the box."""
        self.lower, self.upper = box.lower, box.upper

    def free_columns(self) -> int:
        """How many columns are not fixed."""
        return Box(self.lower, self.upper).free_columns()

    def fix(self, quantities: Quantities, places: Sequence[int]) -> None:
        """Only plans that buy of these offers what the given plan buys of them."""
        for place in places:
            column = self.column_of[place]
            self.lower[column] = self.upper[column] = quantities.get(place, 0)

    def only_offers(self, places: set[int]) -> None:
        """Only plans that buy none but these offers."""
        for place, column in self.column_of.items():
            if place not in places:
                self.upper[column] = self.lower[column]

    def unsettled(self, places: set[int]) -> list[int]:
        """Those of the offers whose quantity is not fixed, in input order."""
        return [p for p in sorted(places) if self.lower[self.column_of[p]] < self.upper[self.column_of[p]]]

    def find_below(self, objective: Floats, ceiling: int, box: Box, deadline: float) -> Answer:
        """The least objective among the plans in the box where it is below the ceiling, which bounds the answer.

        Where there is none, some other permitted plan may be returned.
        """
        if time.monotonic() >= deadline:
            return Answer(None, None)
        highs = self._load(objective, deadline, whole=True, box=box)
        return self._below(highs, ceiling)

    def minimise(self, objective: Floats, start: Quantities, deadline: float) -> Answer:
        """The least objective among the plans that are left; `start` is one of them."""
        if time.monotonic() >= deadline:
            return Answer(None, None)
        highs = self._load(objective, deadline, whole=True)
        return self._answer(highs, self._run(highs, start))

    def find_other(self, objective: Floats, seen: Collection[int], value: int, deadline: float) -> Answer:
        """A plan with an offer not seen, whose objective is not above the value.

        Where there is none, the answer's bound is above the value.
        """
        others = np.flatnonzero(self.packs(but=seen)).astype(np.int32)
        if not len(others):
            return Answer(None, value + 1)
        if time.monotonic() >= deadline:
            return Answer(None, None)
        highs = self._load(objective, deadline, whole=True)
        highs.addRow(1, _INFINITY, len(others), others, np.ones(len(others)))
        return self._below(highs, value + 1)

    def _below(self, highs: highspy.Highs, ceiling: int) -> Answer:
        highs.setOptionValue("objective_bound", ceiling - 0.4)
        found = self._run(highs, None)
        if self.trusted and highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            return Answer(None, ceiling)
        bound = self._answer(highs, found).bound
        return Answer(found, None if bound is None else min(bound, ceiling))

    def _answer(self, highs: highspy.Highs, quantities: dict[int, int] | None) -> Answer:
        bound, status = highs.getInfo().mip_dual_bound, highs.getModelStatus()
        ended = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kTimeLimit)
        if not self.trusted or status not in ended or not math.isfinite(bound):
            return Answer(quantities, None)
        return Answer(quantities, math.ceil(bound - 1e-3 - 1e-11 * abs(bound)))

    def _run(self, highs: highspy.Highs, start: Quantities | None) -> dict[int, int] | None:
        if start is not None:
            solution = highspy.HighsSolution()
            solution.col_value = self.values(start)
            highs.setSolution(solution)
        highs.run()
        if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None
        found = np.rint(
            np.array(highs.getSolution().col_value)[self.first_offer :][: len(self.places)]
        ).astype(int)
        return {self.places[at]: int(found[at]) for at in np.flatnonzero(found)}

    def _objective(
        self, bands: Sequence[float], offers: Sequence[float], extras: Sequence[float] | None = None
    ) -> Floats:
        none = [0.0] * len(self.extras.upper)
        return np.array([*bands, *offers, *(none if extras is None else extras)], dtype=np.float64)

    def _row(self, objective: Floats, lower: float, upper: float) -> _Row:
        columns = np.flatnonzero(objective)
        return _Row(columns.tolist(), objective[columns].tolist(), lower, upper)

    def _add_shops(self) -> None:
        for shop in self.problem.shops.values():
            bands = self.bands[shop.number]
            columns: dict[int, list[int]] = defaultdict(list)
            for choice in shop.choices:
                columns[choice.line].append(self.column_of[choice.place])
            if len(bands) > 1:
                self.rows.append(_Row(bands, [1.0] * len(bands), 0, 1))
            for line, offers in columns.items():
                for column in offers:
                    self._only_where_used([column], self.upper[column], bands)
                if len(offers) > 1:
                    self._only_where_used(offers, self.problem.demand[line], bands)
            self._add_subtotal(shop, bands)

    def _only_where_used(self, offers: list[int], limit: float, bands: list[int]) -> None:
        values = [1.0] * len(offers) + [-float(limit)] * len(bands)
        self.rows.append(_Row([*offers, *bands], values, -_INFINITY, 0))

    def _add_subtotal(self, shop: Shop, bands: list[int]) -> None:
        columns = [self.column_of[choice.place] for choice in shop.choices] + bands
        prices = [float(choice.price) for choice in shop.choices]
        if any(band.low for band in shop.bands):
            self.rows.append(_Row(columns, prices + [-float(b.low) for b in shop.bands], 0, _INFINITY))
        if shop.coupons or any(a.cost < b.cost for a, b in zip(shop.bands, shop.bands[1:], strict=False)):
            ends = [-float(shop.reach if band.high is None else band.high) for band in shop.bands]
            self.rows.append(_Row(columns, prices + ends, -_INFINITY, 0))

    def _add_lines(self) -> dict[int, int]:
        columns: dict[int, list[int]] = defaultdict(list)
        packs: dict[int, list[float]] = defaultdict(list)
        for choice in self.problem.choices.values():
            columns[choice.line].append(self.column_of[choice.place])
            packs[choice.line].append(float(choice.pack))
        rows: dict[int, int] = {}
        for line, offers in columns.items():
            rows[line] = len(self.rows)
            most = self.problem.demand[line] + max(packs[line]) - 1
            self.rows.append(_Row(offers, packs[line], -_INFINITY, most))
        return rows

    def _load(
        self, objective: Floats, deadline: float, *, whole: bool, box: Box | None = None
    ) -> highspy.Highs:
        highs = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy's class has no annotations
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("threads", 1)
        highs.setOptionValue("mip_rel_gap", 0.0)
        highs.setOptionValue("mip_abs_gap", 0.5)  # objectives are whole numbers
        # Few nodes are left by the cuts: restarts and long trials of branches cost more than they save.
        highs.setOptionValue("mip_allow_restart", False)
        highs.setOptionValue("mip_pscost_minreliable", 1)
        highs.setOptionValue("time_limit", max(0.01, deadline - time.monotonic()))
        starts = np.zeros(len(self.rows) + 1, dtype=np.int32)
        np.cumsum([len(row.columns) for row in self.rows], out=starts[1:])
        highs.passModel(
            len(self.upper),
            len(self.rows),
            int(starts[-1]),
            _ROW_WISE,
            _MINIMISE,
            0.0,
            objective,
            self.lower if box is None else box.lower,
            self.upper if box is None else box.upper,
            np.array([row.lower for row in self.rows], dtype=np.float64),
            np.array([row.upper for row in self.rows], dtype=np.float64),
            starts[:-1],
            np.array([column for row in self.rows for column in row.columns], dtype=np.int32),
            np.array([value for row in self.rows for value in row.values], dtype=np.float64),
            np.full(len(self.upper), 1 if whole else 0, dtype=np.int32),
        )
        return highs


def _magnitude(problem: Problem) -> int:
    dearest: dict[int, int] = defaultdict(int)
    for choice in problem.choices.values():
        packs = -(-problem.demand[choice.line] // choice.pack)
        cost = max(choice.cost, choice.price) * packs * (2 if choice.line in problem.packed else 1)
        dearest[choice.line] = max(dearest[choice.line], cost + choice.once)
    fees = sum(max(abs(band.cost) for band in shop.bands) for shop in problem.shops.values())
    return fees + sum(dearest.values())


def _largest_row(problem: Problem) -> int:
    return max(
        (
            max(shop.reach, shop.bands[-1].low) * (WHOLE if any(band.rate for band in shop.bands) else 1)
            for shop in problem.shops.values()
        ),
        default=0,
    )
