"""Prices for comparing packs of different sizes: a litre, a kilogram or a piece, where a title tells the content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from aggregator.domain.money import Money
from aggregator.domain.normalization.measures import read_pack_size
from aggregator.domain.product_attributes import content_of, read_attributes
from aggregator.domain.taxonomy import is_sold_by_content

# What is sold by the spoon reads better by a tenth of the unit.
_SMALL = Decimal("0.25")


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What one such unit costs."""

    price: Money
    unit: Literal["kg", "100 g", "l", "100 ml", "piece"]


def unit_price(
    price: Money, title: str, variant_attributes: Mapping[str, object], category: str | None
) -> UnitPrice | None:
    """The unit price of an offer with that title; None where it names neither content nor a number of pieces.

    Content counts only in categories whose things are used up: the litres of a fridge are not what is bought.
    """
    pieces = read_pack_size(title)
    is_used_up = is_sold_by_content(category)
    content = content_of(read_attributes(title, variant_attributes)) if is_used_up else None
    if content is None:
        return UnitPrice(_share(price, Decimal(pieces)), "piece") if pieces > 1 else None
    amount, unit = content
    if amount <= _SMALL:
        return UnitPrice(_share(price, amount * pieces * 10), "100 g" if unit == "kg" else "100 ml")
    return UnitPrice(_share(price, amount * pieces), "kg" if unit == "kg" else "l")


def _share(price: Money, by: Decimal) -> Money:
    return Money(price.amount / by, price.currency).rounded()
