"""Where two titles differ, word by word, however their words are ordered and their codes are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class TitlePart:
    """A run of words as the store writes it; `is_different` where the other title has none of them."""

    text: str
    is_different: bool


def compare_titles(left: str, right: str) -> tuple[tuple[TitlePart, ...], tuple[TitlePart, ...]]:
    """Both titles in parts, in their own order; the parts joined by spaces are the title's words.

    Case and signs inside a word decide nothing, and "WH 1000XM4" is "WH-1000XM4".
    """
    words = [_WORD.findall(title) for title in (left, right)]
    known = [_forms(some) for some in words]
    return _parts(words[0], known[1]), _parts(words[1], known[0])


def _forms(words: Sequence[str]) -> set[str]:
    plain = [_plain(word) for word in words]
    pieces = {piece for word in words for piece in _pieces(word)}
    return {*plain, *pieces, *(one + other for one, other in pairwise(plain))} - {""}


def _parts(words: Sequence[str], known: set[str]) -> tuple[TitlePart, ...]:
    plain = [_plain(word) for word in words]
    is_shared = [
        not one or one in known or all(piece in known for piece in _pieces(word))
        for one, word in zip(plain, words, strict=True)
    ]
    for index, (one, other) in enumerate(pairwise(plain)):
        if one + other in known:
            is_shared[index] = is_shared[index + 1] = True
    parts: list[TitlePart] = []
    for word, shared in zip(words, is_shared, strict=True):
        if parts and parts[-1].is_different is not shared:
            parts[-1] = TitlePart(f"{parts[-1].text} {word}", parts[-1].is_different)
        else:
            parts.append(TitlePart(word, not shared))
    return tuple(parts)


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


def _pieces(word: str) -> list[str]:
    """The parts of "kettle/jug": what stands between signs."""
    return [piece for piece in re.split(r"[\W_]+", word.casefold()) if piece]
