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
        if index <= skip:
            continue
        if not any(character.isdigit() for character in piece.text) or len(piece.text) > 120:
            continue
        words, last = _joined(pieces, index)
        skip = last
        for amount in find_amounts(words):
            shown = _judge(pieces, index, last, amount, words, title, country, currency, known)
            if shown is not None:
                found.append(shown)
    _prefer_reduced(found)
    found.sort(key=lambda price: -price.score)
    return found


def _prefer_reduced(found: list[ShownPrice]) -> None:
    """Of two equal prices side by side that nothing tells apart, the lower is asked and the other one was."""
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
            if Decimal("0.2") * higher.value < lower.value < higher.value:
                lower.score = max(lower.score, higher.score)
                higher.score -= 1.5
                higher.is_former = True


def _joined(pieces: list[Piece], index: int) -> tuple[str, int]:
    """The text of a price that the page cut in pieces: "63" <sup>"07"</sup> "lei" is "63.07 lei"."""
    words = pieces[index].folded
    last = index
    if len(words) > 24:
        return words, last
    if words[-1:].isdigit() or words[-1:] in ".,":
        following = pieces[last + 1] if last + 1 < len(pieces) else None
        if following is not None and _is_cents(following, words):
            words = (
                words + ("" if words[-1] in ".," or following.folded[0] in ".," else ".") + following.folded
            )
            last += 1
        elif (
            following is not None
            and following.folded in {".", ","}
            and last + 2 < len(pieces)
            and _is_cents(pieces[last + 2], words)
        ):
            words = f"{words}.{pieces[last + 2].folded}"
            last += 2
    has_mark = any(amount.mark for amount in find_amounts(words))
    if not has_mark:
        for offset in (1, 2):
            following = pieces[last + offset] if last + offset < len(pieces) else None
            if following is not None and mark_alone(following.folded.rstrip("~")):
                return f"{words} {following.folded.rstrip('~')}", last + offset
            if following is None or len(following.folded) > 2:
                break
        following = pieces[last + 1] if last + 1 < len(pieces) else None
        if following is not None and len(words) < 14 and (glued := _MARK_FIRST.match(following.folded)):
            return f"{words} {glued[0]}", last
        before = pieces[index - 1] if index else None
        if before is not None and (
            mark := mark_alone(before.folded) or (before.folded[-1:] in "$€£¥" and before.folded[-1])
        ):
            words = f"{mark} {words}"
    return words, last


def _is_cents(piece: Piece, words: str) -> bool:
    digits = piece.folded.lstrip(".,")
    if not (digits.isdigit() and len(digits) in (2, 3) and len(digits) == 2):
        # "07 lei" carries its mark along.
        if not (len(digits) < 9 and digits[:2].isdigit() and digits[2:3] != "" and not digits[2].isdigit()):
            return False
        if mark_alone(digits[2:]) is None:
            return False
    if piece.tag in {"sup", "small", "sub", "decimal"} or piece.folded[0] in ".," or words[-1] in ".,":
        return True
    return bool(
        re.search(
            r"cent|decimal|fraction|penny|sup\b|kop|small|haler|grosz|minor|after",
            piece.context.rpartition(">")[2],
        )
    )


@lru_cache(maxsize=4096)
def _nature(context: str) -> tuple[bool, bool, bool, bool]:
    """(a price, one asked now, one asked before, another amount than a price) by the elements around."""
    around = context.split(" > ")
    return (
        bool(_PRICE.search(context)),
        bool(_CURRENT.search(context)),
        bool(_FORMER.search(" > ".join(around[-2:]))),
        bool(_NOT_A_PRICE.search(" > ".join(around[-3:]))),
    )


def _judge(
    pieces: list[Piece], index: int, last: int, amount: Amount, words: str, title: int,
    country: str | None, currency: str | None, known: Collection[Decimal],
) -> ShownPrice | None:  # fmt: skip
    piece = pieces[index]
    named = currency_of(amount.mark, country)
    value = amount.value(named or currency)
    if value <= 0:
        return None
    is_classed, is_current, is_classed_former, is_other = _nature(piece.context)
    before = pieces[index - 1].folded[-60:] if index and len(pieces[index - 1].folded) < 60 else ""
    if any(character.isdigit() for character in before) and find_amounts(before):
        # The words there belong to a price of their own.
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
        # A number in the title is a model's, unless a currency stands with it.
        if amount.mark is None:
            return None
        score -= 0.5
    score += 2.0 if amount.mark else 0.0
    score += 2.0 if is_classed else 0.0
    score += 0.7 if is_current else 0.0
    score += 1.0 if "itemprop" in piece.context or " price" in piece.context.rpartition(">")[2] else 0.0
    is_former = (
        piece.is_struck
        or bool(_FORMER_WORDS.search(before[-30:]))
        or bool(_FORMER_WORDS.search(near[: max(0, amount.start)] if near is words else near))
    )
    if not is_former and is_classed_former:
        is_former = True
        score -= 1.5
    elif is_former:
        score -= 4.0
    rest = near.replace(words[amount.start : amount.end], " ") if len(near) < 90 else near
    if _OTHER_WORDS.search(rest):
        score -= 4.0
    if before and _OTHER_WORDS.search(before.replace("%", " ")):
        score -= 2.5
    following = pieces[last + 1].folded if last + 1 < len(pieces) else ""
    if len(following) < 25 and _PER_UNIT.match(following):
        score -= 4.0
    if is_other:
        score -= 3.0
    if len(words) > 45:
        score -= 1.5
    if piece.is_link:
        score -= 1.0
    distance = index - title
    score -= (distance / 30 if distance >= 0 else 0.8 - distance / 20) if distance < 160 else 4.0
    return ShownPrice(
        amount, value, named, score, distance, is_former, bool(_FROM.match(words[: amount.start] or before[-20:])),
        piece.is_struck or is_classed_former,
        piece.context.rpartition(" > ")[2][:80], words[:80],
    )  # fmt: skip
