"""Cuts that hold where a store's subtotal must reach a threshold: for free shipping or for its least order.

Without them the relaxation opens a third of a store for a third of its threshold. For any offers K of a
store whose whole stock is worth less than the threshold, the others must bring the rest D of it:

    sum over the others of min(price, D) * units  >=  D * (the store is used at this band or a higher one)

(knapsack cover inequalities). They hold for every permitted plan, whatever the objective is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.shopping.planning.model import Problem

Floats = NDArray[np.float64]

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
    prices: Floats
    limits: Floats
    low: float


class ThresholdCuts:
    """Every threshold of a problem, with the columns that its bands and offers have in the programme."""

    def __init__(
        self, problem: Problem, bands: Mapping[int, Sequence[int]], column_of: Mapping[int, int]
    ) -> None:
        self._thresholds = [
            _Threshold(
                bands=np.array(bands[shop.number][at:]),
                offers=np.array([column_of[choice.place] for choice in shop.choices]),
                prices=np.array([choice.price for choice in shop.choices], dtype=np.float64),
                limits=np.array([choice.limit for choice in shop.choices], dtype=np.float64),
                low=float(band.low),
            )
            for shop in problem.shops.values()
            for at, band in enumerate(shop.bands)
            if band.low
        ]

    def violated_by(self, values: Floats) -> Iterator[Cut]:
        """For each threshold the cut that these values of the columns break most, if they break one."""
        for threshold in self._thresholds:
            used = float(values[threshold.bands].sum())
            if used > _NOTHING:
                cut = _most_violated(threshold, values[threshold.offers], used)
                if cut is not None:
                    yield cut


def _most_violated(threshold: _Threshold, units: Floats, used: float) -> Cut | None:
    """K grows by the offers that are bought most beyond their share of the store's use."""
    fullness = units / (threshold.limits * used)
    order = np.argsort(-fullness, kind="stable")
    rest, worst, found = threshold.low, _VIOLATION, None
    for size in range(len(order) + 1):
        if size:
            last = order[size - 1]
            if fullness[last] < _NOTHING:
                break
            rest -= threshold.prices[last] * threshold.limits[last]
        if rest <= 0:
            break
        others = order[size:]
        shares = np.minimum(threshold.prices[others], rest) / rest
        violation = used - float(shares @ units[others])
        if violation > worst:
            worst, found = violation, (others, shares)
    if found is None:
        return None
    others, shares = found
    return Cut(
        np.concatenate([threshold.offers[others], threshold.bands]).astype(np.int32),
        np.concatenate([shares, -np.ones(len(threshold.bands))]),
    )
