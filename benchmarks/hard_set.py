"""The hard set made anew: `python -m benchmarks.hard_set` writes fixtures/matching/hard/{offers,pairs}.csv.

Every group starts from a real title (the demo catalogues', see their SOURCES.md) or a well-known product and is
changed by one rule: the kind of the pair says which. Two or four offers a group: one product in two wordings, its
look-alike in two wordings. The demo catalogues' other offers stand around them, as in a real catalogue.
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from benchmarks.hard_groups import HARD_SET, Group, Wording
from benchmarks.hard_products import well_known_groups
from benchmarks.hard_rules import NUMBERED_RULES, RULES
from benchmarks.hard_wordings import SAME_RULES
from benchmarks.product_families import ProductMaker
from benchmarks.title_patterns import Pattern, read_patterns, read_tokens
from fixtures.demo.catalogue import CATALOGUES, read_catalogue

COLUMNS = (
    "offer_id",
    "store",
    "title",
    "brand",
    "mpn",
    "gtin",
    "price",
    "currency",
    "description",
    "category",
)
STORES = tuple(f"shop-{number:02d}" for number in range(1, 41))
BACKGROUND = 1200
_SEED = 20


@dataclass(slots=True)
class _Set:
    chance: random.Random
    offers: list[dict[str, str]] = field(default_factory=list)
    pairs: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    groups: int = 0

    def add(self, group: Group) -> None:
        """Offers and pairs of one group. Half of the groups have both products in the same two stores."""
        self.groups += 1
        split = ("train", "valid", "test")[self.groups % 3]
        left = [self._offer(wording, group) for wording in group.one]
        right = [self._offer(wording, group) for wording in group.other]
        stores = self.chance.sample(STORES, 4)
        together = self.chance.random() < 0.5
        for number, offer in enumerate(left):
            offer["store"] = stores[0] if group.one_store else stores[number]
        for number, offer in enumerate(right):
            offer["store"] = stores[number] if together else stores[2 + number]
        for side in (left, right):
            for number, offer in enumerate(side):
                for later in side[number + 1 :]:
                    self._pair(offer, later, "1", group.kind, split)
        crossing = [(one, other) for one in left for other in right]
        if len(left) == len(right) == 2:
            # Look-alikes of one store are easy; of the others all or three.
            crossing = crossing[1:3] if together else crossing[:3]
        elif together and len(left) == 1 and len(right) == 1:
            right[0]["store"] = stores[2]
        for one, other in crossing:
            self._pair(one, other, "0", group.kind, split)

    def _offer(self, wording: Wording, group: Group) -> dict[str, str]:
        offer = {
            "offer_id": f"h{len(self.offers)}",
            "title": wording.title,
            "brand": wording.brand,
            "mpn": wording.mpn,
            "gtin": wording.gtin,
            "price": f"{wording.price:.2f}",
            "currency": "EUR",
            "category": group.category,
        }
        self.offers.append(offer)
        return offer

    def _pair(self, one: dict[str, str], other: dict[str, str], label: str, kind: str, split: str) -> None:
        self.pairs.append((one["offer_id"], other["offer_id"], label, split, kind))


def build(seed: int = _SEED) -> tuple[list[dict[str, str]], list[tuple[str, str, str, str, str]]]:
    """(offers, pairs) of the hard set; the same code and catalogues give the same rows."""
    chance = random.Random(seed)
    patterns = read_patterns()
    maker = ProductMaker(patterns, chance, named_share=0)
    made = _Set(chance)
    used: Counter[Pattern] = Counter()
    for rule, wanted in (*NUMBERED_RULES, *RULES, *SAME_RULES):
        # A product may serve two rules, yet never with two bar codes of our making.
        most = 0 if (rule, wanted) in NUMBERED_RULES else 1
        fit = [pattern for pattern in patterns if used[pattern] <= most]
        chance.shuffle(fit)
        fit.sort(key=lambda pattern: used[pattern])
        got = 0
        for pattern in fit:
            group = rule(pattern, chance, maker)
            if group is None:
                continue
            used[pattern] += 1 if most else 2
            # A third of the look-alikes stand alone: no better rival tells the matcher.
            if group.other and len(group.one) > 1 and chance.random() < 0.2:
                group = replace(group, one=group.one[:1], other=group.other[:1])
            made.add(group)
            got += 1
            if got == wanted:
                break
    for group in well_known_groups(chance):
        made.add(group)
    _surround(made, used)
    order = list(range(len(made.offers)))
    chance.shuffle(order)
    return [made.offers[place] for place in order], made.pairs


def _surround(made: _Set, used: Iterable[Pattern]) -> None:
    """Real offers of the demo catalogues whose products no group was made from."""
    taken = {" ".join(token.core for token in wording) for pattern in used for wording in pattern.wordings}
    rows = [
        (product, variant)
        for path in sorted(CATALOGUES.glob("*.jsonl"))
        for product in read_catalogue(path.stem)
        for variant in product.variants
        if " ".join(token.core for token in read_tokens(product.title_of(variant))) not in taken
    ]
    for product, variant in made.chance.sample(rows, min(BACKGROUND, len(rows))):
        made.offers.append(
            {
                "offer_id": f"h{len(made.offers)}",
                "store": made.chance.choice(STORES),
                "title": product.title_of(variant),
                "brand": product.brand or "" if made.chance.random() < 0.4 else "",
                "mpn": "",
                "gtin": variant.gtin or "" if made.chance.random() < 0.3 else "",
                "price": f"{variant.price:.2f}",
                "currency": "EUR",
                "category": product.category[-1],
            }
        )


def main() -> None:
    """Write both files."""
    offers, pairs = build()
    HARD_SET.mkdir(parents=True, exist_ok=True)
    with (HARD_SET / "offers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(offers)
    with (HARD_SET / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("left_id", "right_id", "label", "split", "kind"))
        rows.writerows(pairs)
    positives = sum(pair[2] == "1" for pair in pairs)
    print(f"{len(offers)} offers, {len(pairs)} pairs, {positives} of them one product")


if __name__ == "__main__":
    main()
