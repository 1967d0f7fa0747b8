"""The words offers are described with: schema.org's and Google Merchant's."""

from __future__ import annotations

import re
from enum import StrEnum


class Availability(StrEnum):
    """schema.org ItemAvailability, short names."""

    IN_STOCK = "InStock"
    LIMITED = "LimitedAvailability"
    IN_STORE_ONLY = "InStoreOnly"
    ONLINE_ONLY = "OnlineOnly"
    MADE_TO_ORDER = "MadeToOrder"
    PRE_ORDER = "PreOrder"
    PRE_SALE = "PreSale"
    BACK_ORDER = "BackOrder"
    RESERVED = "Reserved"
    OUT_OF_STOCK = "OutOfStock"
    SOLD_OUT = "SoldOut"
    DISCONTINUED = "Discontinued"

    @property
    def can_be_bought(self) -> bool:
        """Whether a shopper can order it now, even if it comes later."""
        return self not in _NOT_FOR_SALE


_NOT_FOR_SALE = {
    Availability.OUT_OF_STOCK,
    Availability.SOLD_OUT,
    Availability.DISCONTINUED,
    Availability.RESERVED,
    Availability.IN_STORE_ONLY,
}


class ItemCondition(StrEnum):
    """schema.org OfferItemCondition, short names."""

    NEW = "NewCondition"
    REFURBISHED = "RefurbishedCondition"
    USED = "UsedCondition"
    DAMAGED = "DamagedCondition"


class PriceKind(StrEnum):
    """What kind of price is asked now."""

    REGULAR = "regular"
    SALE = "sale"
    MEMBER = "member"
    FROM = "from"


class TaxBasis(StrEnum):
    """Whether a store's prices include value added or sales tax."""

    INCLUDED = "included"
    EXCLUDED = "excluded"
    UNKNOWN = "unknown"


_AVAILABILITY_WORDS = {
    **{member.value.lower(): member for member in Availability},
    "instock": Availability.IN_STOCK,
    "available": Availability.IN_STOCK,
    "yes": Availability.IN_STOCK,
    "true": Availability.IN_STOCK,
    "limited": Availability.LIMITED,
    "preorder": Availability.PRE_ORDER,
    "backorder": Availability.BACK_ORDER,
    "onbackorder": Availability.BACK_ORDER,
    "outofstock": Availability.OUT_OF_STOCK,
    "outstock": Availability.OUT_OF_STOCK,
    "unavailable": Availability.OUT_OF_STOCK,
    "notavailable": Availability.OUT_OF_STOCK,
    "no": Availability.OUT_OF_STOCK,
    "false": Availability.OUT_OF_STOCK,
    "oos": Availability.OUT_OF_STOCK,
}
_CONDITION_WORDS = {
    **{member.value.lower(): member for member in ItemCondition},
    "new": ItemCondition.NEW,
    "refurbished": ItemCondition.REFURBISHED,
    "renewed": ItemCondition.REFURBISHED,
    "used": ItemCondition.USED,
    "damaged": ItemCondition.DAMAGED,
}


def _word(text: str) -> str:
    """The comparable core of a vocabulary term: no IRI, spaces, dashes or case."""
    tail = re.split(r"[/#]", text.strip())[-1]
    return re.sub(r"[\s_\-.:]+", "", tail).lower()


def read_availability(value: str | bool | None) -> Availability | None:
    """From an IRI ("https://schema.org/InStock"), a feed's word ("in stock") or a flag; None if unknown."""
    if isinstance(value, bool):
        return Availability.IN_STOCK if value else Availability.OUT_OF_STOCK
    return _AVAILABILITY_WORDS.get(_word(value)) if value else None


def read_condition(value: str | None) -> ItemCondition | None:
    """From an IRI or a feed's word; None if unknown."""
    return _CONDITION_WORDS.get(_word(value)) if value else None
