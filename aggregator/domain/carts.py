"""Baskets to be planned and the plans made for them. Ids are opaque, amounts are in major units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from aggregator.domain.errors import BasketError
from aggregator.domain.money import currency_exponent
from aggregator.domain.shipping import ShippingRule

MAX_LINES = 500
MAX_STORES = 1_000
MAX_OFFERS = 200_000
MAX_QUANTITY = 1_000_000
MAX_AMOUNT = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class BasketLine:
    """One product the shopper wants, and how many of it."""

    id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class BasketStore:
    """A store that may be bought from; `shipping` None is unknown."""

    id: str
    shipping: ShippingRule | None


@dataclass(frozen=True, slots=True)
class BasketOffer:
    """One way to buy a line: a store's price per unit and how many it has (None: as many as wanted)."""

    id: str
    line: str
    store: str
    price: Decimal
    stock: int | None = None


@dataclass(frozen=True, slots=True)
class Basket:
    """What is wanted and what is offered. The order of `offers` decides between plans equal in all else.

    `assumed_shipping` ranks the stores whose shipping is unknown; without it such stores are avoided.
    Raises BasketError where ids repeat, are unknown, or a number is out of range.
    """

    currency: str
    lines: tuple[BasketLine, ...]
    stores: tuple[BasketStore, ...]
    offers: tuple[BasketOffer, ...]
    max_stores: int | None = None
    assumed_shipping: Decimal | None = None

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
            if not offer.price.is_finite() or not 0 <= offer.price < MAX_AMOUNT:
                raise BasketError(f"{offer.price} is not a price", place=f"$.offers[{at}].price")
            if offer.stock is not None and offer.stock < 0:
                raise BasketError(f"{offer.stock} is no stock", place=f"$.offers[{at}].stock")
        if self.max_stores is not None and self.max_stores < 1:
            raise BasketError(f"{self.max_stores} stores sell nothing", place="$.max_stores")
        if self.assumed_shipping is not None and not 0 <= self.assumed_shipping < MAX_AMOUNT:
            raise BasketError(f"{self.assumed_shipping} is not an amount", place="$.assumed_shipping")


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
    """So many units of a line from one offer."""

    line: str
    offer: str
    store: str
    quantity: int


@dataclass(frozen=True, slots=True)
class StoreShare:
    """What one store gets; `shipping` None is unknown."""

    store: str
    subtotal: Decimal
    shipping: Decimal | None


@dataclass(frozen=True, slots=True)
class MissingLine:
    """Units of a line that the plan does not buy."""

    line: str
    quantity: int
    reason: MissingReason


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

    `bound` is a proven lower bound of `total` among plans with the same units and unknown stores.
    `complete`: no unit is missing and no shipping is unknown.
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

    @property
    def units(self) -> int:
        """Units bought, of all lines together."""
        return sum(allocation.quantity for allocation in self.allocations)

    @property
    def unknown_stores(self) -> int:
        """Stores of the plan whose shipping is unknown."""
        return sum(share.shipping is None for share in self.stores)
