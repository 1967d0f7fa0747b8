"""The prices that a visitor sees near the title: which of them is asked, which was asked before."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from spiders.pages.amounts import Amount, currency_of, find_amounts, mark_alone
from spiders.pages.walk import Piece
from spiders.pages.words import pattern_of

_PRICE = re.compile(
    r"price|preis|\bprix|\bpris\b|precio|prezzo|preco|preço|cena|cijena|\bprc\b|\bpr_|_pr\b|amount|cost\b|prijs|hinta|kaina"
)
_FORMER = re.compile(
    r"old|was\b|was-|list-?price|strike|crossed|rrp|msrp|uvp|regular-?price|before|previous|original|compare-?at|full-?price|"
    r"retail|normal-?price|price-?normal|reg-?price|standard-?price|discounted-?from|line-?through|barred|barr[ée]|antes|base-?price"
)
_CURRENT = re.compile(
    r"new|current|sale|special|final|now\b|offer|actual|promo|selling|main-?price|our-?price|sell|today|your-?price"
)
_NOT_A_PRICE = re.compile(
    r"ship|deliver|versand|liefer|saving|you-?save|discount-?(?:amount|value)|per-?unit|unit-?(?:price|cost)|base-?unit|grundpreis|"
    r"month|installment|instalment|finance|credit|klarna|afterpay|clearpay|loan|points|bonus|reward|cashback|coupon|voucher|"
    r"tax-?(?:live|price)|price-?tax|notax|ex-?vat|excl|netto|without-?tax|\bvat\b|option|swatch|quantity|qty|tier|member|loyalty|club|"
    r"breadcrumb|review|rating|stars|count\b|countdown|timer|phone|filter|deposit|sku|code\b"
)
_FORMER_WORDS = re.compile(rf"\b(?:{pattern_of('former_price')})|{pattern_of('former_price_unspaced')}")
_OTHER_WORDS = re.compile(pattern_of("other_amount"))
_PER_UNIT = re.compile(
    r"(?:/|\W*(?:per|pro|za|por|par|je)\b)\s*\d{0,4}\s?(?:kg|l|g|ml|m²|m2|oz|lb)\b|"
    r"\W*(?:per |pro |/)?\s*(?:mo\b|month|mes\b|monat|mesač|měs|mies|luni\b|lună)"
)
_DIGIT = re.compile(r"\d")
_BEFORE_TITLE = 40
_RANGE = re.compile(r"\s*(?:-|–|—|~|to|bis|до|a|à|until)\s*")
_ANY_WORD = re.compile(r"[^\W\d_]|[%/=]")
_CENTS = re.compile(r"cent|decimal|fraction|penny|sup\b|kop|small|haler|grosz|minor|after")
_NET_AFTER = re.compile(rf"\W*(?:{pattern_of('net_after')})")
_MARK_FIRST = re.compile(r"[€$£¥元円원]")
_FROM = re.compile(rf"^\W*(?:{pattern_of('price_from')})\b")


@dataclass(slots=True)
class ShownPrice:
    """A price as shown: its amount, what its mark says of the currency, and why it may be the one asked."""

    amount: Amount
    value: Decimal
    currency: str | None
    score: float
    distance: int
    is_former: bool
    is_from: bool
    is_struck: bool
    is_other: bool
    where: str
    words: str


def shown_prices(
    pieces: list[Piece],
    title: int,
    *,
    country: str | None,
    currency: str | None,
    known: Collection[Decimal] = (),
) -> list[ShownPrice]:
    """All amounts near the title that can be prices, the likeliest first. `known` are what markup says."""
    found: list[ShownPrice] = []
    skip = -1
    for index, piece in enumerate(pieces):
        if index <= skip or index < title - _BEFORE_TITLE:
            continue
        if len(piece.text) > 120 or not _DIGIT.search(piece.text):
            continue
        words, amounts, last = _joined(pieces, index)
        skip = last
        amounts, is_range = _without_end_of_range(words, amounts)
        for amount in amounts:
            shown = _judge(pieces, index, last, amount, words, title, country, currency, known)
            if shown is not None:
                shown.is_from = shown.is_from or is_range
                found.append(shown)
    _prefer_reduced(found, pieces, title)
    found.sort(key=lambda price: -price.score)
    return found


def _without_end_of_range(words: str, amounts: tuple[Amount, ...]) -> tuple[tuple[Amount, ...], bool]:
    """Of "10 - 20 €" the first amount, with the mark of either; and whether it was such a range."""
    if len(amounts) != 2:
        return amounts, False
    low, high = amounts
    if not _RANGE.fullmatch(words[low.end : high.start]):
        return amounts, False
    return (Amount(low.number, low.mark or high.mark, low.start, low.end),), True


def _prefer_reduced(found: list[ShownPrice], pieces: list[Piece], title: int) -> None:
    """Of two equal prices side by side that nothing tells apart, the lower is asked and the other one was.

    Between the ends of a range stands a dash: then the lower is a "from" price.
    """
    for first, second in pairwise(found):
        if (
            abs(first.distance - second.distance) <= 2
            and not first.is_former
            and not second.is_former
            and first.amount.mark
            and first.amount.mark == second.amount.mark
            and abs(first.score - second.score) < 1.2
        ):
            lower, higher = sorted((first, second), key=lambda price: price.value)
            if abs(first.distance - second.distance) == 2 and _RANGE.fullmatch(
                pieces[title + min(first.distance, second.distance) + 1].folded
            ):
                lower.is_from = True
                higher.score -= 3.0
            elif Decimal("0.2") * higher.value < lower.value < higher.value:
                lower.score = max(lower.score, higher.score)
                higher.score -= 1.5
                higher.is_former = True


def _joined(pieces: list[Piece], index: int) -> tuple[str, tuple[Amount, ...], int]:
    """The text of a price that the page cut in pieces: "63" <sup>"07"</sup> "lei" is "63.07 lei"."""
    words = pieces[index].folded
    last = index
    if len(words) > 24:
        return words, find_amounts(words), last
    if words[-1].isdigit() or words[-1] in ".,":
        following = _piece_at(pieces, last + 1)
        if following is not None and _is_cents(following, words):
            point = "" if words[-1] in ".," or following.folded[0] in ".," else "."
            words = f"{words}{point}{following.folded}"
            last += 1
        elif following is not None and following.folded in {".", ","}:
            cents = _piece_at(pieces, last + 2)
            if cents is not None and _is_cents(cents, words):
                words = f"{words}.{cents.folded}"
                last += 2
    amounts = find_amounts(words)
    if not any(amount.mark for amount in amounts):
        marked, last = _with_mark_beside(pieces, index, last, words)
        if marked != words:
            return marked, find_amounts(marked), last
    return words, amounts, last


def _with_mark_beside(pieces: list[Piece], index: int, last: int, words: str) -> tuple[str, int]:
    """The text with the currency's mark that stands in a piece of its own after or before it."""
    for offset in (1, 2):
        following = _piece_at(pieces, last + offset)
        if following is None:
            break
        if mark_alone(following.folded.rstrip("~")):
            return f"{words} {following.folded.rstrip('~')}", last + offset
        if len(following.folded) > 2:
            break
    following = _piece_at(pieces, last + 1)
    if following is not None and len(words) < 14 and (glued := _MARK_FIRST.match(following.folded)):
        return f"{words} {glued[0]}", last
    before = pieces[index - 1].folded if index else ""
    mark = mark_alone(before) or (before[-1:] if before[-1:] in {"$", "€", "£", "¥"} else None)
    return (f"{mark} {words}" if mark else words), last


