"""Catalogues of another make from one whose truth is known, so that training sees more than a few structures.

How sure a likeness is depends on the catalogue: how many offers have a partner at all, how many stores there are,
whether they are known and list a product twice. Each plan changes these and leaves titles and truth alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from matcher.records import OfferRecord

_MOST_OFFERS = 4500


@dataclass(frozen=True, slots=True)
class Plan:
    """`stores` is what becomes of them: 'kept', 'unknown', or a number of invented ones. `alone` is the share of
    products of which one offer is left, `unmatched` the share kept of products with one offer only."""

    stores: str | int
    alone: float
    unmatched: float
    lists_twice: bool = False


PLANS = (
    Plan("unknown", alone=0.85, unmatched=0.5),
    Plan(3, alone=0.0, unmatched=0.5, lists_twice=True),
    Plan("kept", alone=0.85, unmatched=0.0),
    Plan("kept", alone=0.6, unmatched=0.5),
    Plan("kept", alone=0.3, unmatched=0.0),
    Plan(4, alone=0.85, unmatched=0.0),
    Plan("unknown", alone=0.0, unmatched=1.0),
)


def pseudo_catalogues(
    records: Sequence[OfferRecord], truth: Mapping[str, str]
) -> Iterator[list[OfferRecord]]:
    """One catalogue for each plan, by fixed seeds; ids stay, so `truth` holds for each."""
    for seed, plan in enumerate(PLANS):
        yield _changed(records, truth, plan, np.random.default_rng(seed))


def _changed(
    records: Sequence[OfferRecord], truth: Mapping[str, str], plan: Plan, chance: np.random.Generator
) -> list[OfferRecord]:
    products: defaultdict[str, list[OfferRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.offer_id):
        products[truth.get(record.offer_id, f"\0{record.offer_id}")].append(record)
    # With two stores everything is kept: a part of so few offers would have no look-alikes left.
    most = len(records) if len({record.store for record in records}) <= 2 else _MOST_OFFERS
    names = sorted(products)
    found: list[OfferRecord] = []
    for number in chance.permutation(len(names)).tolist():
        offers = products[names[number]]
        if len(offers) == 1 and chance.random() > plan.unmatched:
            continue
        if len(offers) > 1 and chance.random() < plan.alone:
            offers = [offers[int(chance.integers(len(offers)))]]
        found += _placed(offers, plan, chance)
        if len(found) >= most:
            break
    return found


def _placed(offers: list[OfferRecord], plan: Plan, chance: np.random.Generator) -> list[OfferRecord]:
    if plan.stores == "kept":
        return offers
    if plan.stores == "unknown":
        return [replace(offer, store="") for offer in offers]
    count = int(plan.stores)
    if plan.lists_twice:
        return [replace(offer, store=f"store {chance.integers(count)}") for offer in offers]
    places = chance.permutation(count)
    return [
        replace(offer, store=f"store {place}") for offer, place in zip(offers, places.tolist(), strict=False)
    ]
