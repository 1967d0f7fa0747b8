"""Well-known goods and their look-alikes (fixtures/matching/hard/products.txt), worded as two stores would."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.hard_groups import HARD_SET, Group, Wording


@dataclass(frozen=True, slots=True)
class HardProduct:
    """`values`: on one axis, each value with its spellings; two values are two products."""

    brand: str
    name: str
    nouns: tuple[str, ...]
    code: str
    axis: str
    values: tuple[tuple[str, ...], ...]


def hard_products() -> list[HardProduct]:
    """Every line of products.txt, in its order."""
    made = []
    for line in (HARD_SET / "products.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        brand, name, nouns, code, axis = (part.strip() for part in line.split("|"))
        kind, _, values = axis.partition(":")
        made.append(
            HardProduct(
                brand,
                name,
                tuple(noun.strip() for noun in nouns.split(",")),
                code,
                kind.strip(),
                tuple(
                    tuple(spelling.strip() for spelling in value.split(" = ")) for value in values.split(",")
                ),
            )
        )
    return made


def well_known_groups(chance: random.Random) -> Iterator[Group]:
    """Two values of each product's axis, each in two wordings."""
    for product in hard_products():
        one, other = chance.sample(product.values, 2)
        if ("single",) in product.values and ("single",) not in (one, other):
            one = ("single",)
        places = chance.sample(range(5), 2)
        price = round(chance.uniform(8, 400), 2)
        sides = [
            tuple(
                Wording(
                    _title(product, value[min(number, len(value) - 1)], places[number], number),
                    brand=product.brand if chance.random() < 0.4 else "",
                    price=price * factor * chance.uniform(0.96, 1.04),
                )
                for number in range(2)
            )
            for value, factor in ((one, 1.0), (other, 1.15))
        ]
        yield Group(product.axis, sides[0], sides[1], product.nouns[0])


def _title(product: HardProduct, value: str, place: int, number: int) -> str:
    brand, name, noun = product.brand, product.name, product.nouns[number]
    said = "" if value == "single" else value
    title = (
        f"{brand} {name} {said} {noun}",
        f"{name} {noun} {said} - {brand}",
        f"{brand} {name} {noun}, {said}",
        f"{brand.upper()} {name} ({said}) {noun} New",
        f"{brand} {noun} {name} {said}",
    )[place]
    title = title.replace("()", "").strip(" ,")
    return re.sub(r"\s+", " ", f"{title} {product.code}" if product.code and number == 0 else title)
