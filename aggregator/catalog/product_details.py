"""A product's page as one frozen value, read in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.orm import Session, defer

from aggregator.catalog.offers import CHECKED_AT, IS_FRESH_ENOUGH
from aggregator.catalog.product_cards import CARD_COLUMNS, product_card, product_slug
from aggregator.catalog.product_evidence import (
    doubtful_products,
    offer_links,
    product_variants,
    related_products,
)
from aggregator.db.models import OfferCheckRow, OfferRow, StoreRow
from aggregator.domain.errors import NotFound
from aggregator.domain.money import Money
from aggregator.domain.products import (
    LinkView,
    MovedProduct,
    OfferView,
    ProductDetail,
    ShippingEstimate,
)
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.vocabulary import Availability, ItemCondition, PriceKind

_MOST_MOVES = 1000


def get_product_detail(
    session: Session, public_id: str, *, assumed_shipping: Decimal
) -> ProductDetail | MovedProduct:
    """All that the page of a product shows; raises NotFound.

    Offers that can be bought come first, then by total; an unknown shipping cost counts as
    `assumed_shipping` (major units of the offer's currency) in that order, and in nothing else.
    """
    found = session.execute(
        text(
            f"select {CARD_COLUMNS}, p.gtin, p.mpn, p.merged_into_id from products p where p.public_id = :id"
        ),
        {"id": public_id},
    ).mappings()
    row = found.one_or_none()
    if row is None:
        raise NotFound("product", public_id)
    if row["merged_into_id"] is not None:
        return _follow(session, row["merged_into_id"])
    offers = _offers(session, row["id"])
    views = [_offer_view(offer, store, checked_at) for offer, store, checked_at in offers]
    offer_ids = [offer.id for offer, _, _ in offers]
    links = offer_links(session, offer_ids)
    ordered = sorted(
        (_with_links(view, links[offer.id]) for view, (offer, _, _) in zip(views, offers, strict=True)),
        key=lambda view: _rank(view, assumed_shipping),
    )
    currency = row["lowest_price_currency"]
    return ProductDetail(
        card=product_card(row),
        gtin=row["gtin"],
        mpn=row["mpn"],
        offers=tuple(ordered),
        variants=product_variants(session, row["id"], offer_ids),
        assumed_shipping=Money(assumed_shipping, currency).rounded() if currency else None,
        related=related_products(session, row["id"], offer_ids),
        doubtful=doubtful_products(session, row["id"], offer_ids),
    )


def shipping_for(offer: OfferRow, store: StoreRow) -> ShippingEstimate | None:
    """What one unit's shipping costs; the store's own rule first, then what the offer itself said."""
    if store.shipping is not None and store.currency in {None, offer.price_currency}:
        rule = ShippingRule.from_json(store.shipping)
        cost = rule.cost(offer.price)
        if cost is None:
            # Below the minimum order one unit alone cannot be sent; its tier's cost applies with more in the cart.
            cost = ShippingRule(rule.tiers).cost(offer.price)
        free_from = min((tier.min_subtotal for tier in rule.tiers if not tier.cost), default=None)
        if cost is not None:
            return ShippingEstimate(
                cost=Money(cost, offer.price_currency).rounded(),
                basis="known",
                free_from=Money(free_from, offer.price_currency).rounded() if free_from else None,
            )
    if offer.shipping_cost is not None:
        return ShippingEstimate(
            cost=Money(offer.shipping_cost, offer.price_currency).rounded(), basis="known"
        )
    return None


def _follow(session: Session, product_id: int) -> MovedProduct:
    found = session.execute(
        text(
            """
            with recursive moves as (
                select id, public_id, title, merged_into_id, 1 as step from products where id = :id
                union all
                select p.id, p.public_id, p.title, p.merged_into_id, m.step + 1
                from moves m join products p on p.id = m.merged_into_id where m.step < :limit
            )
            select public_id, title from moves where merged_into_id is null
            """
        ),
        {"id": product_id, "limit": _MOST_MOVES},
    ).one_or_none()
    if found is None:
        raise NotFound("product", str(product_id))
    return MovedProduct(found.public_id, product_slug(found.title))


def _offers(session: Session, product_id: int) -> list[tuple[OfferRow, StoreRow, datetime]]:
    rows = session.execute(
        select(OfferRow, StoreRow, CHECKED_AT)
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .where(OfferRow.product_id == product_id, OfferRow.gone_at.is_(None), IS_FRESH_ENOUGH)
        # What was read beside and how a store was recognised may be long, and no page of a product shows it.
        .options(defer(OfferRow.reading), defer(OfferRow.handoff), defer(StoreRow.detection))
    )
    return [(offer, store, checked_at) for offer, store, checked_at in rows]


def _offer_view(offer: OfferRow, store: StoreRow, checked_at: datetime) -> OfferView:
    price = Money(offer.price, offer.price_currency).rounded()
    shipping = shipping_for(offer, store)
    return OfferView(
        id=offer.public_id,
        store_id=store.public_id,
        store_slug=store.slug,
        store_name=store.name,
        title=offer.title,
        url=offer.url,
        price=price,
        list_price=None
        if offer.list_price is None
        else Money(offer.list_price, offer.price_currency).rounded(),
        price_kind=PriceKind(offer.price_kind),
        shipping=shipping,
        total=price + shipping.cost if shipping else None,
        availability=None if offer.availability is None else Availability(offer.availability),
        item_condition=ItemCondition(offer.item_condition),
        seller=offer.seller,
        stock_level=offer.stock_level,
        variant_attributes=tuple(offer.variant_attributes.items()),
        checked_at=checked_at,
    )


def _with_links(view: OfferView, links: Sequence[LinkView]) -> OfferView:
    return replace(view, links=tuple(links)) if links else view


def _rank(view: OfferView, assumed_shipping: Decimal) -> tuple[object, ...]:
    can_be_bought = view.availability is None or view.availability.can_be_bought
    shipping = view.shipping.cost.amount if view.shipping else assumed_shipping
    return (not can_be_bought, view.price.currency, view.price.amount + shipping, view.store_name, view.id)