def _piece_at(pieces: list[Piece], index: int) -> Piece | None:
    return pieces[index] if index < len(pieces) else None


def _is_cents(piece: Piece, words: str) -> bool:
    digits = piece.folded.lstrip(".,")
    if not (digits.isdigit() and len(digits) in (2, 3) and len(digits) == 2):
        # "07 lei" carries its mark along.
        if not (len(digits) < 9 and digits[:2].isdigit() and digits[2:3] != "" and not digits[2].isdigit()):
            return False
        if mark_alone(digits[2:]) is None:
            return False
    if piece.frame.tag in {"sup", "small", "sub", "decimal"} or piece.folded[0] in ".," or words[-1] in ".,":
        return True
    return bool(_CENTS.search(piece.frame.label))


@lru_cache(maxsize=8192)
def _nature(label: str) -> tuple[bool, bool, bool, bool]:
    """(a price, one asked now, one asked before, another amount than a price) by an element's label."""
    return (
        bool(_PRICE.search(label)),
        bool(_CURRENT.search(label)),
        bool(_FORMER.search(label)),
        bool(_NOT_A_PRICE.search(label)),
    )


@lru_cache(maxsize=4096)
def _speaks_of(words: str) -> tuple[bool, bool]:
    """(a price asked before, another amount than the price), by the words beside an amount."""
    if not _ANY_WORD.search(words):
        return False, False
    return bool(_FORMER_WORDS.search(words)), bool(_OTHER_WORDS.search(words))


