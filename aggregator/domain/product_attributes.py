"""What a title tells of a product beside its name: capacity, screen, size, weight, volume, power, as facets and words.

Each quantity is brought to one unit and written one way, so that `55"`, "55 inch" and "139.7 cm" are one choice. Only
readings that are safe from a title alone are made: a number directly before its unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from aggregator.domain.normalization.names import clean_text, fold

# What a facet is named in addresses and in the index; pages translate it.
CAPACITY, SCREEN, VOLUME, WEIGHT, POWER = "capacity", "screen_size", "volume", "weight", "power"
_NUMBER = r"(?<![\w.,])(\d{1,5}(?:[.,]\d{1,2})?)\s?-?\s?"
_READINGS: tuple[tuple[str, re.Pattern[str], Mapping[str, tuple[str, Decimal]]], ...] = (
    (
        CAPACITY,
        re.compile(_NUMBER + r"(gb|tb|go|to|mb)\b(?!/s|ps|it)", re.IGNORECASE),
        {
            "mb": ("MB", Decimal(1)),
            "gb": ("GB", Decimal(1)),
            "go": ("GB", Decimal(1)),
            "tb": ("TB", Decimal(1)),
            "to": ("TB", Decimal(1)),
        },
    ),
    (
        SCREEN,
        re.compile(_NUMBER + r"(\"|”|″|''|inch(?:es)?\b|zoll\b|pouces\b)", re.IGNORECASE),
        dict.fromkeys(('"', "”", "″", "''", "inch", "inches", "zoll", "pouces"), ("inch", Decimal(1))),
    ),
    (
        VOLUME,
        re.compile(_NUMBER + r"(ml|cl|l|litres?|liters?|ltr)\b", re.IGNORECASE),
        {
            "ml": ("ml", Decimal(1)),
            "cl": ("ml", Decimal(10)),
            **dict.fromkeys(("l", "litre", "litres", "liter", "liters", "ltr"), ("l", Decimal(1))),
        },
    ),
    (
        WEIGHT,
        re.compile(_NUMBER + r"(kg|g|kilo(?:gram)?s?|grams?)\b", re.IGNORECASE),
        {
            **dict.fromkeys(("kg", "kilo", "kilos", "kilogram", "kilograms"), ("kg", Decimal(1))),
            **dict.fromkeys(("g", "gram", "grams"), ("g", Decimal(1))),
        },
    ),
    (
        POWER,
        re.compile(_NUMBER + r"(watts?|w)\b", re.IGNORECASE),
        dict.fromkeys(("watt", "watts", "w"), ("W", Decimal(1))),
    ),
)
_LIKELY_SCREEN = (Decimal("3.5"), Decimal(120))
_LARGER = {"MB": ("GB", 1024), "GB": ("TB", 1024), "ml": ("l", 1000), "g": ("kg", 1000)}
# Names under which stores keep what is said here once.
_SAME_NAME = {"color": "colour", "farbe": "colour", "couleur": "colour", "groesse": "size", "grosse": "size",
              "taille": "size", "storage": CAPACITY, "speicher": CAPACITY, "memory": CAPACITY}  # fmt: skip
_HOLDS = {
    VOLUME: {"l": Decimal(1), "ml": Decimal("0.001")},
    WEIGHT: {"kg": Decimal(1), "g": Decimal("0.001")},
}


def read_attributes(
    title: str, variant_attributes: Mapping[str, object] | None = None
) -> list[tuple[str, str]]:
    """(name, value) pairs such as ("capacity", "256 GB"); what a store's own variants say comes first.

    Of several quantities of one kind only the first counts: "8 GB RAM 256 GB SSD" is left to the reader.
    """
    found: dict[str, str] = {}
    for name, value in (variant_attributes or {}).items():
        key = re.sub(r"[^a-z0-9]+", "_", fold(clean_text(name, 30))).strip("_")
        text = clean_text(value, 40)
        if key and text and key not in {"title", "default"}:
            found.setdefault(_SAME_NAME.get(key, key), _one_way(text))
    for name, pattern, units in _READINGS:
        if name in found or (name == CAPACITY and len(pattern.findall(title)) > 1):
            continue
        reading = pattern.search(title)
        if not reading:
            continue
        unit, factor = units[reading[2].lower()]
        amount = Decimal(reading[1].replace(",", ".")) * factor
        if amount and (name != SCREEN or _LIKELY_SCREEN[0] <= amount <= _LIKELY_SCREEN[1]):
            found[name] = _quantity(amount, unit)
    return list(found.items())


def attribute_words(attributes: Iterable[tuple[str, str]]) -> list[str]:
    """What else finds a product that has these: "55 inch" also where its title says 55"."""
    return [value for _name, value in attributes]


def content_of(attributes: Iterable[tuple[str, str]]) -> tuple[Decimal, str] | None:
    """How much is in one piece, in kilograms ("kg") or litres ("l"), where it says either and not both."""
    read = []
    for name, value in attributes:
        amount, _, unit = value.partition(" ")
        factor = _HOLDS.get(name, {}).get(unit)
        if factor is not None and re.fullmatch(r"\d+(\.\d+)?", amount):
            read.append((Decimal(amount) * factor, "kg" if name == WEIGHT else "l"))
    return read[0] if len(read) == 1 else None


def _one_way(text: str) -> str:
    """A variant's own words for a quantity ("256GB") as titles' quantities are written."""
    for _name, pattern, units in _READINGS:
        reading = pattern.fullmatch(text)
        if reading:
            unit, factor = units[reading[2].lower()]
            return _quantity(Decimal(reading[1].replace(",", ".")) * factor, unit)
    return text


def _quantity(amount: Decimal, unit: str) -> str:
    larger, step = _LARGER.get(unit, ("", 0))
    if step and amount >= step and amount % step == 0:
        amount, unit = amount / step, larger
    return f"{amount.normalize():f} {unit}"
