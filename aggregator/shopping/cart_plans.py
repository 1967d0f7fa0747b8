"""A stored cart and its offers made into a basket, and the plan of it made ready to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from sqlalchemy.orm import Session

from aggregator.domain.carts import Basket, BasketLine, BasketOffer, BasketStore, Plan, StoreShare
from aggregator.domain.checkouts import CartPlan, ExcludedOffer, PlannedLine, PlannedStore, SellingStore
from aggregator.domain.errors import NotFound
from aggregator.domain.money import Money
from aggregator.domain.plan_reasons import LeftOut, LineReason
from aggregator.domain.products import ProductCard
from aggregator.domain.stores import HandOffKind
from aggregator.platforms import get_platform
from aggregator.shopping.cart_lines import CartKey, StoredCart, read_cart
from aggregator.shopping.cart_offers import (
    CartOffer,
    CartOffers,
    CartStore,
    Market,
    read_cart_offers,
    today,
    within_limits,
)
from aggregator.shopping.kept_plans import find_kept_plan, keep_plan, plan_digest, take_turn_to_plan
from aggregator.shopping.line_reasons import line_reasons
from aggregator.shopping.planning import plan_basket

# For a page whose cart is being planned for another page at this moment.
_MOMENT = 0.3


def plan_cart(
    session: Session,
    token: str | CartKey | None,
    *,
    assumed_shipping: Decimal,
    currency: str = "EUR",
    country: str | None = None,
    time_limit: float = 4.0,
    without_stores: Collection[str] = (),
    bought: Mapping[str, int] | None = None,
) -> CartPlan:
    """The cheapest split of the cart over the stores, from current offers and the shopper's options.

    A constant number of queries whatever the cart holds; nothing is solved where nothing changed since the last plan.
    What stores said of an offer within the last minutes goes before what a crawl read earlier. `without_stores`
    (public ids) are left out of this plan, and so many units of lines (by id) that are `bought` already. Parcels go
    to `country` and a store of unknown shipping ranks with `assumed_shipping`, unless the shopper chose otherwise; it
    still counts as unknown. Lines that nobody offers are left out. Raises NotFound where there is no cart.
    """
    cart = read_cart(session, token)
    if cart is None:
        raise NotFound("cart", "of this browser")
    cart = _without(cart, bought or {})
    if cart.assumed_shipping is not None:
        assumed_shipping = cart.assumed_shipping
    market = Market(currency=currency, country=cart.country or country, today=today())
    everything = read_cart_offers(session, cart.lines, cart.options, market, without_stores=without_stores)
    found = replace(everything, offers=within_limits(everything.offers))
    basket = _basket(cart, found, assumed_shipping, currency)
    plan, is_hurried = _plan(session, cart.id, basket, time_limit, is_kept=not bought and not without_stores)
    offered = {offer.line_id for offer in found.offers if offer.left_out is None}
    pinned = {offer.line_id for offer in found.offers if offer.is_pinned}
    return CartPlan(
        cart=cart.shown(),
        plan=plan,
        currency=currency,
        stores=_planned_stores(cart, basket, plan, found),
        assumed_shipping=assumed_shipping,
        left_out=tuple(stored.line for stored in cart.lines if stored.line.id not in offered),
        country=market.country,
        options=cart.options,
        offers_left_out=_left_out(found),
        selling_stores=_selling_stores(found),
        excluded_offers=_excluded(found),
        unpinned=tuple(
            stored.line for stored in cart.lines if stored.pinned_offer_id and stored.line.id not in pinned
        ),
        is_hurried=is_hurried,
        is_more=len(found.offers) < len(everything.offers),
    )


def _without(cart: StoredCart, bought: Mapping[str, int]) -> StoredCart:
    """The cart less what is bought already; lines by any of their ids."""
    if not bought:
        return cart
    lines = []
    for stored in cart.lines:
        left = stored.line.quantity - sum(bought.get(line_id, 0) for line_id in stored.row_public_ids)
        if left > 0:
            lines.append(replace(stored, line=replace(stored.line, quantity=left)))
    return replace(cart, lines=tuple(lines))


def _plan(
    session: Session, cart_id: int, basket: Basket, time_limit: float, *, is_kept: bool
) -> tuple[Plan, bool]:
    """The plan, kept from before where its inputs are the same; whether it had only a moment."""
    digest = plan_digest(basket, time_limit)
    kept = find_kept_plan(session, cart_id, digest)
    if kept is not None:
        return kept, False
    if not take_turn_to_plan(session, cart_id):
        return plan_basket(basket, time_limit=min(_MOMENT, time_limit), frontier=False), True
    plan = plan_basket(basket, time_limit=time_limit)
    if is_kept:
        keep_plan(session, cart_id, digest, plan)
    return plan, False


def _basket(cart: StoredCart, found: CartOffers, assumed_shipping: Decimal, currency: str) -> Basket:
    stores = {offer.store.id: offer.store for offer in found.offers}
    return Basket(
        currency=currency,
        lines=tuple(BasketLine(stored.line.id, stored.line.quantity) for stored in cart.lines),
        stores=tuple(
            BasketStore(
                store.id,
                store.terms.rule,
                coupons=cart.options.coupons_of(store.id),
                estimated=store.terms.basis == "estimated",
            )
            for store in stores.values()
        ),
        offers=tuple(
            BasketOffer(
                offer.id,
                offer.line_id,
                offer.store.id,
                offer.price.amount,
                offer.stock,
                pack_size=offer.pack_size,
                unit_shipping=offer.unit_shipping,
                deposit=offer.deposit,
                estimated=offer.original is not None,
                pinned=offer.is_pinned,
                excluded=offer.left_out is not None,
            )
            for offer in found.offers
        ),
        max_stores=cart.max_stores,
        assumed_shipping=assumed_shipping,
        parcel_value=cart.options.parcel_value,
    )


def _planned_stores(
    cart: StoredCart, basket: Basket, plan: Plan, found: CartOffers
) -> tuple[PlannedStore, ...]:
    line_by_id = {stored.line.id: stored.line for stored in cart.lines}
    offer_by_id = {offer.id: offer for offer in found.offers}
    store_by_id = {offer.store.id: offer.store for offer in found.offers}
    reasons = line_reasons(basket, plan, {store.id: store.name for store in store_by_id.values()})
    lines: dict[str, list[PlannedLine]] = {}
    for allocation in plan.allocations:
        offer = offer_by_id[allocation.offer]
        line = line_by_id[allocation.line]
        planned = _planned_line(
            offer, line.product, allocation.quantity, reasons.get(allocation.offer), plan.currency
        )
        lines.setdefault(allocation.store, []).append(planned)
    return tuple(
        _planned_store(store_by_id[share.store], share, tuple(lines[share.store]), plan.currency)
        for share in plan.stores
    )


def _planned_line(
    offer: CartOffer, product: ProductCard, quantity: int, reason: LineReason | None, currency: str
) -> PlannedLine:
    return PlannedLine(
        line_id=offer.line_id,
        product=product,
        offer_id=offer.id,
        offer_title=offer.title,
        url=offer.url,
        price=offer.price,
        quantity=quantity,
        checked_at=offer.checked_at,
        pack_size=offer.pack_size,
        original=offer.original,
        deposit=Money(offer.deposit, currency) if offer.deposit else None,
        arrives_by=offer.arrives_by,
        condition=offer.condition,
        is_member_price=offer.is_member_price,
        is_pinned=offer.is_pinned,
        reason=reason,
    )


def _planned_store(
    store: CartStore, share: StoreShare, lines: tuple[PlannedLine, ...], currency: str
) -> PlannedStore:
    free_from = store.terms.rule.free_from if store.terms.rule else None
    return PlannedStore(
        store_id=store.id,
        store_slug=store.slug,
        store_name=store.name,
        lines=lines,
        subtotal=Money(share.subtotal, currency),
        shipping=None if share.shipping is None else Money(share.shipping, currency),
        free_from=None if free_from is None else Money(free_from, currency),
        handoff_kind=_handoff_kind(store.platform),
        shipping_basis=store.terms.basis,
        shipping_source=store.terms.source,
        shipping_as_of=store.terms.as_of,
        discount=Money(share.discount, currency) if share.discount else None,
        coupon=share.coupon,
        deposit=Money(share.deposit, currency) if share.deposit else None,
        tax_basis=store.tax_basis,
        rates_of=store.rates_of,
    )


def _left_out(found: CartOffers) -> dict[str, Mapping[LeftOut, int]]:
    counts = {line_id: Counter(unusable) for line_id, unusable in found.unusable.items()}
    for offer in found.offers:
        if offer.left_out is not None:
            counts.setdefault(offer.line_id, Counter())[offer.left_out] += 1
    return {line_id: dict(counted) for line_id, counted in counts.items()}


def _selling_stores(found: CartOffers) -> tuple[SellingStore, ...]:
    stores = {**{offer.store.id: offer.store for offer in found.offers}, **found.member_stores}
    selling = (
        SellingStore(store.id, store.slug, store.name, has_member_prices=store.id in found.member_stores)
        for store in stores.values()
    )
    return tuple(sorted(selling, key=lambda store: (store.name.casefold(), store.id)))


def _excluded(found: CartOffers) -> tuple[ExcludedOffer, ...]:
    return tuple(
        ExcludedOffer(id=offer.id, title=offer.title, store_name=offer.store.name, price=offer.price)
        for offer in found.offers
        if offer.left_out is LeftOut.OFFER
    )


def _handoff_kind(platform: str) -> HandOffKind:
    try:
        return get_platform(platform).handoff.kind
    except NotFound:  # its plug-in was removed; the store's offers are still good
        return "product_link"
