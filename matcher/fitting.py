"""Fitting the levels' weights: a ridge-regularised logistic regression, the same every time it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from matcher.comparison import Comparison, Levels
from matcher.model import Weights, probability_of

# Where public training catalogues are silent (no bar codes, part numbers, variants; few packs and used
# offers), these hold: the ridge pulls every weight towards its stated value, else towards zero.
STATED_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "gtin": {"equal": 9.0, "different": -6.0},
    "part_number": {"equal": 5.0, "different": -1.0},
    "variant": {"equal": 0.5, "different": -4.0, "same_group": -8.0},
    "pack": {"equal": 0.3, "different": -3.0},
    "condition": {"different": -3.0},
}
_RIDGE = 2.0
_SCALE = 20_000.0


@dataclass(frozen=True, slots=True)
class LevelExamples:
    """Pairs of one source: their levels, whether each is one product, and its weight.

    `influence` is what the source weighs as a whole. Somebody chose the pairs of a `chosen` source, so their share
    of true ones says nothing about the prior: each such source has a prior of its own, which is thrown away.
    """

    levels: Levels
    same: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]
    influence: float
    chosen: bool


def fit_levels(
    comparisons: tuple[Comparison, ...], sources: Sequence[LevelExamples]
) -> tuple[float, Weights]:
    """Prior and weights that minimise the weighted log-loss plus the ridge."""
    offsets = np.cumsum([0, *(len(comparison.levels) for comparison in comparisons)])
    stated = np.array(
        [
            STATED_WEIGHTS.get(comparison.name, {}).get(level, 0.0)
            for comparison in comparisons
            for level in comparison.levels
        ]
    )
    blocks, bounds = zip(*(_parameters(comparison) for comparison in comparisons), strict=True)
    to_weights = sparse.block_diag(blocks, format="csr")
    # Pairs with the same levels and label are one row with their summed weight: the fit's cost stays small.
    rows, row_weights, row_labels, row_priors = [], [], [], []
    has_true_share = not all(source.chosen for source in sources)
    for number, source in enumerate(sources):
        packed = np.ascontiguousarray(np.column_stack([source.levels, source.same.astype(np.int8)]))
        whole_rows = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
        _, first_at, member = np.unique(whole_rows, return_index=True, return_inverse=True)
        summed = np.bincount(member, weights=source.weight)
        rows.append(packed[first_at, :-1])
        row_labels.append(packed[first_at, -1].astype(np.float64))
        row_weights.append(summed * (_SCALE * source.influence / max(summed.sum(), 1e-9)))
        row_priors.append(np.full(len(first_at), 1 + number if source.chosen and has_true_share else 0))
    level_rows = np.concatenate(rows).astype(np.int64)
    weight, label = np.concatenate(row_weights), np.concatenate(row_labels)
    columns = (level_rows + offsets[:-1]).ravel()
    starts = np.arange(0, columns.size + 1, len(comparisons))
    one_hot = sparse.csr_matrix(
        (np.ones(columns.size), columns, starts), shape=(len(level_rows), offsets[-1])
    )
    prior_of_row = np.concatenate(row_priors)
    priors = sparse.csr_matrix(
        (np.ones(len(weight)), prior_of_row, np.arange(len(weight) + 1)),
        shape=(len(weight), 1 + len(sources)),
    )
    design = (one_hot @ to_weights).tocsr()
    first = priors.shape[1]

    def loss(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        moved = parameters[first:]
        score = priors @ parameters[:first] + design @ moved
        error = weight * (probability_of(score) - label)
        pull = to_weights @ moved - stated
        value = float(np.sum(weight * (np.logaddexp(0, score) - label * score)) + 0.5 * _RIDGE * pull @ pull)
        return value, np.concatenate([priors.T @ error, design.T @ error + _RIDGE * (to_weights.T @ pull)])

    start = np.concatenate([np.full(first, -3.0), np.zeros(to_weights.shape[1])])
    limits = [*[(None, None)] * first, *(bound for block in bounds for bound in block)]
    found = optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 1000, "ftol": 1e-10}
    )
    flat = to_weights @ found.x[first:]
    weights = {
        comparison.name: {
            # Adding zero turns a rounded -0.0 into 0.0.
            level: round(float(flat[offsets[i] + j]), 3) + 0.0
            for j, level in enumerate(comparison.levels)
        }
        for i, comparison in enumerate(comparisons)
    }
    return round(float(found.x[0]), 3), weights


def _parameters(
    comparison: Comparison,
) -> tuple[npt.NDArray[np.float64], list[tuple[float | None, float | None]]]:
    """How one comparison's weights follow from free parameters (levels x parameters), and their bounds.

    Ordered levels are steps upward or downward from the neutral level, which itself is always zero.
    """
    names = comparison.level_names
    neutral = names.index(comparison.neutral)
    matrix = np.zeros((len(names), len(names) - 1))
    if comparison.ordered:
        for step in range(len(names) - 1):
            if step >= neutral:
                matrix[step + 1 :, step] = comparison.ordered
            else:
                matrix[: step + 1, step] = -comparison.ordered
        return matrix, [(0.0, None)] * (len(names) - 1)
    bounds: list[tuple[float | None, float | None]] = []
    for column, level in enumerate(name for name in names if name != comparison.neutral):
        matrix[names.index(level), column] = 1
        low = 0.0 if level in comparison.speaks_for else None
        high = 0.0 if level in comparison.speaks_against else None
        bounds.append((low, high))
    return matrix, bounds
