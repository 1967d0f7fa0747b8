"""Why a plan buys where it does, and why offers are left out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aggregator.domain.money import Money


class LeftOut(StrEnum):
    """Why an offer cannot be used for a cart, or the shopper does not want it."""

    MEMBER = "member"
    FROM_PRICE = "from_price"
    CURRENCY = "currency"
    CONDITION = "condition"
    STORE = "store"
    OFFER = "offer"
    LATE = "late"
    DELIVERY_UNKNOWN = "delivery_unknown"


class Why(StrEnum):
    """Why a line is bought of an offer."""

    ONLY = "only"  # no other store has it
    CHEAPEST = "cheapest"  # none asks less
    PINNED = "pinned"  # the shopper chose it
    STOCK = "stock"  # a cheaper store has too few
    MIN_ORDER = "min_order"  # a cheaper store would not accept its order
    MAX_STORES = "max_stores"  # a cheaper store would be one too many
    WHOLE_CART = "whole_cart"  # elsewhere it costs less, and the whole cart more
    PARCELS = "parcels"  # elsewhere the cart would cost less, by less than the shopper gives a parcel less
    UNPROVEN = "unproven"  # elsewhere the cart would cost less: time ran out before the plan was that good


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReason:
    """Why part of a line is bought of its offer. `store` names the cheaper one that it is compared with.

    `less` is what the same pieces cost less there, price and what comes on top of each; `more` is what the whole cart
    would cost more with them there (0 or less: it would not), and `is_assumed` where that counts unknown shipping.
    """

    why: Why
    store: str | None = None
    less: Money | None = None
    more: Money | None = None
    is_assumed: bool = False
    stock: int | None = None
    min_order: Money | None = None
