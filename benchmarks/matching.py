"""Matching: offers prepared, pairs found, compared and merged per second on real titles repeated with changes."""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import replace
from pathlib import Path

from matcher.engines.local import partition, score_candidates
from matcher.files import read_offers
from matcher.model import MatchModel
from matcher.preparation import prepare
from matcher.records import OfferRecord

SAMPLE = Path(__file__).parents[1] / "fixtures" / "matching" / "abt-buy-sample" / "offers.csv"


def enlarged(records: list[OfferRecord], offers: int, *, seed: int = 1) -> list[OfferRecord]:
    """Copies of the records under new model codes in 20 stores, two to four offers a product."""
    chance = random.Random(seed)
    made: list[OfferRecord] = []
    while len(made) < offers:
        pattern = chance.choice(records)
        code = f"{''.join(chance.choices('abcdefghkmnpr', k=3))}{chance.randrange(100, 99999)}"
        stores = chance.sample(range(20), chance.randint(2, 4))
        for store in stores:
            words = pattern.title.split()
            words.pop(chance.randrange(len(words)))
            made.append(
                replace(
                    pattern, offer_id=f"o{len(made)}", store=f"store {store}", title=" ".join([*words, code])
                )
            )
    return made[:offers]


def main() -> None:
    """Print one line a step with its rate."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--offers", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    records = enlarged(read_offers(SAMPLE), options.offers)
    model = MatchModel.load()
    best: dict[str, float] = {}
    pairs = 0
    for _ in range(options.rounds):
        clock = [time.perf_counter()]
        catalogue = prepare(records)
        clock.append(time.perf_counter())
        scoring = score_candidates(catalogue, model)
        clock.append(time.perf_counter())
        partition(scoring)
        clock.append(time.perf_counter())
        pairs = len(scoring.pairs)
        for name, start, end in zip(("prepare", "compare", "merge"), clock, clock[1:], strict=False):
            best[name] = min(best.get(name, float("inf")), end - start)
    total = sum(best.values())
    print(f"matching {options.offers:,} offers, {pairs:,} pairs, best of {options.rounds} rounds")
    print(f"  prepare  {best['prepare']:6.2f} s  {options.offers / best['prepare']:>12,.0f} offers/s")
    print(
        f"  compare  {best['compare']:6.2f} s  {pairs / best['compare']:>12,.0f} pairs/s, blocking included"
    )
    print(f"  merge    {best['merge']:6.2f} s  {pairs / best['merge']:>12,.0f} pairs/s")
    print(f"  in all   {total:6.2f} s  {options.offers / total:>12,.0f} offers/s")


if __name__ == "__main__":
    main()
