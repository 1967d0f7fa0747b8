"""Parsing the HTML that a store sent, unless it is nested so deep that the parser would not come to an end."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser

from aggregator.domain.errors import UnreadableAnswer

# For each element the parser looks through those that are open: about two nanoseconds a look.
_MOST_LOOKS = 500_000_000
_SURELY_FEW = int((2 * _MOST_LOOKS) ** 0.5)
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
    # A NUL would end the text for the parser, and everything after it would be lost.
    return LexborHTMLParser(text.replace("\x00", "") if "\x00" in text else text)


def is_too_deep(text: str) -> bool:
    """Whether the parser would have to look through more open elements than any real page has."""
    if text.count("<") - text.count("</") <= _SURELY_FEW:
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
