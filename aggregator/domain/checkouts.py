"""A shopper's cart with its plan, and the hand-overs a checkout makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from aggregator.domain.carts import Plan
from aggregator.domain.money import Money
from aggregator.domain.products import ProductCard
from aggregator.domain.purchases import PartState
from aggregator.domain.stores import HandOff, HandOffLine

HandOffState = Literal["waiting", "opened", "bought", "given_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    """So many of one product; `id` is the line's public id."""

    id: str
    product: ProductCard
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """A shopper's cart."""

    id: str
    lines: tuple[CartLine, ...]
    max_stores: int | None

    @property
    def unit_count(self) -> int:
        """How many pieces lie in it."""
        return sum(line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLine:
    """Part of a cart line as it is bought at one store."""

    line_id: str
    product: ProductCard
    offer_id: str
    offer_title: str
    url: str
    price: Money
    quantity: int
    checked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStore:
    """One store's part of the plan; `shipping` is None where it is unknown, `free_from` where it ends."""

    store_id: str
    store_slug: str
    store_name: str
    lines: tuple[PlannedLine, ...]
    subtotal: Money
    shipping: Money | None
    free_from: Money | None
    handoff_kind: Literal["cart_link", "item_link", "product_link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CartPlan:
    """A cart and its proven plan, ready to show. `plan` holds the proof, the frontier and the rest."""

    cart: Cart
    plan: Plan
    currency: str
    stores: tuple[PlannedStore, ...]
    assumed_shipping: Decimal
    left_out: tuple[CartLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOffStep:
    """One store's step of a checkout."""

    id: str
    store_name: str
    store_url: str
    lines: tuple[HandOffLine, ...]
    subtotal: Money
    shipping: Money | None
    handoff: HandOff
    state: PartState
    opened_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """One hand-over of a planned cart, store by store."""

    id: str
    created_at: datetime
    steps: tuple[HandOffStep, ...]
    total: Money
    is_complete: bool
