"""What hard pairs are made of: groups of offers, and the real wordings that a group may start from."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.product_families import ProductMaker
from benchmarks.title_patterns import Pattern, Token, measure_parts, squashed

HARD_SET = Path(__file__).parents[1] / "fixtures" / "matching" / "hard"
_FINISHES = {
    "black": "black", "schwarz": "black", "white": "white", "wei": "white", "silver": "silver",
    "stainless": "silver", "steel": "silver", "inox": "silver", "silber": "silver", "red": "red",
    "blue": "blue", "green": "green", "pink": "pink", "grey": "grey", "graphite": "grey", "gray": "grey",
    "cream": "cream",
    "yellow": "yellow", "orange": "orange",
    "titan": "grey", "platinum": "silver", "brown": "brown", "anthracite": "grey", "s/s": "silver",
}  # fmt: skip
# Titles that state more or less than one plain new product tell nothing sure about each other.
_DOUBTFUL = re.compile(
    r"soundbar|bundle|\bkit\b|refurb|graded|clearance|\band\b.*\btv\b|\d ?pack\b|pack of|tray|oem|\+|reconditioned"
    r"|display model|free extended",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Wording:
    """One offer of a group, without its store."""

    title: str
    brand: str = ""
    mpn: str = ""
    gtin: str = ""
    price: float = 99.0


@dataclass(frozen=True, slots=True)
class Group:
    """Offers of `one` are one product, those of `other` another; `one_store`: `one` stands twice in one store."""

    kind: str
    one: tuple[Wording, ...]
    other: tuple[Wording, ...]
    category: str
    one_store: bool = False


@dataclass(frozen=True, slots=True)
class CodedPair:
    """Two real wordings of one product that share their one longest model code."""

    first: Sequence[Token]
    second: Sequence[Token]
    code: Token

    @property
    def texts(self) -> tuple[str, str]:
        """Both as text."""
        return text_of(self.first), text_of(self.second)


Rule = Callable[[Pattern, random.Random, ProductMaker], Group | None]


def text_of(tokens: Sequence[Token]) -> str:
    """The tokens as a title."""
    return " ".join(token.text for token in tokens)


def coded_pair(pattern: Pattern) -> CodedPair | None:
    """Two wordings with the same code that contradict each other in nothing else, or None."""
    first = pattern.wordings[0]
    code = _code(first)
    if code is None or _DOUBTFUL.search(text_of(first)):
        return None
    for second in pattern.wordings[1:]:
        other = _code(second)
        same = other is not None and squashed(other.core) == squashed(code.core)
        if same and not _DOUBTFUL.search(text_of(second)) and not contradict(first, second):
            return CodedPair(first, second, code)
    return None


def contradict(first: Sequence[Token], second: Sequence[Token]) -> bool:
    """Whether both state a finish, a size or a memory and not the same."""
    stated, also = (
        (_finishes(tokens), _measures(tokens, "inch"), _measures(tokens, "gb")) for tokens in (first, second)
    )
    return any(one and other and one.isdisjoint(other) for one, other in zip(stated, also, strict=True))


def fields(
    kind: str,
    pattern: Pattern,
    chance: random.Random,
    one: Sequence[str],
    other: Sequence[str] = (),
    *,
    codes: tuple[str, str] = ("", ""),
    ratio: float = 1.0,
    gtins: tuple[Sequence[str], Sequence[str]] = (("", ""), ("", "")),
    is_foreign: bool = False,
    one_store: bool = False,
) -> Group:
    """A group with the other fields of an offer filled now and then; `is_foreign`: `other` is of another maker."""
    price = typical_price(pattern, chance)
    brand = pattern.brand if chance.random() < 0.4 else ""
    states_code = chance.random() < 0.2

    def side(
        titles: Sequence[str], part: str, maker: str, factor: float, numbers: Sequence[str]
    ) -> tuple[Wording, ...]:
        return tuple(
            Wording(
                title, maker, part if states_code else "", number, price * factor * chance.uniform(0.95, 1.05)
            )
            for title, number in zip(titles, numbers, strict=False)
        )

    return Group(
        kind,
        side(one, codes[0], brand, 1.0, gtins[0]),
        side(other, codes[1], "" if is_foreign else brand, ratio, gtins[1]),
        pattern.category,
        one_store,
    )


def typical_price(pattern: Pattern, chance: random.Random) -> float:
    """A plausible price of such a thing."""
    is_big = re.search(
        r"tv|television|fridge|dishwasher|microwave|washer|cooking|laptop|camera|projector",
        pattern.category,
        re.I,
    )
    return round((chance.uniform(180, 900) if is_big else chance.uniform(15, 160)), 2)


def with_gtin(group: Group, gtin: str, kind: str) -> Group:
    """The group with one number on all of its offers."""
    one, other = (tuple(replace(wording, gtin=gtin) for wording in side) for side in (group.one, group.other))
    return replace(group, kind=kind, one=one, other=other)


def checked(body: str) -> str:
    """The digits with their GS1 check digit."""
    weighed = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return f"{body}{-weighed % 10}"


def _code(tokens: Sequence[Token]) -> Token | None:
    """The longest code that a maker would give one product: letters and digits, or a long number; no CPU's clock."""
    codes = [token for token in tokens if token.kind == "code" and len(squashed(token.core)) >= 6]
    return max(codes, key=lambda token: len(squashed(token.core)), default=None)


def _finishes(tokens: Sequence[Token]) -> set[str]:
    return {_FINISHES[token.core] for token in tokens if _FINISHES.get(token.core)}


def _measures(tokens: Sequence[Token], units: str) -> set[str]:
    found = set()
    for token in tokens:
        if token.kind != "measure":
            continue
        number, unit = measure_parts(token.core)
        if unit in ({"gb", "tb"} if units == "gb" else {'"', "''", "inch", "inches", "in", "zoll"}):
            found.add(f"{float(number.replace(',', '.')):.0f}")
    return found
