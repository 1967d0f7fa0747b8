"""A walk through what a visitor sees of a page, from its title on: short pieces of text and where they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from selectolax.lexbor import LexborNode

MOST_PIECES = 420
_MOST_NODES = 4000
_MOST_BEFORE = 2500
_LONGEST = 240
_NEVER_SHOWN = frozenset(
    {"script", "style", "noscript", "template", "svg", "iframe", "option", "optgroup", "datalist", "nav", "footer",
     "video", "audio", "canvas", "head", "math", "textarea"}
)  # fmt: skip
_STRUCK_TAGS = frozenset({"s", "del", "strike"})
_HIDDEN_CLASSES = frozenset(
    "hidden hide d-none is-hidden ishidden u-hidden ng-hide display-none displaynone js-hidden invisible dn".split()
)
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_STRUCK_STYLE = re.compile(r"line-through", re.IGNORECASE)
# Parts of a page that are about other products, or about no product.
_ASIDE = re.compile(
    r"relat|recommend|recomm|recomend|similar|upsell|up-sell|cross-?sell|recently|last-?viewed|also-?(?:bought|like|view)|accessor"
    r"|frequently|bought-?together|complete-?the|sponsor|mini-?cart|cart-?drawer|side-?cart|shopping-?cart|breadcrumb|footer"
    r"|cookie|newsletter|review|comment|testimonial|mega-?menu|main-?menu|navbar|product-?(?:list|grid|carousel|slider|tile|card)s?\b"
    r"|products-(?:grid|list|carousel)|installment|financ|store-?locator|suggest|bestsell|best-sell|trending|popular|login|"
    r"\bfaq|shipping-?calc|warranty-?offer|service-?offer|alternativ|combin|cheaper-?elsewhere|tooltip|popover|ecredit|"
    r"other-?(?:offer|seller|product)|more-?from|you-?may|might-?like|companion|addon|add-on\b",
    re.IGNORECASE,
)
_OWN = re.compile(
    r"price|preis|prix|precio|buy|add-?to|stock|avail|main|detail|summary|info|page|wrap|body|content", re.I
)
_CLICKABLE = re.compile(
    r"\bbtn|btn\b|button|add-?to-?(?:cart|bag|basket)|addto|buy|purchase|basket|\bcta|comprar|kup|order",
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def _nature(label: str) -> tuple[bool, bool, bool]:
    """(about other things than the product, something to click, hidden) by an element's classes and id."""
    words = label.split()
    is_hidden = not _HIDDEN_CLASSES.isdisjoint(words)
    is_aside = bool(_ASIDE.search(label)) and not _OWN.search(label)
    return is_aside, bool(_CLICKABLE.search(label)), is_hidden


@dataclass(slots=True)
class Piece:
    """One text of the page. `context` holds tags, classes and ids of the elements around it, the nearest last."""

    text: str
    folded: str
    context: str
    tag: str
    node: LexborNode
    is_struck: bool
    is_link: bool
    is_clickable: bool
    is_disabled: bool
    is_title: bool = False


@dataclass(slots=True)
class _Frame:
    label: str
    tag: str
    is_struck: bool
    is_link: bool
    is_clickable: bool
    is_disabled: bool


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
    frames: list[_Frame] = []
    node: LexborNode | None = start
    visited = in_title = 0
    while node is not None and visited < _MOST_NODES and len(pieces) < most:
        visited += 1
        child: LexborNode | None = None
        if node.is_text_node:
            words = node.text_content
            if words and not words.isspace():
                piece = _piece(words, node, frames, bool(in_title))
                if in_title and most == MOST_PIECES:
                    most = min(MOST_PIECES, len(pieces) + most_after)
                if most != MOST_PIECES and is_end(piece):
                    break
                pieces.append(piece)
        elif node.is_element_node:
            frame = _enter(node, frames, node.mem_id in chain)
            if frame is not None:
                child = node.first_child
                if child is not None:
                    frames.append(frame)
                    if in_title or node.mem_id == title_id:
                        in_title += 1
                if frame.tag in _SPEAKING:
                    _add_value(pieces, node, frame, frames)
        if child is not None:
            node = child
            continue
        while node is not None:
            following = node.next
            if following is not None:
                node = following
                break
            node = node.parent
            if frames:
                frames.pop()
                in_title = max(0, in_title - 1)
    return pieces


