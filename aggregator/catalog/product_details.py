"""A product's page as one frozen value, read in a constant number of queries."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, bindparam, select, text
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import ExchangeRates, current_rates
from aggregator.catalog.offers import CHECKED_AT, IS_FRESH_ENOUGH
from aggregator.catalog.product_cards import CARD_COLUMNS, product_card, product_slug
from aggregator.catalog.product_evidence import (
    doubtful_products,
    offer_links,
    product_variants,
    related_products,
)
from aggregator.catalog.shipping_terms import SaidByOffer
from aggregator.catalog.unit_shipping import Seller, UnitShipping
from aggregator.db.models import OfferCheckRow, OfferRow, StoreRow
from aggregator.domain.delivery import DeliveryTerms
from aggregator.domain.errors import NotFound
from aggregator.domain.money import SITE_CURRENCY, Money
from aggregator.domain.products import (
    LinkView,
    MovedProduct,
    OfferView,
    ProductDetail,
)
from aggregator.domain.vocabulary import Availability, ItemCondition, PriceKind

_MOST_MOVES = 1000
# The current offers of a product with their stores, as far as its page needs them.
_OFFERS = (
    select(
        OfferRow.id,
        OfferRow.public_id,
        OfferRow.title,
        OfferRow.url,
        OfferRow.price,
        OfferRow.price_currency,
        OfferRow.list_price,
        OfferRow.price_kind,
        OfferRow.availability,
        OfferRow.item_condition,
        OfferRow.seller,
        OfferRow.stock_level,
        OfferRow.variant_attributes,
        OfferRow.shipping_cost,
        OfferRow.delivery,
        CHECKED_AT.label("checked_at"),
        StoreRow.id.label("store_key"),
        StoreRow.public_id.label("store_id"),
        StoreRow.slug,
        StoreRow.name,
        StoreRow.currency,
        StoreRow.country,
        StoreRow.shipping,
        StoreRow.shipping_by_country,
        StoreRow.shipping_source,
        StoreRow.shipping_updated_at,
    )
    .join(StoreRow, StoreRow.id == OfferRow.store_id)
    .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
    .where(OfferRow.product_id == bindparam("product"), OfferRow.gone_at.is_(None), IS_FRESH_ENOUGH)
)


def get_product_detail(
    session: Session, public_id: str, *, assumed_shipping: Decimal, country: str | None = None
) -> ProductDetail | MovedProduct:
    """All that the page of a product shows, sent to that country (None: each store's own); raises NotFound.

    Offers that can be bought come first, then by total in the site's currency, those without a rate last; an unknown
    shipping cost counts as `assumed_shipping` (major units of that currency) in that order, and in nothing else.
    """
    row = find_product(session, public_id)
    if isinstance(row, MovedProduct):
        return row
    return detail_of(session, row, assumed_shipping=assumed_shipping, country=country)


def find_product(session: Session, public_id: str) -> RowMapping | MovedProduct:
    """A product's own row, with its category's key; raises NotFound."""
    found = session.execute(
        text(
            f"select {CARD_COLUMNS}, p.gtin, p.mpn, p.category_key, p.merged_into_id"
            " from products p where p.public_id = :id"
        ),
        {"id": public_id},
    ).mappings()
    row = found.one_or_none()
    if row is None:
        raise NotFound("product", public_id)
    return row if row["merged_into_id"] is None else _follow(session, row["merged_into_id"])


def detail_of(
    session: Session, row: RowMapping, *, assumed_shipping: Decimal, country: str | None
) -> ProductDetail:
    """The same as `get_product_detail` for a row of `find_product`."""
    offers = session.execute(_OFFERS, {"product": row["id"]}).all()
    is_foreign = any({offer.price_currency, offer.currency} - {SITE_CURRENCY, None} for offer in offers)
    rates = current_rates(session) if is_foreign else ExchangeRates()
    offer_ids = [offer.id for offer in offers]
    links = offer_links(session, offer_ids)
    views = _views(offers, UnitShipping(country, rates), links)
    return ProductDetail(
        card=product_card(row),
        gtin=row["gtin"],
        mpn=row["mpn"],
        offers=tuple(sorted(views, key=lambda view: _rank(view, assumed_shipping, rates))),
        variants=product_variants(session, row["id"], offer_ids),
        assumed_shipping=Money(assumed_shipping, SITE_CURRENCY).rounded(),
        related=related_products(session, row["id"], offer_ids),
        doubtful=doubtful_products(session, row["id"], offer_ids),
    )


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


def _views(
    offers: Sequence[Any], shipping: UnitShipping, links: Mapping[int, Sequence[LinkView]]
) -> Iterator[OfferView]:
    said = [
        SaidByOffer(
            delivery=DeliveryTerms.read(offer.delivery),
            shipping_cost=offer.shipping_cost,
            checked_at=offer.checked_at,
        )
        for offer in offers
    ]
    weights = [one.delivery.weight for one in said if one.delivery.weight is not None]
    usual_weight = statistics.median(weights) if weights else None
    for offer, told in zip(offers, said, strict=True):
        asked = Money(offer.price, offer.price_currency)
        price = asked.rounded()
        cost = shipping.estimate(Seller.of(offer.store_key, offer), asked, told, usual_weight)
        yield OfferView(
            id=offer.public_id,
            store_id=offer.store_id,
            store_slug=offer.slug,
            store_name=offer.name,
            title=offer.title,
            url=offer.url,
            price=price,
            list_price=None
            if offer.list_price is None
            else Money(offer.list_price, offer.price_currency).rounded(),
            price_kind=PriceKind(offer.price_kind),
            shipping=cost,
            total=price + cost.cost if cost else None,
            availability=None if offer.availability is None else Availability(offer.availability),
            item_condition=ItemCondition(offer.item_condition),
            seller=offer.seller,
            stock_level=offer.stock_level,
            variant_attributes=tuple(offer.variant_attributes.items()),
            checked_at=offer.checked_at,
            links=tuple(links.get(offer.id, ())),
        )


def _rank(view: OfferView, assumed_shipping: Decimal, rates: ExchangeRates) -> tuple[object, ...]:
    can_be_bought = view.availability is None or view.availability.can_be_bought
    asked = view.total or view.price
    factor = rates.factor(asked.currency, SITE_CURRENCY)
    # Amounts without a rate are compared with each other alone.
    amount = asked.amount * (factor or 1) + (0 if view.total else assumed_shipping)
    currency = asked.currency if factor is None else ""
    return (not can_be_bought, factor is None, currency, amount, view.store_name, view.id)
