"""How well the matcher judges catalogues that its model never saw: `python -m benchmarks.matching_quality DATA`.

DATA holds one folder a set: offers.csv with truth.csv, or with pairs.csv. For each set a model is trained without the
set's whole family, that is all sets that share records with it, and judged; the shipped model's own fit stands beside.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from matcher.engines.local import Scoring, clusters_by_offer, partition, score_candidates
from matcher.evaluation import evaluate
from matcher.files import read_labels, read_offers, read_truth
from matcher.model import MatchModel, probability_of
from matcher.preparation import prepare
from matcher.training import TrainingCatalogue, train

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "abt-buy": ("abt-buy", "abt-buy-dm"),
    "amazon-google": ("amazon-google", "amazon-google-dm"),
    "pricerunner-dev": ("pricerunner-dev",),
    "wdc-lspc": ("wdc-lspc-cameras", "wdc-lspc-computers", "wdc-lspc-watches", "wdc-lspc-shoes"),
}
# What the shipped model is trained on; the -dm sets hold the same records as their elders.
TRAINING = ("abt-buy", "amazon-google", "pricerunner-dev", *FAMILIES["wdc-lspc"])
_LEAST_PROBABILITY = 0.02
_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of neighbouring probabilities: how many, the mean probability, and the share that are one product."""

    pairs: int
    stated: float
    found: float


def reliability(
    probabilities: npt.NDArray[np.float64], same: npt.NDArray[np.bool_]
) -> tuple[float, list[Bin]]:
    """Calibration error over the pairs above 0.02, and ten bins of equal mass."""
    near = probabilities > _LEAST_PROBABILITY
    probabilities, same = probabilities[near], same[near]
    order = np.argsort(probabilities, kind="stable")
    size = max(1, len(order) // _BINS)
    bins, gap = [], 0.0
    for start in range(0, len(order), size):
        part = order[start : start + size]
        gap += abs(float(probabilities[part].sum()) - float(same[part].sum()))
        bins.append(Bin(len(part), float(probabilities[part].mean()), float(same[part].mean())))
    return gap / max(1, len(order)), bins


def best_threshold(probabilities: Sequence[float], same: Sequence[bool]) -> float:
    """The probability from which on a split's pairs give the best F1."""
    ordered = sorted(zip(probabilities, same, strict=True), reverse=True)
    found, total, best = 0, sum(same), (0.0, 0.5)
    for number, (probability, is_same) in enumerate(ordered, 1):
        found += is_same
        if number == len(ordered) or ordered[number][0] != probability:
            best = max(best, (2 * found / max(number + total, 1), probability))
    return best[1]


def material(data: Path, names: Sequence[str]) -> list[TrainingCatalogue]:
    """The named sets for training: with their truth, or the train split of their labelled pairs."""
    found = []
    for name in names:
        records = read_offers(data / name / "offers.csv")
        if (data / name / "truth.csv").exists():
            found.append(TrainingCatalogue(name, records, truth=read_truth(data / name / "truth.csv")))
        else:
            labels = read_labels(data / name / "pairs.csv", "train")
            found.append(TrainingCatalogue(name, records, labels=labels))
    return found


def print_clustering(data: Path, name: str, model: MatchModel, kind: str, *, with_bins: bool) -> None:
    scoring = score_candidates(prepare(read_offers(data / name / "offers.csv")), model)
    truth = read_truth(data / name / "truth.csv")
    found = partition(scoring)
    whole = evaluate(truth, clusters_by_offer(scoring.catalogue, found.probable))
    sure = evaluate(truth, clusters_by_offer(scoring.catalogue, found.automatic))
    ids = [record.offer_id for record in scoring.catalogue.records]
    _, product = np.unique([truth.get(one, f"\0{one}") for one in ids], return_inverse=True)
    same = product[scoring.pairs.left] == product[scoring.pairs.right]
    error, bins = reliability(probability_of(scoring.scores), same)
    print(
        f"{name:20} {kind:14} F1 {whole.f1:.3f} (precision {whole.precision:.3f}, recall {whole.recall:.3f}), "
        f"B-cubed {whole.b_cubed_f1:.3f} | automatic: precision {sure.precision:.4f}, recall {sure.recall:.3f} | "
        f"calibration error {error:.3f}",
        flush=True,
    )
    if with_bins:
        for one in bins:
            print(f"{'':20} {one.pairs:6} pairs: stated {one.stated:.3f}, found {one.found:.3f}", flush=True)


def print_pairs(data: Path, name: str, model: MatchModel, kind: str) -> None:
    scoring = score_candidates(prepare(read_offers(data / name / "offers.csv")), model)
    valid, valid_same = _asked(scoring, data / name / "pairs.csv", "valid")
    test, test_same = _asked(scoring, data / name / "pairs.csv", "test")
    threshold = best_threshold(*((valid, valid_same) if valid else (test, test_same)))
    hits = sum(same and one >= threshold for one, same in zip(test, test_same, strict=True))
    said = sum(one >= threshold for one in test)
    f1 = 2 * hits / max(said + sum(test_same), 1)
    error, _ = reliability(np.array(test), np.array(test_same))
    print(
        f"{name:20} {kind:14} pairs: F1 {f1:.3f}, threshold {threshold:.3f}, calibration error {error:.3f}",
        flush=True,
    )


def _asked(scoring: Scoring, pairs: Path, split: str) -> tuple[list[float], list[bool]]:
    position = {record.offer_id: index for index, record in enumerate(scoring.catalogue.records)}
    labels = read_labels(pairs, split)
    ends = np.array(
        [sorted((position[one], position[other])) for one, other in labels], dtype=np.int64
    ).reshape(-1, 2)
    return probability_of(scoring.scores_of(ends[:, 0], ends[:, 1])).tolist(), list(labels.values())


def main() -> None:
    """Print one line a set and model."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--families", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    arguments.add_argument(
        "--offsets", type=int, nargs="*", default=[0], help="further seeds, for the spread"
    )
    arguments.add_argument(
        "--models", type=Path, help="a folder in which trained models are kept and found again"
    )
    arguments.add_argument("--parts", nargs="*", default=["unseen", "own", "shipped"])
    options = arguments.parse_args()

    def trained(label: str, names: Sequence[str], seed: int) -> MatchModel:
        kept = options.models / f"{label}-{seed}.json" if options.models else None
        if kept and kept.exists():
            return MatchModel.load(kept)
        started = time.process_time()
        model = train(material(options.data, names), seed=seed)
        print(f"{label}: trained in {time.process_time() - started:.0f} s of CPU", flush=True)
        if kept:
            model.save(kept)
        return model

    for family in options.families:
        members = FAMILIES[family]
        others = [name for name in TRAINING if name not in members]
        for seed in options.offsets if "unseen" in options.parts else ():
            model = trained(f"without-{family}", others, seed)
            for name in members:
                if (options.data / name / "truth.csv").exists():
                    print_clustering(options.data, name, model, f"unseen seed {seed}", with_bins=seed == 0)
                else:
                    print_pairs(options.data, name, model, f"unseen seed {seed}")
        for name in members:
            is_labelled = (options.data / name / "pairs.csv").exists()
            if "own" in options.parts and is_labelled:
                print_pairs(options.data, name, trained(f"own-{name}", [name], 0), "own train")
            if "shipped" in options.parts and not is_labelled:
                print_clustering(options.data, name, MatchModel.load(), "shipped (fit)", with_bins=False)


if __name__ == "__main__":
    main()
