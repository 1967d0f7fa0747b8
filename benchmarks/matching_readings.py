"""A sample of automatic merges for people to read: `python -m benchmarks.matching_readings OFFERS TRUTH MODEL OUT`.

Draws, with a fixed seed, pairs that the model merges by itself and the published truth calls false, and writes them
with what a person needs to judge them. With --verdicts it adds the figures: precision adjusted by what was read.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from matcher.engines.local import clusters_by_offer, partition, score_candidates
from matcher.evaluation import evaluate
from matcher.files import read_offers, read_truth
from matcher.model import MatchModel
from matcher.preparation import prepare

_SEED = 1


def false_by_truth(truth: Mapping[str, str], clusters: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of offers in one cluster that the truth has in two products, sorted."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for offer_id, cluster_id in clusters.items():
        if offer_id in truth:
            members[cluster_id].append(offer_id)
    return sorted(
        (one, other)
        for offers in members.values()
        for one, other in combinations(sorted(offers), 2)
        if truth[one] != truth[other]
    )


def adjusted_precision(correct: int, found: int, same: int, read: int) -> tuple[float, float]:
    """Precision if the false pairs hold as many true ones as those read, and its lower 95 % bound (Wilson)."""
    if not read or not found:
        return correct / max(found, 1), correct / max(found, 1)
    share, z = same / read, 1.96
    middle = share + z * z / (2 * read)
    half = z * math.sqrt(share * (1 - share) / read + z * z / (4 * read * read))
    lower = (middle - half) / (1 + z * z / read)
    return (correct + (found - correct) * share) / found, (correct + (found - correct) * lower) / found


def main() -> None:
    """Write the sample; with verdicts, print the adjusted precision."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("offers", type=Path)
    arguments.add_argument("truth", type=Path)
    arguments.add_argument("model", type=Path)
    arguments.add_argument("output", type=Path)
    arguments.add_argument("--pairs", type=int, default=200)
    arguments.add_argument(
        "--verdicts", type=Path, help="left_id,right_id,verdict: same, different or unclear"
    )
    options = arguments.parse_args()
    records = read_offers(options.offers)
    truth = read_truth(options.truth)
    scoring = score_candidates(prepare(records), MatchModel.load(options.model))
    clusters = clusters_by_offer(scoring.catalogue, partition(scoring).automatic)
    figures = evaluate(truth, clusters)
    wrong = false_by_truth(truth, clusters)
    sample = random.Random(_SEED).sample(wrong, min(options.pairs, len(wrong)))
    by_id = {record.offer_id: record for record in records}
    with options.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        fields = ("id", "title", "brand", "price", "store")
        writer.writerow([f"{side}_{field}" for side in ("left", "right") for field in fields])
        for pair in sample:
            row: list[str] = []
            for one in (by_id[offer_id] for offer_id in pair):
                price = "" if one.price is None else f"{one.price} {one.currency}"
                row += [one.offer_id, one.title, one.brand, price, one.store]
            writer.writerow(row)
    print(
        f"automatic: {figures.pairs_found} pairs, precision {figures.precision:.4f}, recall {figures.recall:.4f}; "
        f"{len(wrong)} false by the truth, {len(sample)} written to {options.output}"
    )
    if options.verdicts:
        with options.verdicts.open(encoding="utf-8", newline="") as file:
            said = {(row["left_id"], row["right_id"]): row["verdict"] for row in csv.DictReader(file)}
        # Earlier samples were drawn from nearly the same merges: what they still have in common counts too.
        read = [said[pair] for pair in wrong if pair in said]
        precision, lower = adjusted_precision(
            figures.pairs_correct, figures.pairs_found, read.count("same"), len(read)
        )
        print(
            f"read {len(read)} of them: {read.count('same')} same, {read.count('different')} different, "
            f"{read.count('unclear')} unclear; adjusted precision {precision:.4f}, at least {lower:.4f}"
        )


if __name__ == "__main__":
    main()
