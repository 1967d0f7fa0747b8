"""Two offers side by side: each fact that one of them states, and whether they agree on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flask_babel import gettext as _

from aggregator.domain.identifiers import compact_code, shown_gtin
from aggregator.domain.matches import ComparedOffer, PairReview
from aggregator.domain.vocabulary import ItemCondition
from web.presenters import condition, leaf

Agreement = Literal["same", "different", "one_sided"]


@dataclass(frozen=True, slots=True)
class PairFact:
    """One line of the comparison; an empty text means that the offer does not say."""

    name: str
    left: str
    right: str
    agreement: Agreement
    is_code: bool = False


def pair_facts(pair: PairReview) -> list[PairFact]:
    """What the two offers say, in the order in which people ask; what neither says is left out."""
    left, right = pair.left, pair.right
    facts = [
        _fact(_("Brand"), left.brand, right.brand),
        _fact("GTIN", _gtin(left), _gtin(right), is_code=True),
        _fact(_("Part number"), left.mpn, right.mpn, is_code=True),
        _fact("SKU", left.sku, right.sku, is_code=True),
        *_attributes(left, right),
        _fact(_("Pieces in a pack"), _pack(left), _pack(right)),
        _fact(_("Condition"), _condition(left), _condition(right)),
        _fact(_("Category"), _leaf(left), _leaf(right)),
    ]
    return [fact for fact in facts if fact.left or fact.right]


def price_gap(pair: PairReview) -> float | None:
    """How many times the cheaper one's price the dearer one asks, 1 or more; None in two currencies."""
    one, other = pair.left.price, pair.right.price
    if one.currency != other.currency or not min(one.amount, other.amount):
        return None
    low, high = sorted((one.amount, other.amount))
    return float(high / low)


def _fact(name: str, left: str | None, right: str | None, *, is_code: bool = False) -> PairFact:
    if not left or not right:
        agreement: Agreement = "one_sided"
    else:
        agreement = "same" if _key(left) == _key(right) else "different"
    return PairFact(name, left or "", right or "", agreement, is_code)


def _key(text: str) -> str:
    return compact_code(text) or text.casefold()


def _attributes(left: ComparedOffer, right: ComparedOffer) -> list[PairFact]:
    sides = [
        {name.casefold(): (name, value) for name, value in side.variant_attributes} for side in (left, right)
    ]
    names = {**sides[1], **sides[0]}
    return [
        _fact(name, sides[0].get(key, ("", ""))[1], sides[1].get(key, ("", ""))[1])
        for key, (name, _value) in names.items()
    ]


def _gtin(offer: ComparedOffer) -> str:
    return shown_gtin(offer.gtin) if offer.gtin else ""


def _pack(offer: ComparedOffer) -> str:
    return str(offer.pack_size) if offer.pack_size > 1 else ""


def _condition(offer: ComparedOffer) -> str:
    return "" if offer.item_condition is ItemCondition.NEW else condition(offer.item_condition)


def _leaf(offer: ComparedOffer) -> str:
    return leaf(offer.category) if offer.category else ""
