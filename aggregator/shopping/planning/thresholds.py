"""Cuts that hold where a store's subtotal must reach a threshold: for free shipping or for its least order.

Without them the relaxation opens a third of a store for a third of its threshold. For any offers K of a
store whose whole stock is worth less than the threshold, the others must bring the rest D of it:

    sum over the others of min(price, D) * units  >=  D * (the store is used at this band or a higher one)

(knapsack cover inequalities). Since units are whole, the same sum may be divided by any amount and rounded: with
price = f * divisor + e and D = F * divisor + R,

    sum over the others of (R * f + min(e, R)) * units  >=  R * (F + 1) * (the store is used at ...)

(mixed integer rounding). Both hold for every permitted plan, whatever the objective is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.shopping.planning.model import Problem

Floats = NDArray[np.float64]
Wholes = NDArray[np.int64]

_VIOLATION = 1e-3  # of a store's use, below which a cut is not worth its row
_NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class Cut:
    """The sum of `values` times the columns is at least 0."""

    columns: NDArray[np.int32]
    values: Floats


@dataclass(frozen=True, slots=True)
class _Threshold:
    bands: NDArray[np.int64]
    offers: NDArray[np.int64]
    prices: Wholes
    limits: Floats
    low: int


class ThresholdCuts:
    """Every threshold of a problem, with the columns that its bands and offers have in the programme."""

    def __init__(
        self, problem: Problem, bands: Mapping[int, Sequence[int]], column_of: Mapping[int, int]
    ) -> None:
        self._thresholds = [
            _Threshold(
                bands=np.array(bands[shop.number][at:]),
                offers=np.array([column_of[choice.place] for choice in shop.choices]),
                prices=np.array([choice.price for choice in shop.choices], dtype=np.int64),
                limits=np.array([choice.limit for choice in shop.choices], dtype=np.float64),
                low=band.low,
            )
            for shop in problem.shops.values()
            for at, band in enumerate(shop.bands)
            if band.low
        ]

    def violated_by(self, values: Floats, *, rounded: bool) -> Iterator[Cut]:
        """For each threshold the cover, or `rounded` cut that these values of the columns break most, if any."""
        for threshold in self._thresholds:
            used = float(values[threshold.bands].sum())
            if used > _NOTHING:
                cut = _most_violated(threshold, values[threshold.offers], used, rounded=rounded)
                if cut is not None:
                    yield cut


def _most_violated(threshold: _Threshold, units: Floats, used: float, *, rounded: bool) -> Cut | None:
    worst, found = _VIOLATION, None
    for others, rest in _covers(threshold, units, used):
        prices = np.minimum(threshold.prices[others], rest)
        bought = units[others]
        for shares in _rounded(prices, rest, bought) if rounded else [prices / rest]:
            violation = used - float(shares @ bought)
            if violation > worst:
                worst, found = violation, (others, shares)
    if found is None:
        return None
    others, shares = found
    return Cut(
        np.concatenate([threshold.offers[others], threshold.bands]).astype(np.int32),
        np.concatenate([shares, -np.ones(len(threshold.bands))]),
    )


def _covers(threshold: _Threshold, units: Floats, used: float) -> Iterator[tuple[NDArray[np.int64], int]]:
    """The offers outside K and what they must bring: K grows by those bought most beyond the store's use."""
    fullness = units / (threshold.limits * used)
    order = np.argsort(-fullness, kind="stable")
    rest = threshold.low
    yield order, rest
    for size, last in enumerate(order, start=1):
        rest -= int(threshold.prices[last] * threshold.limits[last])
        if fullness[last] < _NOTHING or rest <= 0:
            return
        yield order[size:], rest


def _rounded(prices: Wholes, rest: int, bought: Floats) -> Iterator[Floats]:
    """The cuts divided by the price of an offer that is bought."""
    for divisor in np.unique(prices[bought > _NOTHING]):
        over = rest % int(divisor) if divisor else 0
        if over:
            parts = over * (prices // divisor) + np.minimum(prices % divisor, over)
            yield parts / (over * (rest // int(divisor) + 1))
