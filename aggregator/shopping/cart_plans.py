"""A stored cart and its offers made into a basket, and the plan of it made ready to show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from aggregator.catalog.offers import CHECKED_AT, IS_FRESH_ENOUGH
from aggregator.db.models import OfferCheckRow, OfferRow, StoreRow
from aggregator.domain.carts import Basket, BasketLine, BasketOffer, BasketStore, Plan
from aggregator.domain.checkouts import CartPlan, PlannedLine, PlannedStore
from aggregator.domain.errors import NotFound
from aggregator.domain.money import Money
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.stores import HandOffKind
from aggregator.domain.vocabulary import Availability, ItemCondition, PriceKind
from aggregator.platforms import get_platform
from aggregator.shopping.cart_lines import CartKey, StoredCart, read_cart
from aggregator.shopping.live_checks import fresh_offers
from aggregator.shopping.planning import plan_basket

# Made or sent later, so that what lies in stock now is no limit.
_TO_ORDER = frozenset(
    {Availability.BACK_ORDER, Availability.MADE_TO_ORDER, Availability.PRE_ORDER, Availability.PRE_SALE}
)
_NOT_FOR_SALE = tuple(term.value for term in Availability if not term.can_be_bought)
# A member's price is not everyone's, and a price "from" is not this offer's.
_PAYABLE = (PriceKind.REGULAR.value, PriceKind.SALE.value)


@dataclass(frozen=True, slots=True)
class _Store:
    id: str
    slug: str
    name: str
    platform: str
    shipping: ShippingRule | None


@dataclass(frozen=True, slots=True)
class _Offer:
    id: str
    product_id: int
    store: _Store
    title: str
    url: str
    price: Money
    stock: int | None
    checked_at: datetime


def plan_cart(
    session: Session,
    token: str | CartKey | None,
    *,
    assumed_shipping: Decimal,
    currency: str = "EUR",
    time_limit: float = 5.0,
    without_stores: Collection[str] = (),
) -> CartPlan:
    """The cheapest split of the cart over the stores, from current new offers in that currency.

    Four queries whatever the cart holds. What stores said of an offer within the last minutes goes before what a
    crawl read earlier. `without_stores` (public ids) are left out of this plan. A store of unknown shipping ranks
    with `assumed_shipping` (the shopper's own figure goes before it) and still counts as unknown. Lines that nobody
    offers are left out. Raises NotFound where there is no cart.
    """
    cart = read_cart(session, token)
    if cart is None:
        raise NotFound("cart", "of this browser")
    if cart.assumed_shipping is not None:
        assumed_shipping = cart.assumed_shipping
    offers = [
        offer
        for offer in _current_offers(session, [stored.product_id for stored in cart.lines], currency)
        if offer.store.id not in without_stores
    ]
    basket = _basket(cart, offers, assumed_shipping, currency)
    plan = plan_basket(basket, time_limit=time_limit)
    offered = {offer.line for offer in basket.offers}
    return CartPlan(
        cart=cart.shown(),
        plan=plan,
        currency=currency,
        stores=_planned_stores(cart, plan, offers, currency),
        assumed_shipping=assumed_shipping,
        left_out=tuple(stored.line for stored in cart.lines if stored.line.id not in offered),
    )


def _current_offers(session: Session, product_ids: Sequence[int], currency: str) -> list[_Offer]:
    """What can be bought of these products now, cheapest first."""
    rows = session.execute(
        select(
            OfferRow.id,
            OfferRow.public_id,
            OfferRow.product_id,
            OfferRow.title,
            OfferRow.url,
            OfferRow.price,
            OfferRow.availability,
            OfferRow.stock_level,
            CHECKED_AT.label("checked_at"),
            StoreRow.public_id.label("store_id"),
            StoreRow.slug,
            StoreRow.name,
            StoreRow.platform,
            StoreRow.currency,
            StoreRow.shipping,
        )
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .where(OfferRow.product_id.in_(product_ids), OfferRow.gone_at.is_(None), IS_FRESH_ENOUGH)
        .where(OfferRow.price_currency == currency, OfferRow.price_kind.in_(_PAYABLE))
        .where(OfferRow.item_condition == ItemCondition.NEW.value)
        .where(or_(OfferRow.availability.is_(None), OfferRow.availability.not_in(_NOT_FOR_SALE)))
        .order_by(OfferRow.price, OfferRow.id)
    ).all()
    stores: dict[str, _Store] = {}
    for row in rows:
        if row.store_id not in stores:
            # A rule in another currency than the cart's says nothing about this order.
            is_known = row.shipping is not None and row.currency in {None, currency}
            rule = ShippingRule.from_json(row.shipping) if is_known else None
            stores[row.store_id] = _Store(row.store_id, row.slug, row.name, row.platform, rule)
    fresh = fresh_offers(session, [row.id for row in rows])
    offers = []
    for row in rows:
        offer = _Offer(
            id=row.public_id,
            product_id=row.product_id,
            store=stores[row.store_id],
            title=row.title,
            url=row.url,
            price=Money(row.price, currency).rounded(),
            stock=_stock(row.availability, row.stock_level),
            checked_at=row.checked_at,
        )
        seen = fresh.get(row.id)
        if seen is None or seen.checked_at <= row.checked_at:
            offers.append(offer)
        elif not seen.is_sold_out:
            stock = offer.stock if seen.stock is None else seen.stock
            offers.append(replace(offer, price=seen.price.rounded(), stock=stock, checked_at=seen.checked_at))
    return sorted(offers, key=lambda offer: offer.price.amount)


def _stock(availability: str | None, stock_level: int | None) -> int | None:
    if stock_level is None or availability in _TO_ORDER:
        return None
    return max(0, stock_level)


def _basket(cart: StoredCart, offers: Sequence[_Offer], assumed_shipping: Decimal, currency: str) -> Basket:
    line_of = {stored.product_id: stored.line.id for stored in cart.lines}
    stores = {offer.store.id: offer.store for offer in offers}
    return Basket(
        currency=currency,
        lines=tuple(BasketLine(stored.line.id, stored.line.quantity) for stored in cart.lines),
        stores=tuple(BasketStore(store.id, store.shipping) for store in stores.values()),
        offers=tuple(
            BasketOffer(offer.id, line_of[offer.product_id], offer.store.id, offer.price.amount, offer.stock)
            for offer in offers
        ),
        max_stores=cart.max_stores,
        assumed_shipping=assumed_shipping,
    )


def _planned_stores(
    cart: StoredCart, plan: Plan, offers: Sequence[_Offer], currency: str
) -> tuple[PlannedStore, ...]:
    line_by_id = {stored.line.id: stored.line for stored in cart.lines}
    offer_by_id = {offer.id: offer for offer in offers}
    store_by_id = {offer.store.id: offer.store for offer in offers}
    planned = []
    for share in plan.stores:
        store = store_by_id[share.store]
        lines = tuple(
            PlannedLine(
                line_id=allocation.line,
                product=line_by_id[allocation.line].product,
                offer_id=allocation.offer,
                offer_title=offer_by_id[allocation.offer].title,
                url=offer_by_id[allocation.offer].url,
                price=offer_by_id[allocation.offer].price,
                quantity=allocation.quantity,
                checked_at=offer_by_id[allocation.offer].checked_at,
            )
            for allocation in plan.allocations
            if allocation.store == share.store
        )
        free_from = _free_from(store.shipping)
        planned.append(
            PlannedStore(
                store_id=store.id,
                store_slug=store.slug,
                store_name=store.name,
                lines=lines,
                subtotal=Money(share.subtotal, currency),
                shipping=None if share.shipping is None else Money(share.shipping, currency),
                free_from=None if free_from is None else Money(free_from, currency),
                handoff_kind=_handoff_kind(store.platform),
            )
        )
    return tuple(planned)


def _free_from(rule: ShippingRule | None) -> Decimal | None:
    """The subtotal from which sending is free whatever else is bought; None where it never or always is."""
    free_from = None
    for tier in sorted(rule.tiers if rule else (), key=lambda tier: tier.min_subtotal, reverse=True):
        if tier.cost:
            break
        free_from = tier.min_subtotal
    return free_from or None


def _handoff_kind(platform: str) -> HandOffKind:
    try:
        return get_platform(platform).handoff.kind
    except NotFound:  # its plug-in was removed; the store's offers are still good
        return "product_link"
