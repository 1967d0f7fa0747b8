"""A product's versions as a table: one attribute down, one across, this product among them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aggregator.domain.products import OfferView, VariantView


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination; `variant` is None for the product whose page this is."""

    variant: VariantView | None


@dataclass(frozen=True, slots=True)
class VariantMatrix:
    """Versions by two attributes; a cell is None where no store has that combination."""

    row_name: str
    column_name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def own_attributes(offers: Sequence[OfferView]) -> dict[str, str]:
    """What the stores say distinguishes this product from its other versions; the first word on each counts."""
    found: dict[str, str] = {}
    for offer in offers:
        for name, value in offer.variant_attributes:
            found.setdefault(name, value)
    return found


def variant_matrix(own: Mapping[str, str], variants: Sequence[VariantView]) -> VariantMatrix | None:
    """The table; None where versions do not differ in exactly two attributes, each combination once."""
    rows_of: list[tuple[Mapping[str, str], VariantView | None]] = [
        (own, None),
        *((dict(variant.attributes), variant) for variant in variants),
    ]
    differing = [name for name in own if len({attributes.get(name) for attributes, _ in rows_of}) > 1]
    if len(differing) != 2 or any(set(differing) - set(attributes) for attributes, _ in rows_of):
        return None
    row_name, column_name = sorted(differing, key=lambda name: -len({a[name] for a, _ in rows_of}))
    cells: dict[tuple[str, str], Cell] = {}
    for attributes, variant in rows_of:
        place = attributes[row_name], attributes[column_name]
        if place in cells:
            return None
        cells[place] = Cell(variant)
    columns = _in_order({column for _, column in cells})
    return VariantMatrix(
        row_name,
        column_name,
        columns,
        tuple(
            (row, tuple(cells.get((row, column)) for column in columns))
            for row in _in_order({row for row, _ in cells})
        ),
    )


_SIZES = ("xxs", "xs", "s", "m", "l", "xl", "xxl", "2xl", "3xl", "4xl")


def _in_order(values: set[str]) -> tuple[str, ...]:
    """Sizes by size, numbers by number, all else by name."""

    def key(value: str) -> tuple[int, float, str]:
        plain = value.strip().casefold()
        if plain in _SIZES:
            return 0, _SIZES.index(plain), plain
        number = re.match(r"\d+(?:[.,]\d+)?", plain)
        return (1, float(number[0].replace(",", ".")), plain) if number else (2, 0, plain)

    return tuple(sorted(values, key=key))