def _enter(node: LexborNode, frames: list[_Frame], is_around_title: bool) -> _Frame | None:
    """What an element adds to the context of its texts; None where nothing in it is seen or meant."""
    tag = node.tag or ""
    if tag in _NEVER_SHOWN:
        return None
    attributes = node.attributes
    outer = frames[-1] if frames else None
    if not attributes:
        if outer is None:
            return _Frame("", tag, tag in _STRUCK_TAGS, tag == "a", tag == "button", False)
        return _Frame(
            tag, tag, outer.is_struck or tag in _STRUCK_TAGS, outer.is_link or tag == "a",
            outer.is_clickable or tag == "button", outer.is_disabled,
        )  # fmt: skip
    classes = (attributes.get("class") or "")[:300]
    label = f"{tag} {classes} {attributes.get('id') or ''} {attributes.get('itemprop') or ''}".lower()[:400]
    style = attributes.get("style") or ""
    is_aside, is_for_clicks, is_hidden = _nature(label)
    if not is_around_title and (
        is_aside
        or is_hidden
        or "hidden" in attributes
        or attributes.get("aria-modal") == "true"
        or (style and _HIDING_STYLE.search(style))
    ):
        return None
    role = attributes.get("role") or ""
    is_button = tag == "button" or role == "button" or (tag == "input" and attributes.get("type") in _BUTTONS)
    href = attributes.get("href") if tag == "a" else None
    leads_away = bool(href) and not href.startswith(("#", "javascript"))  # type: ignore[union-attr]
    disabled = (
        "disabled" in attributes or attributes.get("aria-disabled") == "true" or "disabled" in classes.lower()
    )
    struck = tag in _STRUCK_TAGS or (bool(style) and bool(_STRUCK_STYLE.search(style)))
    return _Frame(
        label=label,
        tag=tag,
        is_struck=struck or (outer is not None and outer.is_struck),
        is_link=leads_away or (outer is not None and outer.is_link),
        is_clickable=is_button or tag == "a" or is_for_clicks or (outer is not None and outer.is_clickable),
        is_disabled=(disabled and (is_button or tag == "a" or tag == "fieldset"))
        or (outer is not None and outer.is_disabled),
    )


_BUTTONS = frozenset({"submit", "button", "image"})
_SPEAKING = frozenset({"input", "img", "button"})


def _piece(words: str, node: LexborNode, frames: list[_Frame], is_title: bool) -> Piece:
    shown = " ".join(words[: _LONGEST * 4].split())[:_LONGEST]
    return _made(shown, node, frames, is_title)


def _made(shown: str, node: LexborNode, frames: list[_Frame], is_title: bool) -> Piece:
    last = frames[-1] if frames else _Frame("", "", False, False, False, False)
    return Piece(
        text=shown,
        folded=shown.casefold(),
        context=" > ".join(frame.label for frame in frames[-4:]),
        tag=last.tag,
        node=node,
        is_struck=last.is_struck,
        is_link=last.is_link,
        is_clickable=last.is_clickable,
        is_disabled=last.is_disabled,
        is_title=is_title,
    )


def _add_value(pieces: list[Piece], node: LexborNode, frame: _Frame, frames: list[_Frame]) -> None:
    """Words that only an attribute has: a button's value or label, the picture on a button."""
    attributes = node.attributes
    words: str | None
    if frame.tag == "input":
        words = (
            attributes.get("value") or attributes.get("alt") if attributes.get("type") in _BUTTONS else None
        )
    elif frame.tag == "img":
        words = (attributes.get("alt") or attributes.get("title")) if frame.is_clickable else None
    else:
        words = attributes.get("aria-label") if not node.text(strip=True) else None
    if words and words.strip() and len(words) < 60:
        pieces.append(_made(" ".join(words.split()), node, [*frames, frame], False))
