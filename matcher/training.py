"""Fitting the weights: a ridge-regularised logistic regression over levels, the same every time it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from matcher.blocking import candidate_pairs
from matcher.comparison import COMPARISONS, Comparison, Levels, compare
from matcher.context import context_levels, find_contenders
from matcher.model import ALL_COMPARISONS, MatchModel, Weights, probability_of
from matcher.preparation import Integers, prepare
from matcher.records import OfferRecord

AUTOMATIC = 0.93
DOUBTFUL = 0.25

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
_WEIGHT_OF_A_CATALOGUE = 20_000.0
_WEIGHT_OF_LABELLED_PAIRS = 10_000.0


@dataclass(frozen=True, slots=True)
class TrainingCatalogue:
    """Records with either `truth` (offer id -> product) or `labels` ((left id, right id) -> same product)."""

    name: str
    records: Sequence[OfferRecord]
    truth: Mapping[str, str] | None = None
    labels: Mapping[tuple[str, str], bool] | None = None


def train(catalogues: Sequence[TrainingCatalogue], *, version: str = "1") -> MatchModel:
    """Fit first the ranking weights without context, then all weights with it.

    Every catalogue weighs the same, whatever its size. The result depends on the catalogues alone.
    """
    prepared = []
    for catalogue in catalogues:
        ready = prepare(catalogue.records)
        pairs = candidate_pairs(ready)
        left, right, label = _labelled_pairs(catalogue, pairs.left, pairs.right)
        prepared.append((ready, pairs, left, right, label, compare(ready, left, right)))
    labels = [label for *_, label, _ in prepared]
    sampled = [catalogue.labels is not None for catalogue in catalogues]
    _, ranking = _fit(COMPARISONS, [levels for *_, levels in prepared], labels, sampled)
    ranker = MatchModel(version, 0.0, {}, ranking, AUTOMATIC, DOUBTFUL)
    full_levels = []
    for ready, pairs, left, right, _, levels in prepared:
        contenders = find_contenders(
            ready,
            pairs,
            ranker.rank(compare(ready, pairs.left, pairs.right)),
            ranker.rank(compare(ready, pairs.alike_left, pairs.alike_right)),
        )
        context = context_levels(ready, contenders, left, right, ranker.rank(levels))
        full_levels.append(np.column_stack([levels, context]))
    prior, weights = _fit(ALL_COMPARISONS, full_levels, labels, sampled)
    names = tuple(catalogue.name for catalogue in catalogues)
    return MatchModel(version, prior, weights, ranking, AUTOMATIC, DOUBTFUL, names)


def _labelled_pairs(
    catalogue: TrainingCatalogue, left: Integers, right: Integers
) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    ids = sorted(record.offer_id for record in catalogue.records)
    if catalogue.labels is not None:
        position = {offer_id: index for index, offer_id in enumerate(ids)}
        known = sorted(
            (min(position[a], position[b]), max(position[a], position[b]), same)
            for (a, b), same in catalogue.labels.items()
            if a in position and b in position and a != b
        )
        table = np.array(known, dtype=np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2].astype(bool)
    truth = catalogue.truth or {}
    _, product = np.unique([truth.get(offer_id, f"\0{offer_id}") for offer_id in ids], return_inverse=True)
    return left, right, product[left] == product[right]


def _fit(
    comparisons: tuple[Comparison, ...],
    levels: Sequence[Levels],
    labels: Sequence[npt.NDArray[np.bool_]],
    sampled: Sequence[bool],
) -> tuple[float, Weights]:
    """Prior and weights that minimise the log-loss, each catalogue weighing the same, plus the ridge.

    Somebody chose the pairs of a `sampled` catalogue, so their share of true ones says nothing about the
    prior: each such catalogue has a prior of its own, which is thrown away.
    """
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
    # Pairs with the same levels and label are one row with their count: the fit's cost stays small.
    rows, row_weights, row_labels, row_priors = [], [], [], []
    for source, (level, label) in enumerate(zip(levels, labels, strict=True)):
        table, counts = np.unique(np.column_stack([level, label.astype(np.int8)]), axis=0, return_counts=True)
        rows.append(table[:, :-1])
        row_labels.append(table[:, -1].astype(np.float64))
        total = _WEIGHT_OF_LABELLED_PAIRS if sampled[source] else _WEIGHT_OF_A_CATALOGUE
        row_weights.append(counts * (total / max(len(label), 1)))
        row_priors.append(np.full(len(table), 1 + source if sampled[source] and not all(sampled) else 0))
    level_rows = np.concatenate(rows).astype(np.int64)
    weight, label = np.concatenate(row_weights), np.concatenate(row_labels)
    columns = (level_rows + offsets[:-1]).ravel()
    starts = np.arange(0, columns.size + 1, len(comparisons))
    one_hot = sparse.csr_matrix(
        (np.ones(columns.size), columns, starts), shape=(len(level_rows), offsets[-1])
    )
    prior_of_row = np.concatenate(row_priors)
    priors = sparse.csr_matrix(
        (np.ones(len(weight)), prior_of_row, np.arange(len(weight) + 1)), shape=(len(weight), 1 + len(levels))
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
