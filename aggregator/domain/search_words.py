"""The words a product is found by, made the same way for what is stored and for what is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aggregator.domain.identifiers import shown_gtin
from aggregator.domain.normalization.names import fold

_CHUNK = re.compile(r"\S+")
_WORD = re.compile(r"[^\W_]+")
MAX_WORDS = 200
MAX_QUERY_WORDS = 12


def words_of(text: str) -> Iterable[str]:
    """The words of a text in order, and each code written with separators also without ("wh-1000" "wh1000")."""
    for chunk in _CHUNK.findall(fold(text)):
        parts = _WORD.findall(chunk)
        yield from (part[:60] for part in parts)
        if len(parts) > 1 and any(character.isdigit() for character in chunk):
            yield "".join(parts)[:60]


def search_vector(title: str, brand: str | None, gtin: str | None, others: Iterable[str]) -> str:
    """A tsvector literal: the title's and brand's words weigh A, codes B, what only other offers say C."""
    weights: dict[str, str] = {}
    for word in (*words_of(title), *words_of(brand or "")):
        weights.setdefault(word, "A")
    if gtin:
        weights.setdefault(shown_gtin(gtin), "B")
        weights.setdefault(gtin, "B")
    for text in others:
        for word in words_of(text):
            weights.setdefault(word, "C")
            if len(weights) >= MAX_WORDS:
                break
    return " ".join(f"'{word}':{place}{weight}" for place, (word, weight) in enumerate(weights.items(), 1))


def search_query(text: str) -> str | None:
    """A tsquery literal: every word must begin a stored one; codes with separators match without them too."""
    terms = []
    for chunk in _CHUNK.findall(fold(text))[:MAX_QUERY_WORDS]:
        parts = [part[:60] for part in _WORD.findall(chunk)]
        if not parts:
            continue
        all_parts = " & ".join(f"'{part}':*" for part in parts)
        terms.append(f"(({all_parts}) | '{''.join(parts)[:60]}':*)" if len(parts) > 1 else f"({all_parts})")
    return " & ".join(terms) or None
