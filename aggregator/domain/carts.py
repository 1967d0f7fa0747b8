"""Baskets to be planned and the plans made for them. Ids are opaque, amounts are in major units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from aggregator.domain.errors import BasketError
from aggregator.domain.money import currency_exponent
from aggregator.domain.shipping import ShippingRule

MAX_LINES = 500
MAX_STORES = 1_000
MAX_OFFERS = 200_000
MAX_QUANTITY = 1_000_000
MAX_PACK_SIZE = 10_000
MAX_COUPONS = 20  # of one store
MAX_AMOUNT = Decimal(10) ** 12
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class BasketLine:
    """One product the shopper wants, and how many of it."""

    id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Coupon:
    """A discount on the goods of one order that the shopper has: `percent` of them or an `amount`, one of the two.

    It can be used where the goods are worth `min_subtotal` before it. The discount is rounded down.
    """

    id: str
    percent: Decimal | None = None
    amount: Decimal | None = None
    min_subtotal: Decimal = NOTHING

    def discount(self, subtotal: Decimal, currency: str) -> Decimal:
        """What it takes off goods of that subtotal; 0 where it cannot be used."""
        if subtotal < self.min_subtotal:
            return NOTHING
        if self.percent is None:
            return min(self.amount or NOTHING, subtotal)
        unit = Decimal(1).scaleb(-currency_exponent(currency))
        return (subtotal * self.percent / 100).quantize(unit, ROUND_DOWN)


@dataclass(frozen=True, slots=True)
class BasketStore:
    """A store that may be bought from; `shipping` None is unknown.

    One of the `coupons` may be used with an order; shipping tiers and the minimum order see what is left of the
    goods after it. `estimated`: the shipping is a guess or converted. `excluded`: the shopper wants none of it.
    """

    id: str
    shipping: ShippingRule | None
    coupons: tuple[Coupon, ...] = ()
    estimated: bool = False
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class BasketOffer:
    """One way to buy a line: a store's price of a pack and how many packs it has (None: as many as wanted).

    A pack holds `pack_size` units of the line. `unit_shipping` (each pack: per item, or by weight) and
    `line_shipping` (once, however many) are added to what the store's tiers cost, where the store's shipping is
    known. `deposit` (each pack) is paid but is no part of the subtotal. `estimated`: an amount is converted.
    `pinned`: the line is bought of its pinned offers alone. `excluded`: the shopper does not want it.
    """

    id: str
    line: str
    store: str
    price: Decimal
    stock: int | None = None
    pack_size: int = 1
    unit_shipping: Decimal = NOTHING
    line_shipping: Decimal = NOTHING
    deposit: Decimal = NOTHING
    estimated: bool = False
    pinned: bool = False
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Basket:
    """What is wanted and what is offered. The order of `offers` decides between plans equal in all else.

    `assumed_shipping` ranks the stores whose shipping is unknown; without it such stores are avoided.
    `parcel_value` is what one store less is worth to the shopper: it ranks plans and is in no total.
    Raises BasketError where ids repeat, are unknown, or a number is out of range.
    """

    currency: str
    lines: tuple[BasketLine, ...]
    stores: tuple[BasketStore, ...]
    offers: tuple[BasketOffer, ...]
    max_stores: int | None = None
    assumed_shipping: Decimal | None = None
    parcel_value: Decimal = NOTHING

    def __post_init__(self) -> None:
        currency_exponent(self.currency)
        lines = _distinct("lines", (line.id for line in self.lines), MAX_LINES)
        stores = _distinct("stores", (store.id for store in self.stores), MAX_STORES)
        _distinct("offers", (offer.id for offer in self.offers), MAX_OFFERS)
        for at, line in enumerate(self.lines):
            if not 1 <= line.quantity <= MAX_QUANTITY:
                raise BasketError(f"{line.quantity} cannot be bought", place=f"$.lines[{at}].quantity")
        for at, offer in enumerate(self.offers):
            if offer.line not in lines:
                raise BasketError(f"no line {offer.line!r}", place=f"$.offers[{at}].line")
            if offer.store not in stores:
                raise BasketError(f"no store {offer.store!r}", place=f"$.offers[{at}].store")
            for name in ("price", "unit_shipping", "line_shipping", "deposit"):
                _check_amount(getattr(offer, name), f"$.offers[{at}].{name}", "a price")
            if offer.stock is not None and offer.stock < 0:
                raise BasketError(f"{offer.stock} is no stock", place=f"$.offers[{at}].stock")
            if not 1 <= offer.pack_size <= MAX_PACK_SIZE:
                raise BasketError(f"{offer.pack_size} is no pack", place=f"$.offers[{at}].pack_size")
        for at, store in enumerate(self.stores):
            _check_coupons(store.coupons, f"$.stores[{at}].coupons")
        if self.max_stores is not None and self.max_stores < 1:
            raise BasketError(f"{self.max_stores} stores sell nothing", place="$.max_stores")
        if self.assumed_shipping is not None:
            _check_amount(self.assumed_shipping, "$.assumed_shipping", "an amount")
        _check_amount(self.parcel_value, "$.parcel_value", "an amount")


def _check_amount(amount: Decimal, place: str, what: str) -> None:
    if not amount.is_finite() or not 0 <= amount < MAX_AMOUNT:
        raise BasketError(f"{amount} is not {what}", place=place)


def _check_coupons(coupons: tuple[Coupon, ...], place: str) -> None:
    if len(coupons) > MAX_COUPONS:
        raise BasketError(f"{len(coupons)} coupons, at most {MAX_COUPONS} can be planned", place=place)
    for at, coupon in enumerate(coupons):
        _check_amount(coupon.min_subtotal, f"{place}[{at}].min_subtotal", "an amount")
        if (coupon.percent is None) == (coupon.amount is None):
            raise BasketError("a coupon is a percentage or an amount", place=f"{place}[{at}]")
        if coupon.amount is not None:
            _check_amount(coupon.amount, f"{place}[{at}].amount", "an amount")
        if coupon.percent is not None and not (
            0 <= coupon.percent <= 100 and coupon.percent * 100 == int(coupon.percent * 100)
        ):
            raise BasketError(
                f"{coupon.percent} is no percentage with at most 2 decimals", place=f"{place}[{at}].percent"
            )


def _distinct(what: str, ids: Iterable[str], limit: int) -> set[str]:
    seen: set[str] = set()
    for at, identifier in enumerate(ids):
        if identifier in seen:
            raise BasketError(f"the id {identifier!r} is there twice", place=f"$.{what}[{at}].id")
        seen.add(identifier)
    if len(seen) > limit:
        raise BasketError(f"{len(seen)} {what}, at most {limit} can be planned", place=f"$.{what}")
    return seen


class PlanStatus(StrEnum):
    """How sure a plan is: proven best, merely possible, or proven that nothing can be bought."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"


