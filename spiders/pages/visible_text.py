"""What a visitor reads near the title: the price asked, whether it can be bought, codes and the brand beside labels."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from selectolax.lexbor import LexborNode

from spiders.pages.shown_prices import ShownPrice, shown_prices
from spiders.pages.walk import Piece, pieces_around
from spiders.pages.words import any_of, pattern_of, whole_words, words_of

_BUY = whole_words(words_of("buy"))
_OUT = whole_words(words_of("out_of_stock"))
_IN = whole_words(words_of("in_stock"))
_OTHERS = re.compile(rf"\W{{0,4}}(?:{any_of(words_of('other_products'))})")
_HEADING = re.compile(r"\bh[1-6]\b|title|head|caption|strong|label")
_BUY_CONTEXT = re.compile(
    r"add-?_?to-?_?(?:cart|bag|basket)|addtocart|buy-?(?:now|button|box)|button-cart|btn-?(?:buy|cart)|to-?cart|to-?basket|buy_?btn|btn_?buy"
)
_BUTTON = re.compile(r"(?:a|button|input)\b|.*(?:btn|button)")
_NO_BUYING = re.compile(
    r"wish|compare|notify|share|favo|find|stores?\b|question|guide|remove|view|qty|quantity|[+-]|\d"
)
_ELSEWHERE = re.compile(pattern_of("elsewhere"))
_OTHER_CHOICE = re.compile(
    r"swatch|variant|variation|option|size|radio|select|dropdown|legend|tooltip|modal|facet|filter"
)
_LABELS = {
    "gtin": words_of("gtin_labels"),
    "mpn": words_of("mpn_labels"),
    "sku": words_of("sku_labels"),
    "brand": words_of("brand_labels"),
}
_FIELD_OF = {
    label.strip(): name for name, labels in reversed(_LABELS.items()) for label in labels if label.strip()
}
_LABEL = re.compile(
    rf"\W{{0,3}}(?P<label>{any_of(_FIELD_OF)})(?:\s?(?:\([^)]{{0,20}}\)))?\.?\s{{0,2}}(?:[:：#№=]|n[o°º]\.?:?|nr\.?:?|[-–]+(?!\w))?[\s:#]{{0,3}}(?P<value>.{{0,80}})",
    re.DOTALL,
)
_CODE = re.compile(r"#?\s?([A-Z0-9][\w./+-]{1,38})", re.IGNORECASE | re.ASCII)
_CLASSED_SKU = re.compile(r"\bsku\b|product-?(?:sku|code|number)|item-?(?:number|code)|article-?number|artnr")
_CLASSED = re.compile(
    rf"{_CLASSED_SKU.pattern}|\bbrand\b|brand-?name|product-?brand|manufacturer|\bvendor\b|designer-?name"
)
_NO_BRAND = re.compile(r"visit|more|view|all |show|shop|see |brand|new|sale|from|by$")
_DIGITS = re.compile(r"\d{3}|[€$£%]")
_NEAR = 60
_FAR = 130


@dataclass(slots=True)
class VisibleText:
    """What was read near the title. `availability` is a schema.org short name with how sure it is (0 to 1)."""

    pieces: list[Piece]
    title: int
    prices: list[ShownPrice]
    availability: tuple[str, float, str] | None
    labelled: dict[str, tuple[str, str]] = field(default_factory=dict)


def read_visible_text(
    title: LexborNode,
    *,
    country: str | None,
    currency: str | None,
    known: Collection[Decimal],
    most_after: int = 300,
) -> VisibleText:
    """Everything that the texts around the title say. Bounded: some hundred texts are looked at."""
    pieces, index = pieces_around(title, most_after=most_after, is_end=_turns_to_others)
    return VisibleText(
        pieces=pieces,
        title=index,
        prices=shown_prices(pieces, index, country=country, currency=currency, known=known),
        availability=_availability(pieces, index),
        labelled=_labelled(pieces, index),
    )


def _turns_to_others(piece: Piece) -> bool:
    """Whether the page goes on with other products from here: a heading that says so."""
    if len(piece.folded) > 70 or piece.frame.is_link or piece.is_title or not _is_about_others(piece.folded):
        return False
    return bool(_HEADING.search(piece.frame.label)) or (
        not piece.frame.is_clickable and len(piece.folded) < 45
    )


@lru_cache(maxsize=8192)
def _is_about_others(words: str) -> bool:
    return _OTHERS.match(words) is not None


def _availability(pieces: list[Piece], title: int) -> tuple[str, float, str] | None:
    out: tuple[int, str] | None = None
    buy: tuple[int, str] | None = None
    stock: tuple[int, str] | None = None
    disabled: tuple[int, str] | None = None
    for index in range(max(0, title - 25), min(len(pieces), title + _FAR)):
        piece = pieces[index]
        words = piece.folded
        if piece.is_title or len(words) > 120:
            continue
        near = abs(index - title)
        if piece.frame.is_clickable and len(words) <= 45 and _is_buying(pieces, index):
            if piece.frame.is_disabled:
                disabled = disabled or (near, piece.text)
            elif buy is None:
                buy = (near, piece.text)
            continue
        said = _stock_said(words)
        if said is None:
            continue
        if said and stock is None:
            stock = (near, piece.text)
        elif (
            not said
            and out is None
            and not piece.frame.is_link
            and not any(map(_OTHER_CHOICE.search, piece.frame.labels(3)))
        ):
            out = (near, piece.text)
    if out is not None and (buy is None or buy[0] > out[0] + 40):
        return "OutOfStock", 0.9, out[1][:80]
    if out is not None and buy is not None:
        return "OutOfStock", 0.5, out[1][:80]
    if buy is not None:
        return "InStock", 0.85 if buy[0] <= 80 else 0.5, buy[1][:80]
    if stock is not None:
        return "InStock", 0.7 if stock[0] <= 40 else 0.4, stock[1][:80]
    if disabled is not None:
        return "InStock", 0.3, disabled[1][:80]
    return None


@lru_cache(maxsize=8192)
def _stock_said(words: str) -> bool | None:
    """Whether a text says that there is some or none; None where it says neither, or of another place."""
    if _OUT.search(words):
        wide = sum(ord(character) > 0x2E7F for character in words)
        return None if len(words) + wide > 90 or _ELSEWHERE.search(words) else False
    return True if len(words) <= 60 and _IN.search(words) and not _ELSEWHERE.search(words) else None


@lru_cache(maxsize=8192)
def _is_buy_button(label: str) -> bool:
    return _BUTTON.match(label) is not None and _BUY_CONTEXT.search(label) is not None


def _is_buying(pieces: list[Piece], index: int) -> bool:
    """Whether a clickable text buys: by its words, also cut in two, or by what the shop calls its button."""
    piece = pieces[index]
    words = piece.folded.lstrip(" +\u00a0›»")
    if _buys(words):
        return True
    following = pieces[index + 1] if index + 1 < len(pieces) else None
    if (
        following is not None
        and following.frame.is_clickable
        and len(words) < 16
        and _BUY.match(f"{words} {following.folded}")
    ):
        return True
    return (
        any(map(_is_buy_button, piece.frame.labels(2)))
        and not _NO_BUYING.search(words)
        and _OUT.search(words) is None
    )


def _classed(pieces: list[Piece], title: int, found: dict[str, tuple[str, str]]) -> None:
    """Brand and SKU by what the shop calls their elements, where no label word told them."""
    for piece in pieces[max(0, title - 8) : title + _NEAR]:
        name = _field_of_class(piece.frame.label)
        if name is None or name in found or piece.is_title or len(piece.text) > 40:
            continue
        kept = None if _LABEL.fullmatch(piece.folded) else _read_value(name, piece.text, True)
        if kept and not (name == "brand" and (_DIGITS.search(kept) or _NO_BRAND.search(piece.folded))):
            found[name] = (kept, piece.frame.label.strip()[:60])


@lru_cache(maxsize=8192)
def _field_of_class(label: str) -> str | None:
    if not _CLASSED.search(label):
        return None
    return "sku" if _CLASSED_SKU.search(label) else "brand"


@lru_cache(maxsize=8192)
def _label_of(words: str) -> re.Match[str] | None:
    return _LABEL.match(words)


@lru_cache(maxsize=8192)
def _buys(words: str) -> bool:
    return _BUY.match(words) is not None


def _labelled(pieces: list[Piece], title: int) -> dict[str, tuple[str, str]]:
    """Values beside label words: {field: (value, the label's text)}; the nearest to the title wins."""
    found: dict[str, tuple[str, str]] = {}
    for index in range(max(0, title - 25), len(pieces)):
        piece = pieces[index]
        words = piece.text
        if len(words) > 110 or (piece.is_title and ":" not in words):
            continue
        match = _label_of(piece.folded)
        if match is None or len(piece.folded) != len(words):
            continue
        label, rest = match["label"], words[match.start("value") :].strip()
        end = match.end("label")
        follows = piece.folded[end : end + 1]
        if follows.isalnum():
            continue
        name = _FIELD_OF[label]
        if name in found:
            continue
        has_sign = any(sign in words[end : match.start("value")] for sign in ":：#№=")
        value = rest
        if not rest:
            following = pieces[index + 1] if index + 1 < len(pieces) else None
            if following is not None and following.folded in {":", "-", "–"} and index + 2 < len(pieces):
                following = pieces[index + 2]
            value = following.text.lstrip(": ") if following is not None else ""
        elif not has_sign and name == "brand":
            continue
        kept = _read_value(name, value, has_sign or not rest)
        if kept:
            found[name] = (kept, words[:60])
    _classed(pieces, title, found)
    return found


def _read_value(name: str, value: str, is_sure: bool) -> str | None:
    value = value.strip(" :\u00a0")
    if name == "brand":
        kept = value.strip(" .,-|")
        return (
            kept
            if 1 < len(kept) <= 50 and not kept.isdigit() and kept[-1] not in ":?" and kept.count(" ") <= 5
            else None
        )
    if name == "gtin":
        digits = re.sub(r"[\s-]", "", value.split(",")[0].split("/")[0])
        return (
            digits if digits.isascii() and digits.isdigit() and len(digits) in (8, 10, 12, 13, 14) else None
        )
    match = _CODE.match(value)
    if match is None:
        return None
    code = (
        value
        if len(value) <= 40 and value.count(" ") <= 3 and any(c.isdigit() for c in value.split()[-1])
        else match[1]
    )
    code = code.strip("#. )]}〉》】」")
    if not any(character.isdigit() for character in code) or (not is_sure and len(code) < 4):
        return None
    return code
