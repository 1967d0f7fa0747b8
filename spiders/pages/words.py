"""Words that stand beside a product on a page, in the languages of many shops: kept in words.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

_LETTER = r"[a-zà-ɏͰ-ϿЀ-ӿ֐-׿؀-ۿ]"
# Scripts without blanks between words.
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿가-힯฀-๿]")


_Tree = dict[str, "_Tree"]
_TABLE: dict[str, str] = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def words_of(name: str) -> list[str]:
    """The words of one table."""
    return [word.casefold() for line in _TABLE[name].split("\n") for word in line.split("|") if word]


def pattern_of(name: str) -> str:
    """The regular expression of one table."""
    # Case folding changes these two letters; folding the whole pattern would change its escapes.
    written = "|".join(line for line in _TABLE[name].split("\n") if line)
    return written.replace("ς", "σ").replace("ß", "ss")


def any_of(words: Iterable[str]) -> str:
    """A regular expression's group for any of the words, the longest of those that fit.

    Common beginnings are written once, which makes it several times faster than a plain list of words.
    """
    tree: _Tree = {}
    for word in words:
        branch = tree
        for character in word:
            branch = branch.setdefault(character, {})
        branch[""] = {}
    return _written(tree)


def _written(tree: _Tree) -> str:
    endings = [re.escape(first) + _written(rest) for first, rest in tree.items() if first]
    if not endings:
        return ""
    written = endings[0] if len(endings) == 1 else f"(?:{'|'.join(endings)})"
    if "" not in tree:
        return written
    return f"(?:{written})?" if len(endings) == 1 else f"{written}?"


def whole_words(words: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the words where no letter goes on with it; scripts without blanks have no such borders."""
    known = set(words)
    joined = {word for word in known if _UNSPACED.search(word)}
    spaced = rf"(?<!{_LETTER}){any_of(known - joined)}(?!{_LETTER})"
    return re.compile(f"{spaced}|{any_of(joined)}" if joined else spaced)
