"""How good a clustering is: pairwise and B-cubed precision, recall and F1 against a known truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All shares are 0..1. Offers that only one side knows: missing ones count as alone, unknown ones not."""

    offers: int
    precision: float
    recall: float
    f1: float
    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f1: float
    pairs_found: int
    pairs_true: int
    pairs_correct: int


def evaluate(truth: Mapping[str, str], clusters: Mapping[str, str]) -> Evaluation:
    """Compare two partitions (offer id -> cluster); counted from their contingency table."""
    product = {offer: ("true", cluster) for offer, cluster in truth.items()}
    found: dict[str, Hashable] = {
        offer: ("found", clusters[offer]) if offer in clusters else ("alone", offer) for offer in truth
    }
    sizes_true = Counter(product.values())
    sizes_found = Counter(found.values())
    both = Counter((product[offer], found[offer]) for offer in truth)
    correct = sum(map(_pairs, both.values()))
    pairs_found = sum(map(_pairs, sizes_found.values()))
    pairs_true = sum(map(_pairs, sizes_true.values()))
    precision = correct / pairs_found if pairs_found else float(not pairs_true)
    recall = correct / pairs_true if pairs_true else 1.0
    offers = max(len(truth), 1)
    cubed_precision = sum(n * n / sizes_found[key[1]] for key, n in both.items()) / offers
    cubed_recall = sum(n * n / sizes_true[key[0]] for key, n in both.items()) / offers
    return Evaluation(
        offers=len(truth),
        precision=precision,
        recall=recall,
        f1=_harmonic(precision, recall),
        b_cubed_precision=cubed_precision,
        b_cubed_recall=cubed_recall,
        b_cubed_f1=_harmonic(cubed_precision, cubed_recall),
        pairs_found=pairs_found,
        pairs_true=pairs_true,
        pairs_correct=correct,
    )


def _pairs(size: int) -> int:
    return size * (size - 1) // 2


def _harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0
