"""The words a product is found by, made the same way for what is stored and for what is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from aggregator.domain.identifiers import compact_code, read_gtin, shown_gtin
from aggregator.domain.normalization.names import fold

_CHUNK = re.compile(r"\S+")
_WORD = re.compile(r"[^\W_]+")
_RUN = re.compile(r"[^\W\d_]+|\d+")
# "CyberShot", but not "GeForce RTX": a lower letter before an upper one.
_CAMEL = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z][^\W\dA-Z])")
_SYNONYMS = Path(__file__).with_name("synonyms.txt")
LONGEST_WORD = 60
MAX_WORDS = 200
MAX_QUERY_WORDS = 12
_LONGEST_NAME = 3


def words_of(text: str) -> Iterator[str]:
    """The words of a text in order, and each code written with separators also without ("wh-1000" "wh1000")."""
    for chunk in _CHUNK.findall(fold(text)):
        parts = _WORD.findall(chunk)
        yield from (part[:LONGEST_WORD] for part in parts)
        if len(parts) > 1 and any(character.isdigit() for character in chunk):
            yield "".join(parts)[:LONGEST_WORD]


def index_words(texts: Iterable[str]) -> list[str]:
    """Every word that finds these texts, each once: also the parts of "CyberShot", "DSCW55" and "dish-washer"."""
    words: dict[str, None] = {}
    for text in texts:
        words.update(dict.fromkeys(words_of(text)))
        for chunk in _CHUNK.findall(text):
            plain = fold(chunk)
            parts = _WORD.findall(plain)
            if len(parts) > 1:
                words["".join(parts)[:LONGEST_WORD]] = None
            if _CAMEL.search(chunk):
                words.update(dict.fromkeys(_WORD.findall(fold(_CAMEL.sub(" ", chunk)))))
            if any(map(str.isdigit, plain)) and not plain.isdigit():
                words.update(dict.fromkeys(run for part in parts for run in _RUN.findall(part)))
        if len(words) >= MAX_WORDS:
            break
    return list(words)[:MAX_WORDS]


def query_words(text: str) -> list[str]:
    """The words of what is asked, in order, at most MAX_QUERY_WORDS."""
    return [part[:LONGEST_WORD] for part in _WORD.findall(fold(text))[:MAX_QUERY_WORDS]]


def whole_wording(text: str) -> str:
    """A text as one value, alike for every spelling of case, accents and separators: "sony wh 1000xm4"."""
    return " ".join(_WORD.findall(fold(text)))[:500]


def code_of(text: str) -> str | None:
    """A text that may be one identifier, as codes are compared: 14 digits of a GTIN, or "wh1000xm4"."""
    gtin = read_gtin(text)
    if gtin:
        return gtin
    code = fold(compact_code(text))
    return code[:LONGEST_WORD] if code and any(map(str.isdigit, code)) else None


@cache
def synonyms() -> dict[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The other names of each name, all as folded words; read from `synonyms.txt` beside this module."""
    found: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
    for line in _SYNONYMS.read_text(encoding="utf-8").splitlines():
        names = [tuple(query_words(name)) for name in line.partition("#")[0].split(",") if name.strip()]
        for name in names:
            found.setdefault(name, {}).update(dict.fromkeys(other for other in names if other != name))
    return {name: tuple(others) for name, others in found.items()}


def named_things(words: list[str]) -> list[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    """The words in order, those of one name together, each with its other names (none for most)."""
    known = synonyms()
    things = []
    start = 0
    while start < len(words):
        for length in range(min(_LONGEST_NAME, len(words) - start), 0, -1):
            name = tuple(words[start : start + length])
            if length == 1 or name in known:
                break
        things.append((name, known.get(name, ())))
        start += length
    return things


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
        parts = [part[:LONGEST_WORD] for part in _WORD.findall(chunk)]
        if not parts:
            continue
        all_parts = " & ".join(f"'{part}':*" for part in parts)
        terms.append(
            f"(({all_parts}) | '{''.join(parts)[:LONGEST_WORD]}':*)" if len(parts) > 1 else f"({all_parts})"
        )
    return " & ".join(terms) or None
