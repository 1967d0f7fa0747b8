"""A shopper's cart with its plan, and the hand-overs a checkout makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from aggregator.domain.carts import Plan
from aggregator.domain.live_checks import LiveCheck
from aggregator.domain.money import Money
from aggregator.domain.plan_options import PlanOptions
from aggregator.domain.plan_reasons import LeftOut, LineReason
from aggregator.domain.products import ProductCard
from aggregator.domain.purchases import PartState
from aggregator.domain.stores import HandOff, HandOffLine
from aggregator.domain.vocabulary import ItemCondition, TaxBasis

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
    """Part of a cart line as it is bought at one store: `quantity` packs of `pack_size` pieces at `price` each.

    `original` is what the store asks, where it was converted or VAT added. `deposit` is for each pack.
    """

    line_id: str
    product: ProductCard
    offer_id: str
    offer_title: str
    url: str
    price: Money
    quantity: int
    checked_at: datetime
    pack_size: int = 1
    original: Money | None = None
    deposit: Money | None = None
    arrives_by: date | None = None
    condition: ItemCondition = ItemCondition.NEW
    is_member_price: bool = False
    is_pinned: bool = False
    reason: LineReason | None = None

    @property
    def units(self) -> int:
        """Pieces that the line gets by it."""
        return self.quantity * self.pack_size


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStore:
    """One store's part of the plan; `shipping` is None where it is unknown, `free_from` where it ends.

    `subtotal` is the goods before `discount`, which `coupon` (its code) takes off; `deposit` is paid besides.
    `shipping_source` and `shipping_as_of` tell who said it and when. `rates_of` is the day of the exchange rates
    where the store asks another currency.
    """

    store_id: str
    store_slug: str
    store_name: str
    lines: tuple[PlannedLine, ...]
    subtotal: Money
    shipping: Money | None
    free_from: Money | None
    handoff_kind: Literal["cart_link", "item_link", "product_link"]
    shipping_basis: Literal["known", "estimated", "unknown"] = "known"
    shipping_source: Literal["operator", "store", "offers"] | None = None
    shipping_as_of: datetime | None = None
    discount: Money | None = None
    coupon: str | None = None
    deposit: Money | None = None
    tax_basis: TaxBasis = TaxBasis.UNKNOWN
    rates_of: date | None = None

    @property
    def goods(self) -> Money:
        """What its goods cost after the coupon: what free shipping and the minimum order look at."""
        return self.subtotal if self.discount is None else self.subtotal - self.discount


@dataclass(frozen=True, slots=True)
class SellingStore:
    """A store that sells something of the cart; `has_member_prices` for members alone."""

    id: str
    slug: str
    name: str
    has_member_prices: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludedOffer:
    """An offer that the shopper does not want, so that it can be taken back."""

    id: str
    title: str
    store_name: str
    price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CartPlan:
    """A cart and its proven plan, ready to show. `plan` holds the proof, the frontier and the rest.

    Where there `is_more`, further stores sell something of it than can be weighed: the cheapest were.
    `left_out` are lines of which no store has a usable offer; `offers_left_out` counts by line's id why other offers
    are not used. `is_hurried`: another page of this cart is being planned, and this plan had only a moment.
    """

    cart: Cart
    plan: Plan
    currency: str
    stores: tuple[PlannedStore, ...]
    assumed_shipping: Decimal
    left_out: tuple[CartLine, ...] = ()
    country: str | None = None
    options: PlanOptions = field(default_factory=PlanOptions)
    offers_left_out: Mapping[str, Mapping[LeftOut, int]] = field(default_factory=dict)
    selling_stores: tuple[SellingStore, ...] = ()
    excluded_offers: tuple[ExcludedOffer, ...] = ()
    unpinned: tuple[CartLine, ...] = ()
    is_hurried: bool = False
    is_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOffStep:
    """One store's step of a checkout; `offer_ids` are its lines' offers, in their order.

    `subtotal` counts the `coupon`, which the shopper enters at the store; `is_shipping_estimated`: nobody said it.
    """

    id: str
    store_id: str
    store_name: str
    store_url: str
    lines: tuple[HandOffLine, ...]
    offer_ids: tuple[str, ...]
    subtotal: Money
    shipping: Money | None
    handoff: HandOff
    state: PartState
    opened_at: datetime | None
    settled_at: datetime | None
    coupon: str | None = None
    is_shipping_estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """One hand-over of a planned cart, store by store, with the latest look at its prices, if there was one."""

    id: str
    created_at: datetime
    steps: tuple[HandOffStep, ...]
    total: Money
    is_complete: bool
    check: LiveCheck | None