class MissingReason(StrEnum):
    """Why units of a line are not bought."""

    NOT_OFFERED = "not_offered"
    STOCK = "stock"
    MIN_ORDER = "min_order"
    MAX_STORES = "max_stores"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Allocation:
    """So many packs of one offer for a line; a pack holds one unit where nothing else is said."""

    line: str
    offer: str
    store: str
    quantity: int
    pack_size: int = 1

    @property
    def units(self) -> int:
        """What the line gets by it."""
        return self.quantity * self.pack_size


@dataclass(frozen=True, slots=True)
class StoreShare:
    """What one store gets; `shipping` None is unknown.

    `subtotal` is the goods before the `discount` that the `coupon` (its id) takes off; `deposit` is paid besides.
    """

    store: str
    subtotal: Decimal
    shipping: Decimal | None
    discount: Decimal = NOTHING
    coupon: str | None = None
    deposit: Decimal = NOTHING

    @property
    def total(self) -> Decimal:
        """What is paid there, as far as it is known."""
        return self.subtotal - self.discount + self.deposit + (self.shipping or NOTHING)


@dataclass(frozen=True, slots=True)
class MissingLine:
    """Units of a line that the plan does not buy."""

    line: str
    quantity: int
    reason: MissingReason


@dataclass(frozen=True, slots=True)
class SurplusLine:
    """Units of a line beyond what is wanted, bought because packs do not fit or a larger pack is cheaper."""

    line: str
    quantity: int


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """The best that at most `max_stores` stores can do; `proven` False where time ran out before."""

    max_stores: int
    units: int
    total: Decimal
    complete: bool
    proven: bool


@dataclass(frozen=True, slots=True)
class SingleStore:
    """The one store that buys all the plan buys at the lowest total."""

    store: str
    total: Decimal
    complete: bool


@dataclass(frozen=True, slots=True)
class CheapestPerLine:
    """Each line where it is cheapest by itself, shipping added afterwards."""

    total: Decimal
    complete: bool


@dataclass(frozen=True, slots=True)
class CheapestKnownParts:
    """The best plan if unknown shipping cost nothing, and how many stores it knows no shipping of."""

    total: Decimal
    unknown_stores: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A split of a basket over stores. `total` adds the known parts only.

    `bound` is a proven lower bound of `total` among plans with the same units and unknown stores (and, where
    the basket has a `parcel_value`, no more stores). `complete`: no unit is missing and no shipping is unknown.
    `estimated`: an amount in the total is converted or a guess.
    """

    currency: str
    status: PlanStatus
    total: Decimal
    bound: Decimal | None
    complete: bool
    allocations: tuple[Allocation, ...]
    stores: tuple[StoreShare, ...]
    missing: tuple[MissingLine, ...]
    frontier: tuple[FrontierPoint, ...]
    single_store: SingleStore | None
    cheapest_per_line: CheapestPerLine
    cheapest_known_parts: CheapestKnownParts
    surplus: tuple[SurplusLine, ...] = ()
    estimated: bool = False

    @property
    def units(self) -> int:
        """Wanted units bought, of all lines together."""
        bought = sum(allocation.units for allocation in self.allocations)
        return bought - sum(line.quantity for line in self.surplus)

    @property
    def unknown_stores(self) -> int:
        """Stores of the plan whose shipping is unknown."""
        return sum(share.shipping is None for share in self.stores)
