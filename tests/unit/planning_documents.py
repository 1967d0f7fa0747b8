"""Random basket files of up to 15 lines and 12 stores, and what the oracle in its own process says of them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

_ORACLE = Path(__file__).with_name("planning_cp_sat.py")


def random_document(rng: random.Random, *, rich: bool = False) -> dict[str, Any]:
    """A basket file as the interface has it. Prices are often coarse, so that thresholds are met exactly.

    `rich`: with packs, deposits, shipping per pack and line, coupons, pins, exclusions and a parcel's value.
    """
    step = rng.choice([1, 1, 10, 50])
    lines = [{"id": f"l{at}", "quantity": rng.choice([1, 1, 1, 2, 3, 5])} for at in range(rng.randint(1, 15))]
    stores: list[dict[str, Any]] = [
        {"id": f"s{at}", "shipping": _rule(rng, step) if rng.random() < 0.85 else None}
        for at in range(rng.randint(1, 12))
    ]
    coverage, low, high = rng.choice([0.3, 0.6, 0.9]), *rng.choice([(0.7, 1.4), (0.95, 1.05)])
    offers: list[dict[str, Any]] = []
    for line in lines:
        reference = rng.randint(100, 4_000)
        for store in stores:
            for _ in range(rng.choice([1, 1, 1, 2]) if rng.random() < coverage else 0):
                price = max(0, round(reference * rng.uniform(low, high) / step) * step)
                offer = {"line": line["id"], "store": store["id"], "price": _text(price)}
                offers.append(offer | {"stock": rng.choice([None, None, None, 0, 1, 2])})
    rng.shuffle(offers)
    document: dict[str, Any] = {
        "currency": "EUR",
        "lines": lines,
        "stores": stores,
        "offers": [{"id": f"o{at}"} | offer for at, offer in enumerate(offers)],
        "max_stores": rng.choice([None, None, None, 1, 2, 3, 4]),
        "assumed_shipping": rng.choice([None, _text(0), _text(390), _text(495)]),
    }
    if rich:
        _enrich(rng, document)
    return document


def oracle_answers(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The oracle's answers, in turn. Raises CalledProcessError if it fails."""
    answered = subprocess.run(
        [sys.executable, str(_ORACLE)],
        input="".join(json.dumps(document) + "\n" for document in documents),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in answered.stdout.splitlines()]


def _rule(rng: random.Random, step: int) -> dict[str, Any]:
    starts = sorted(rng.sample([0, 1_000, 2_000, 2_900, 4_000, 5_000, 8_000, 12_000], rng.randint(1, 4)))
    if rng.random() < 0.85:
        starts[0] = 0
    costs = [rng.choice([0, 0, 100, 190, 290, 390, 490, 590]) // step * step for _ in starts]
    if rng.random() < 0.7:
        costs.sort(reverse=True)
    tiers = [{"min_subtotal": _text(s), "cost": _text(c)} for s, c in zip(starts, costs, strict=True)]
    rng.shuffle(tiers)
    return {"tiers": tiers, "min_order": rng.choice([None, None, _text(500), _text(1_000), _text(2_500)])}


def _enrich(rng: random.Random, document: dict[str, Any]) -> None:
    packs = rng.random() < 0.6
    document["parcel_value"] = _text(rng.choice([0, 0, 100, 350]))
    for store in document["stores"]:
        store["excluded"] = rng.random() < 0.04
        store["coupons"] = [_coupon(rng, f"c{at}") for at in range(rng.choice([0, 0, 1, 2]))]
    for offer in document["offers"]:
        offer["pack_size"] = rng.choice([1, 1, 1, 2, 3, 6]) if packs else 1
        offer["unit_shipping"] = _text(rng.choice([0, 0, 0, 0, 30, 100]))
        offer["line_shipping"] = _text(rng.choice([0, 0, 0, 0, 50, 200]))
        offer["deposit"] = _text(rng.choice([0, 0, 0, 8, 25]))
        offer["excluded"] = rng.random() < 0.04
        offer["pinned"] = rng.random() < 0.02


def _coupon(rng: random.Random, name: str) -> dict[str, Any]:
    coupon: dict[str, Any] = {"id": name, "min_subtotal": _text(rng.choice([0, 1_000, 3_000, 5_000]))}
    if rng.random() < 0.5:
        return coupon | {"amount": _text(rng.choice([100, 500, 1_500]))}
    return coupon | {"percent": rng.choice(["5", "10", "12.5", "33.33", "100"])}


def _text(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2))
