"""The page's own title: the element that shows the product's name, and the name without what is not part of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from selectolax.lexbor import LexborNode

from aggregator.domain.normalization.names import fold
from spiders.pages.amounts import find_amounts
from spiders.pages.base import Document, host_of, path_of

_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile(r"\s+[|–—·:»«~-]\s+|\s*[|｜]\s*|\s+//\s+")
_OTHER_TITLES = (
    "[itemprop='name'], h2, h3, [class*='title' i], [class*='product-name' i], [class*='productname' i], "
    "[data-test*='title' i]"
)
_LONGEST = 400
_MOST_LOOKED_AT = 60
_LEADING_MARKS = re.compile(r"^[\W_]+(?=\w)")


@lru_cache(maxsize=2048)
def tokens(text: str) -> tuple[str, ...]:
    """The words of a text for comparing: letters and digits, without case and accents."""
    return tuple(_WORD.findall(fold(text[:_LONGEST])))


def agreement(title: str, said: str) -> float:
    """How much of the shorter text's words the other has, 0 to 1; below that where lengths differ much."""
    mine, theirs = tokens(title), tokens(said)
    if not mine or not theirs:
        return 0.0
    shared = len(set(mine) & set(theirs))
    covered = shared / len(set(mine))
    covers = shared / len(set(theirs))
    return max(covered, covers) * 0.7 + min(covered, covers) * 0.3


def find_titles(document: Document, said: list[str]) -> list[LexborNode]:
    """The elements whose text agrees best with what markup and the page's <title> say, at most three alike.

    Pages made for small and large screens show their title twice, and only one stands beside the price.
    """
    headings = document.first_level_headings
    found = _best(headings, said)
    if not found and (slug := address_words(document.url)):
        found = _best(headings, [slug])
    if not found and said:
        found = _best(document.tree.css(_OTHER_TITLES)[:_MOST_LOOKED_AT], said, least=0.85)
    if not found and not said:
        found = [node for node in headings if shown_words(node)]
    return found[:3]


def address_words(url: str) -> str:
    """The words of the longest part of an address' path, where it has at least three."""
    parts = (part.replace("-", " ").replace("_", " ") for part in path_of(url).split("/"))
    longest = max(parts, key=len, default="").removesuffix(".html").removesuffix(".htm")
    return longest if len(longest.split()) >= 3 else ""


def _best(nodes: Iterable[LexborNode], said: list[str], least: float = 0.6) -> list[LexborNode]:
    best, best_words, best_score = list[LexborNode](), "", least
    for node in nodes:
        words = shown_words(node)
        if words and len(words) <= _LONGEST:
            if words == best_words:
                best.append(node)
                continue
            score = max((agreement(words, other) for other in said), default=0.0)
            if score > best_score + 0.02:
                best, best_words, best_score = [node], words, score
    return best


def shown_words(node: LexborNode) -> str:
    """The text of an element on one line."""
    return " ".join(node.text(separator=" ").split())


def title_name(node: LexborNode, said: list[str]) -> str:
    """The name in a title element, without the labels, codes and prices that some shops put into it."""
    whole = shown_words(node)
    known = [set(tokens(other)) for other in said]
    if known and not any(known_words.issuperset(tokens(whole)) for known_words in known):
        parts = [" ".join(part.split()) for part in node.text(separator="\x1f").split("\x1f")]
        parts = [part for part in parts if part]
        own = [part for part in parts if _is_mostly_in(part, known)]
        if own and len(own) < len(parts):
            whole = " ".join(own)
    return without_price(whole)


def _is_mostly_in(words: str, known: list[set[str]]) -> bool:
    mine = set(tokens(words))
    return bool(mine) and any(len(mine & other) >= 0.5 * len(mine) for other in known)


def without_price(name: str) -> str:
    """The name less a price in front of it: "$60 · Skate board" is "Skate board"."""
    opening = name[:24]
    if any(character.isdigit() for character in opening):
        amounts = find_amounts(opening.casefold())
        if amounts and amounts[0].mark and amounts[0].start == 0:
            rest = name[amounts[0].end :]
            if re.match(r"\s*[·|:–—-]\s*\w", rest):
                return rest.lstrip(" ·|:–—-")
    return name


def without_site(name: str, document: Document) -> str:
    """The name less the site's own name at its end or start: "Lamp | Shop" at shop.example is "Lamp"."""
    parts = _BREAK.split(name)
    if len(parts) < 2:
        return name
    site = {"".join(tokens(words)) for words in document.site_names}
    host = host_of(document.url)
    labels = [label for label in host.removeprefix("www.").split(".")[:-1] if len(label) > 2]

    def is_site(part: str) -> bool:
        compact = "".join(tokens(part))
        return bool(compact) and (
            compact in site
            or any(label.replace("-", "") in compact and len(compact) < len(label) + 12 for label in labels)
        )

    kept = name
    while len(parts) > 1 and is_site(parts[-1]):
        kept = kept[: kept.rfind(parts[-1])]
        kept = re.sub(r"[\s|–—·:»«~｜/-]+$", "", kept)
        parts = _BREAK.split(kept)
    if len(parts) > 1 and is_site(parts[0]):
        kept = _LEADING_MARKS.sub("", kept[len(parts[0]) :])
    return kept or name
