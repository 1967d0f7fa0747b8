"""A walk through what a visitor sees of a page, from its title on: short pieces of text and where they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from selectolax.lexbor import LexborNode

from spiders.pages.words import any_of, words_of

MOST_PIECES = 420
_MOST_NODES = 4000
_MOST_BEFORE = 700
_LONGEST = 240
_NEVER_SHOWN = frozenset(
    {"script", "style", "noscript", "template", "svg", "iframe", "option", "optgroup", "datalist", "nav", "footer",
     "video", "audio", "canvas", "head", "math", "textarea", "br", "hr", "source", "link", "meta", "map", "object"}
)  # fmt: skip
_STRUCK_TAGS = frozenset({"s", "del", "strike"})
_HIDDEN_CLASSES = frozenset(
    "hidden hide d-none is-hidden ishidden u-hidden ng-hide display-none displaynone js-hidden invisible dn".split()
)
# Not "overflow-hidden", and not what is read out to those who do not see it.
_HIDDEN = re.compile(r"(?<![\w-])(?!overflow|visually|sr-|a11y|x-|y-)[a-z]{1,8}-hidden(?![\w-])")
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_ASIDE = re.compile(any_of(words_of("aside_labels")))
_OWN = re.compile(any_of(words_of("own_labels")))
_CLICKABLE = re.compile(any_of(words_of("clickable_labels")))
_JOINTS = str.maketrans("", "", "-_")


@lru_cache(maxsize=8192)
def _nature(label: str) -> tuple[bool, bool, bool]:
    """(about other things than the product, something to click, hidden) by an element's classes and id."""
    is_hidden = not _HIDDEN_CLASSES.isdisjoint(label.split()) or (
        "-hidden" in label and _HIDDEN.search(label) is not None
    )
    joined = label.translate(_JOINTS)
    is_aside = _ASIDE.search(joined) is not None and _OWN.search(joined) is None
    return is_aside, _CLICKABLE.search(joined) is not None, is_hidden


@dataclass(slots=True)
class Frame:
    """An element around a text: its tag, classes and id as one label, and what it makes of the texts in it."""

    outer: Frame | None
    label: str
    tag: str
    is_struck: bool
    is_link: bool
    is_clickable: bool
    is_disabled: bool

    def labels(self, depth: int) -> Iterator[str]:
        """The labels of this element and of those around it, the nearest first."""
        frame: Frame | None = self
        for _ in range(depth):
            if frame is None:
                return
            yield frame.label
            frame = frame.outer


@dataclass(slots=True)
class Piece:
    """One text of the page, as shown and case folded, in its element."""

    text: str
    folded: str
    frame: Frame
    is_title: bool = False


def pieces_around(
    title: LexborNode, *, most_after: int = 300, is_end: Callable[[Piece], bool] = lambda _: False
) -> tuple[list[Piece], int]:
    """The texts around the title in the order of the page, and where among them the title stands.

    The walk goes at most `most_after` texts beyond the title, and stops where `is_end` says so.
    """
    chain = {title.mem_id}
    parent = title.parent
    while parent is not None and len(chain) < 200:
        chain.add(parent.mem_id)
        parent = parent.parent
    pieces = _walk(_start(title), chain, title.mem_id, most_after, is_end)
    first = next((index for index, piece in enumerate(pieces) if piece.is_title), 0)
    return pieces, first


def _start(title: LexborNode) -> LexborNode:
    """The widest element around the title with only a little text before it."""
    start, before = title, 0
    for _ in range(8):
        parent = start.parent
        if parent is None or parent.tag in {"body", "html"}:
            break
        sibling = start.prev
        while sibling is not None and before <= _MOST_BEFORE:
            if sibling.tag not in _NEVER_SHOWN:
                before += len((sibling.text_content if sibling.is_text_node else sibling.text()) or "")
            sibling = sibling.prev
        if before > _MOST_BEFORE:
            break
        start = parent
    return start


