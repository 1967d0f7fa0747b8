"""Rules that word one product in two ways that are hard to see through."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from benchmarks.hard_groups import CodedPair, Group, Rule, checked, coded_pair, contradict, fields, text_of
from benchmarks.hard_rules import reworded
from benchmarks.product_families import ProductMaker
from benchmarks.title_patterns import Pattern, Token, squashed

_FILLERS = ("New", "Free Delivery", "Original", "Best Price", "In Stock", "2 Year Warranty")
_SHOPS = ("Shop24", "MegaStore.com", "Buy Online")


def gtin_forms(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
    """One number as UPC, EAN and GTIN-14, under two real wordings."""
    if len(pattern.wordings) < 2 or contradict(*pattern.wordings[:2]):
        return None
    number = checked(f"0{chance.choice('1678')}{chance.randrange(10**9, 10**10 - 1)}")
    forms = chance.sample((number, number[1:], f"0{number}", f"EAN {number}"), 2)
    titles = [text_of(wording) for wording in pattern.wordings[:2]]
    return fields("gtin_forms", pattern, chance, titles, gtins=(forms, ()))


def listed_twice(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
    """One store that lists a product twice."""
    found = coded_pair(pattern)
    if found is None:
        return None
    title = found.texts[0]
    again = chance.choice(
        (title, f"{title} New", title.lower(), text_of(reworded(found.first, chance, may_drop=True)))
    )
    return fields(
        "same_store_duplicate", pattern, chance, (title, again), codes=(found.code.text, ""), one_store=True
    )


def _rewritten(kind: str, rewrite: Callable[[CodedPair, random.Random], str]) -> Rule:
    """A rule whose first wording is real and whose second `rewrite` makes of the second real one."""

    def rule(pattern: Pattern, chance: random.Random, _: ProductMaker) -> Group | None:
        found = coded_pair(pattern)
        if found is None:
            return None
        return fields(
            kind, pattern, chance, (found.texts[0], rewrite(found, chance)), codes=(found.code.text, "")
        )

    return rule


def _reordered(pair: CodedPair, chance: random.Random) -> str:
    made = list(pair.second)
    chance.shuffle(made)
    return text_of(made)


def _separated(pair: CodedPair, chance: random.Random) -> str:
    """The code with a hyphen or blank where letters first meet digits, or without any where it had one."""
    old = squashed(pair.code.core)
    split = re.sub(r"(?<=[a-z])(?=\d)", chance.choice(("-", " ", "-")), old, count=1)
    text = old if pair.code.core != old else split
    return text_of(
        [
            Token("code", text.upper(), text)
            if token.kind == "code" and squashed(token.core) == old
            else token
            for token in pair.second
        ]
    )


def _abbreviated(pair: CodedPair, chance: random.Random) -> str:
    """Long words cut to four letters, as tills and distributors' lists write them."""
    return " ".join(
        token.text[:4]
        if token.kind == "word" and len(token.text) > 6 and chance.random() < 0.7
        else token.text
        for token in pair.second
    )


def _terse(pair: CodedPair, chance: random.Random) -> str:
    """Brand, code and what it is."""
    brand = next((token.text for token in (*pair.second, *pair.first) if token.kind == "brand"), "")
    words: Sequence[str] = [
        token.text for token in pair.second if token.kind == "word" and len(token.text) > 4
    ]
    return " ".join(part for part in (brand, pair.code.text, *words[-1:]) if part)


def _misspelt(pair: CodedPair, chance: random.Random) -> str:
    made = []
    for token in pair.second:
        text = token.text
        if token.kind == "word" and len(text) > 5 and chance.random() < 0.5:
            place = chance.randrange(1, len(text) - 2)
            exchanged = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
            text = exchanged if chance.random() < 0.5 else text[:place] + text[place + 1 :]
        made.append(text)
    return " ".join(made)


def _decorated(pair: CodedPair, chance: random.Random) -> str:
    return f"{chance.choice(_FILLERS)} {pair.texts[1]} {chance.choice(_FILLERS)} | {chance.choice(_SHOPS)}"


def _without_brand(pair: CodedPair, chance: random.Random) -> str:
    return text_of([token for token in pair.second if token.kind != "brand"])


SAME_RULES: tuple[tuple[Rule, int], ...] = (
    (listed_twice, 25),
    (gtin_forms, 25),
    (_rewritten("reordered", _reordered), 20),
    (_rewritten("code_separators", _separated), 30),
    (_rewritten("abbreviated", _abbreviated), 20),
    (_rewritten("terse", _terse), 20),
    (_rewritten("misspelt", _misspelt), 20),
    (_rewritten("boilerplate", _decorated), 20),
    (_rewritten("brand_left_out", _without_brand), 20),
    (_rewritten("real_wordings", lambda pair, chance: pair.texts[1]), 50),
)
