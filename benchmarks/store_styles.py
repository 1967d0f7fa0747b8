"""How one store writes titles, fills fields and prices goods: a house style, the same for all of its offers."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.title_patterns import Token, measure_parts

_FILLERS = (
    "new", "original", "genuine", "in stock", "free delivery", "2 year warranty", "best price", "top offer",
    "retail box", "neu", "sale", "official",
    "brand new", "fast shipping", "new model", "special offer", "with warranty", "uk stock",
)  # fmt: skip
_BOILERPLATE = (
    "",
    "",
    "",
    "",
    "",
    " | {store}",
    " - {store}",
    " buy online",
    " - free shipping",
    " | best price at {store}",
)
_NEIGHBOUR_KEYS = {
    "a": "s", "b": "v", "c": "x", "d": "s", "e": "r", "f": "g", "g": "h", "h": "j", "i": "o", "k": "l", "l": "k",
    "m": "n", "n": "m", "o": "p", "p": "o", "r": "t", "s": "a", "t": "r", "u": "i", "v": "b", "w": "e",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoreStyle:
    """What is the same in all offers of one store; `sloppiness` multiplies the chance of slips."""

    name: str
    letters: Literal["kept", "lower", "upper", "title"]
    brand: Literal["kept", "first", "last", "omitted"]
    code: Literal["kept", "joined", "spaced", "dashed"]
    code_place: Literal["kept", "first", "last", "brackets"]
    gap: str
    metric: bool
    long_units: bool
    boilerplate: str
    longest: int
    sloppiness: float
    fills_brand: bool
    fills_mpn: bool
    fills_gtin: bool
    gtin_digits: int
    lists_twice: bool
    price_level: float
    currency: str
    decimal_comma: bool


def invent_styles(count: int, chance: random.Random) -> list[StoreStyle]:
    """`count` house styles; the commonest choice is the plainest one."""
    return [
        StoreStyle(
            name=f"store-{number:04d}",
            letters=chance.choices(("kept", "lower", "upper", "title"), (70, 14, 4, 12))[0],
            brand=chance.choices(("kept", "first", "last", "omitted"), (66, 15, 7, 12))[0],
            code=chance.choices(("kept", "joined", "spaced", "dashed"), (68, 16, 8, 8))[0],
            code_place=chance.choices(("kept", "first", "last", "brackets"), (60, 10, 18, 12))[0],
            gap=chance.choices(("", " ", "-"), (58, 36, 6))[0],
            metric=chance.random() < 0.12,
            long_units=chance.random() < 0.2,
            boilerplate=chance.choice(_BOILERPLATE).format(store=f"Store {number:04d}"),
            longest=chance.choices((250, 120, 80, 60), (70, 15, 10, 5))[0],
            sloppiness=chance.uniform(0.3, 1.7),
            fills_brand=chance.random() < 0.5,
            fills_mpn=chance.random() < 0.3,
            fills_gtin=chance.random() < 0.3,
            gtin_digits=chance.choices((13, 14), (85, 15))[0],
            lists_twice=chance.random() < 0.08,
            price_level=chance.gauss(1.0, 0.05),
            currency=chance.choices(("EUR", "USD"), (75, 25))[0],
            decimal_comma=chance.random() < 0.1,
        )
        for number in range(count)
    ]


def write_title(
    wording: Sequence[Token],
    style: StoreStyle,
    chance: random.Random,
    *,
    kept: Collection[str],
    with_code: bool,
) -> str:
    """The wording as this store writes it. Words of `kept` tell the product from others: slips spare them."""
    draw = chance.random
    drops, typos = 0.05 * style.sloppiness, 0.05 * style.sloppiness + 0.012 * style.sloppiness
    parts: list[str] = []
    brand, codes = "", []
    for kind, text, core in wording:
        if kind == "code":
            if not with_code:
                continue
            written = _write_code(text, style.code)
            if style.code_place == "kept":
                parts.append(written)
            else:
                codes.append(written)
        elif kind == "measure":
            parts.append(_write_measure(core, style))
        elif kind == "brand":
            if style.brand == "kept":
                parts.append(text)
            else:
                brand = text
        elif core in kept:
            parts.append(text)
        else:
            slip = draw()
            if slip >= drops:
                parts.append(_misspelt(text, chance) if slip < typos and len(text) > 4 else text)
    if len(parts) > 2 and draw() < 0.15:
        place = chance.randrange(len(parts) - 1)
        parts[place], parts[place + 1] = parts[place + 1], parts[place]
    if draw() < 0.12:
        parts.insert(chance.randrange(len(parts) + 1), chance.choice(_FILLERS))
    if brand and style.brand == "first":
        parts.insert(0, brand)
    elif brand and style.brand == "last":
        parts.append(brand)
    codes = list(dict.fromkeys(codes))
    if codes and style.code_place == "first":
        parts[0:0] = codes
    elif codes:
        parts.extend([f"({code})" for code in codes] if style.code_place == "brackets" else codes)
    title = _lettered(" ".join(parts), style.letters)
    if len(title) > style.longest and not codes:
        title = title[: style.longest].rsplit(" ", 1)[0]
    return title + style.boilerplate


def _lettered(title: str, letters: str) -> str:
    if letters == "lower":
        return title.lower()
    if letters == "upper":
        return title.upper()
    if letters == "title":
        return " ".join(
            word.capitalize() if word.isalpha() and word.islower() else word for word in title.split(" ")
        )
    return title


def _write_code(code: str, manner: str) -> str:
    if manner == "kept":
        return code
    joined = re.sub(r"[-./_ ]", "", code)
    if manner == "joined" or len(joined) < 6 or joined.isdigit():
        return joined
    return re.sub(r"(?<=[A-Za-z])(?=\d)", " " if manner == "spaced" else "-", joined, count=1)


def _write_measure(core: str, style: StoreStyle) -> str:
    number, unit = measure_parts(core)
    amount = float(number.replace(",", "."))
    if unit in {'"', "''", "inch", "inches", "in", "zoll"}:
        if style.metric and amount > 5:
            return f"{amount * 2.54:.0f}{style.gap if style.gap == ' ' else ''}cm"
        if style.long_units:
            return f"{number}{style.gap or ' '}inch"
        return f'{number}"'
    if unit == "gb" and amount >= 1000 and amount % 1000 == 0 and style.metric:
        number, unit = f"{amount / 1000:g}", "tb"
    elif unit == "tb" and not style.metric and style.long_units:
        number, unit = f"{amount * 1000:g}", "gb"
    elif unit == "kg" and amount < 5 and style.long_units:
        number, unit = f"{amount * 1000:g}", "g"
    elif unit in {"l", "litre", "litres"}:
        unit = "litre" if style.long_units else "l"
    if style.decimal_comma:
        number = number.replace(".", ",")
    written = unit.upper() if unit in {"gb", "tb", "mb", "l", "w", "kw", "v", "mp"} else unit
    written = {"ghz": "GHz", "mhz": "MHz", "hz": "Hz", "mah": "mAh", "kw": "kW"}.get(unit, written)
    return f"{number}{style.gap}{written}"


def _misspelt(word: str, chance: random.Random) -> str:
    place = chance.randrange(1, len(word) - 1)
    manner = chance.randrange(4)
    if manner == 0:
        return word[:place] + word[place + 1 :]
    if manner == 1:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if manner == 2:
        return word[:place] + word[place] + word[place:]
    return word[:place] + _NEIGHBOUR_KEYS.get(word[place].lower(), word[place]) + word[place + 1 :]