def _walk(
    start: LexborNode, chain: set[int], title_id: int, most_after: int, is_end: Callable[[Piece], bool]
) -> list[Piece]:
    pieces: list[Piece] = []
    most = MOST_PIECES
    frame = _OUTSIDE
    node: LexborNode | None = start
    visited = depth = title_depth = 0
    is_before_title = True
    while node is not None and visited < _MOST_NODES:
        visited += 1
        child: LexborNode | None = None
        tag = node.tag or "-"
        if tag == "-text":
            words = node.text_content
            if words and not words.isspace():
                piece = _piece(words, frame, title_depth > 0)
                if title_depth and most == MOST_PIECES:
                    most = min(MOST_PIECES, len(pieces) + most_after)
                if most != MOST_PIECES and is_end(piece):
                    break
                pieces.append(piece)
                if len(pieces) >= most:
                    break
        elif tag[0] != "-" and tag not in _NEVER_SHOWN:
            inner = _enter(node, tag, frame, chain)
            if inner is not None:
                child = node.first_child
                if tag in _SPEAKING:
                    _add_value(pieces, node, inner)
                    if len(pieces) >= most:
                        break
                if child is not None:
                    frame = inner
                    depth += 1
                    if is_before_title and node.mem_id == title_id:
                        title_depth, is_before_title = depth, False
        if child is not None:
            node = child
            continue
        while node is not None:
            following = node.next
            if following is not None:
                node = following
                break
            node = node.parent
            if depth:
                depth -= 1
                frame = frame.outer or _OUTSIDE
                if depth < title_depth:
                    title_depth = 0
    return pieces


def _enter(node: LexborNode, tag: str, outer: Frame, chain: set[int]) -> Frame | None:
    """What an element adds to the context of its texts; None where nothing in it is seen or meant."""
    if tag == "img" and not outer.is_clickable:
        return None
    attributes = node.attributes
    if not attributes:
        return Frame(
            outer, tag, tag, outer.is_struck or tag in _STRUCK_TAGS, outer.is_link,
            outer.is_clickable or tag == "button", outer.is_disabled,
        )  # fmt: skip
    get = attributes.get
    label = f"{tag} {get('class') or ''} {get('id') or ''} {get('itemprop') or ''}"[:400].lower()
    style = get("style")
    is_aside, is_for_clicks, is_hidden = _nature(label)
    if (
        is_aside
        or is_hidden
        or "hidden" in attributes
        or get("aria-modal") == "true"
        or (style and _HIDING_STYLE.search(style))
    ) and node.mem_id not in chain:
        return None
    is_button = tag == "button" or get("role") == "button" or (tag == "input" and get("type") in _BUTTONS)
    is_link = False
    if tag == "a":
        href = get("href")
        is_link = bool(href) and not str(href).startswith(("#", "javascript"))
    is_disabled = outer.is_disabled
    if not is_disabled and (is_button or tag == "a" or tag == "fieldset"):
        is_disabled = "disabled" in attributes or get("aria-disabled") == "true" or "disabled" in label
    return Frame(
        outer, label, tag,
        outer.is_struck or tag in _STRUCK_TAGS or bool(style and "line-through" in style),
        is_link or outer.is_link,
        is_button or tag == "a" or is_for_clicks or outer.is_clickable,
        is_disabled,
    )  # fmt: skip


_OUTSIDE = Frame(None, "", "", False, False, False, False)
_BUTTONS = frozenset({"submit", "button", "image"})
_SPEAKING = frozenset({"input", "img", "button"})


def _piece(words: str, frame: Frame, is_title: bool) -> Piece:
    shown = " ".join(words[: _LONGEST * 4].split())[:_LONGEST]
    return Piece(shown, shown.casefold(), frame, is_title)


def _add_value(pieces: list[Piece], node: LexborNode, frame: Frame) -> None:
    """Words that only an attribute has: a button's value or label, the picture on a button."""
    attributes = node.attributes
    words: str | None = None
    if frame.tag == "input":
        if attributes.get("type") in _BUTTONS:
            words = attributes.get("value") or attributes.get("alt")
    elif frame.tag == "img":
        words = (attributes.get("alt") or attributes.get("title")) if frame.is_clickable else None
    else:
        words = attributes.get("aria-label") if not node.text(strip=True) else None
    if words and words.strip() and len(words) < 60:
        pieces.append(_piece(words, frame, False))
