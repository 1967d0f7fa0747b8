"""A plan added up from the basket itself, in Decimal, by the stores' own rules, and why units are missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from aggregator.domain.carts import (
    Allocation,
    Basket,
    BasketOffer,
    BasketStore,
    MissingLine,
    MissingReason,
    StoreShare,
    SurplusLine,
)
from aggregator.shopping.planning.building import usable_offers
from aggregator.shopping.planning.model import Problem, Quantities

_ANY_NUMBER = 10**9


@dataclass(frozen=True, slots=True)
class Sums:
    """What a plan buys and pays; `units` are those wanted."""

    total: Decimal
    units: int
    unknown: int
    complete: bool
    estimated: bool
    allocations: tuple[Allocation, ...]
    stores: tuple[StoreShare, ...]
    surplus: tuple[SurplusLine, ...]


def add_up(basket: Basket, quantities: Quantities) -> Sums:
    """The sums of a plan; AssertionError where a store would not accept its part."""
    at_store: dict[str, list[int]] = defaultdict(list)
    bought: dict[str, int] = defaultdict(int)
    allocations = []
    for place, quantity in sorted(quantities.items()):
        offer = basket.offers[place]
        at_store[offer.store].append(place)
        bought[offer.line] += quantity * offer.pack_size
        allocations.append(Allocation(offer.line, offer.id, offer.store, quantity, offer.pack_size))
    used = [store for store in basket.stores if store.id in at_store]
    shares = tuple(_share(basket, store, quantities, at_store[store.id]) for store in used)
    surplus = tuple(
        SurplusLine(line.id, bought[line.id] - line.quantity)
        for line in basket.lines
        if bought[line.id] > line.quantity
    )
    units = sum(bought.values()) - sum(line.quantity for line in surplus)
    unknown = sum(share.shipping is None for share in shares)
    return Sums(
        total=sum((share.total for share in shares), Decimal(0)),
        units=units,
        unknown=unknown,
        complete=not unknown and units == sum(line.quantity for line in basket.lines),
        estimated=any(store.estimated for store in used)
        or any(basket.offers[place].estimated for place in quantities),
        allocations=tuple(allocations),
        stores=shares,
        surplus=surplus,
    )


def store_share(
    store: BasketStore, bought: Sequence[tuple[BasketOffer, int]], currency: str
) -> StoreShare | None:
    """What the store gets, with the coupon that makes its order cheapest, or none where that is as cheap.

    `bought` are offers with their packs. None where the store takes no such order.
    """
    subtotal = sum((offer.price * quantity for offer, quantity in bought), Decimal(0))
    deposit = sum((offer.deposit * quantity for offer, quantity in bought), Decimal(0))
    besides = sum((o.unit_shipping * quantity + o.line_shipping for o, quantity in bought), Decimal(0))
    shares = []
    for coupon in (None, *store.coupons):
        discount = coupon.discount(subtotal, currency) if coupon else Decimal(0)
        if coupon and subtotal < coupon.min_subtotal:
            continue
        shipping = None
        if store.shipping is not None:
            tier = store.shipping.cost(subtotal - discount)
            if tier is None:
                continue
            shipping = tier + besides
        name = coupon.id if coupon else None
        shares.append(StoreShare(store.id, subtotal, shipping, discount, name, deposit))
    return min(shares, key=lambda share: share.total, default=None)


def _share(basket: Basket, store: BasketStore, quantities: Quantities, places: list[int]) -> StoreShare:
    bought = [(basket.offers[place], quantities[place]) for place in places]
    share = store_share(store, bought, basket.currency)
    if share is None:
        raise AssertionError(f"the plan buys at {store.id!r} below what it accepts")
    return share


def missing_lines(basket: Basket, problem: Problem, quantities: Quantities) -> tuple[MissingLine, ...]:
    """The lines of which units are not bought, each with the first reason that holds."""
    bought: dict[str, int] = defaultdict(int)
    for place, quantity in quantities.items():
        offer = basket.offers[place]
        bought[offer.line] += quantity * offer.pack_size
    offered: dict[str, int] = defaultdict(int)
    usable: dict[str, int] = defaultdict(int)
    wanted = set(usable_offers(basket))
    for place, offer in enumerate(basket.offers):
        stock = _ANY_NUMBER if offer.stock is None else offer.stock * offer.pack_size
        offered[offer.line] += stock
        usable[offer.line] += stock if place in wanted else 0
    attainable = problem.attainable()
    stores = len(problem.shops_of(quantities))
    missing = []
    for at, line in enumerate(basket.lines):
        lacking = line.quantity - bought[line.id]
        if lacking <= 0:
            continue
        if line.id not in offered:
            reason = MissingReason.NOT_OFFERED
        elif bought[line.id] == usable[line.id]:
            reason = MissingReason.STOCK
            if offered[line.id] > usable[line.id]:
                reason = MissingReason.EXCLUDED
        elif stores == problem.max_stores and bought[line.id] < attainable.get(at, 0):
            reason = MissingReason.MAX_STORES
        else:
            reason = MissingReason.MIN_ORDER
        missing.append(MissingLine(line.id, lacking, reason))
    return tuple(missing)