def _judge(
    pieces: list[Piece], index: int, last: int, amount: Amount, words: str, title: int,
    country: str | None, currency: str | None, known: Collection[Decimal],
) -> ShownPrice | None:  # fmt: skip
    piece = pieces[index]
    if piece.is_title and amount.mark is None:
        # A number in the title is a model's, unless a currency stands with it.
        return None
    named = currency_of(amount.mark, country)
    value = amount.value(named or currency)
    if value <= 0:
        return None
    natures = [_nature(label) for label in piece.frame.labels(4)]
    is_classed, is_current = any(nature[0] for nature in natures), any(nature[1] for nature in natures)
    is_classed_former, is_other = (
        any(nature[2] for nature in natures[:2]),
        any(nature[3] for nature in natures[:3]),
    )
    before = pieces[index - 1].folded[-60:] if index and len(pieces[index - 1].folded) < 60 else ""
    if (_DIGIT.search(before) and find_amounts(before)) or (
        index > 1
        and not before.endswith(":")
        and _NET_AFTER.match(before)
        and _DIGIT.search(pieces[index - 2].text)
    ):
        # The words there belong to another price.
        before = ""
    near = words if len(words) < 90 else words[max(0, amount.start - 40) : amount.end + 25]
    if (
        amount.mark is None
        and not is_classed
        and value not in known
        and not _PRICE.search(f"{before} {near}")
    ):
        return None
    if words[amount.end : amount.end + 2].lstrip().startswith("%"):
        return None
    score = 0.0
    if piece.is_title:
        score -= 0.5
    score += 2.0 if amount.mark else 0.0
    score += 2.0 if is_classed else 0.0
    score += 0.7 if is_current else 0.0
    score += 1.0 if " price" in piece.frame.label else 0.0
    is_former = (
        piece.frame.is_struck
        or _speaks_of(before[-30:])[0]
        or _speaks_of(near[: amount.start] if near is words else near)[0]
    )
    if not is_former and is_classed_former:
        is_former = True
        score -= 1.5
    elif is_former:
        score -= 4.0
    rest = near.replace(words[amount.start : amount.end], " ") if len(near) < 90 else near
    speaks_of_other = _speaks_of(rest)[1]
    if speaks_of_other:
        score -= 4.0
    if _speaks_of(before.replace("%", " "))[1]:
        score -= 2.5
    following = pieces[last + 1].folded if last + 1 < len(pieces) else ""
    if len(following) < 25 and _PER_UNIT.match(following):
        speaks_of_other = True
        score -= 4.0
    is_own_remark = len(following) < 40 and not following.endswith(":") and not _DIGIT.search(following)
    if is_own_remark and _NET_AFTER.match(following):
        score -= 2.5
    if is_other:
        score -= 3.0
    if len(words) > 45:
        score -= 1.5
    if piece.frame.is_link:
        score -= 1.0
    distance = index - title
    score -= (distance / 30 if distance >= 0 else 0.8 - distance / 20) if distance < 160 else 4.0
    return ShownPrice(
        amount, value, named, score, distance, is_former, bool(_FROM.match(words[: amount.start] or before[-20:])),
        piece.frame.is_struck or is_classed_former, speaks_of_other,
        piece.frame.label.strip()[:80], words[:80],
    )  # fmt: skip
