"""Parsing the HTML that a store sent, unless it is so deep or wide that the parser would not come to an end."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser

from aggregator.domain.errors import UnreadableAnswer

# For each element the parser looks through those that are open: about two nanoseconds a look.
_MOST_LOOKS = 500_000_000
_SURELY_FEW = int((2 * _MOST_LOOKS) ** 0.5)
# For each attribute the parser looks through those before it in the tag.
_MOST_ATTRIBUTES = 10_000
_WINDOW = 2 * _MOST_ATTRIBUTES
_OPENING = re.compile(r"<[a-zA-Z]")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# These have no end, or end where the next of their kind begins.
_NOT_NESTED = frozenset(
    "area base br col embed hr img input link meta source track wbr p li dt dd option optgroup tr td th thead tbody "
    "tfoot colgroup rb rt rp".split()
)


def parse_html(text: str, url: str) -> LexborHTMLParser:
    """The tree of a page. Raises UnreadableAnswer where parsing it would take seconds and more."""
    if is_too_deep(text):
        raise UnreadableAnswer(url, "nests its elements too deep to be read")
    if is_too_wide(text):
        raise UnreadableAnswer(url, "has more attributes in one tag than can be read")
    # A NUL would end the text for the parser, and everything after it would be lost.
    return LexborHTMLParser(text.replace("\x00", "") if "\x00" in text else text)


def is_too_deep(text: str) -> bool:
    """Whether the parser would have to look through more open elements than any real page has."""
    if text.count("<") <= _SURELY_FEW or text.count("<") - text.count("</") <= _SURELY_FEW:
        return False
    depth = looks = 0
    for tag in _TAG.finditer(text):
        if tag[2].lower() in _NOT_NESTED:
            continue
        if tag[1]:
            depth = max(depth - 1, 0)
        else:
            depth += 1
            looks += depth
            if looks > _MOST_LOOKS:
                return True
    return False


def is_too_wide(text: str) -> bool:
    """Whether one tag has more attributes than any real page has.

    Only stretches without ">" that are long enough for it are looked at, and found by leaps.
    """
    position = 0
    while position + _WINDOW < len(text):
        found = text.rfind(">", position, position + _WINDOW)
        if found >= 0:
            position = found + 1
            continue
        end = text.find(">", position)
        stretch = text[position : end if end >= 0 else len(text)]
        opening = _OPENING.search(stretch)
        if opening and len(stretch[opening.start() :].split()) > _MOST_ATTRIBUTES:
            return True
        if end < 0:
            return False
        position = end + 1
    return False
