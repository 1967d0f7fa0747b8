"""How old prices are: those on a list of products, and those too old for their store's licence to be shown."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aggregator.catalog.offers import AGES_AT, CHECKED_AT, IS_FRESH_ENOUGH
from aggregator.catalog.product_summaries import refresh_products
from aggregator.db.models import OfferCheckRow, OfferPriceRow, OfferRow, ProductRow, StoreRow


def lowest_price_ages(session: Session, product_ids: Collection[str]) -> dict[str, datetime]:
    """By public id, when the product's lowest price was last checked; products without a price are left out."""
    if not product_ids:
        return {}
    query = (
        select(ProductRow.public_id, func.max(CHECKED_AT))
        .join(OfferRow, OfferRow.product_id == ProductRow.id)
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .where(
            ProductRow.public_id.in_(product_ids),
            OfferRow.gone_at.is_(None),
            IS_FRESH_ENOUGH,
            OfferRow.price == ProductRow.lowest_price,
            OfferRow.price_currency == ProductRow.lowest_price_currency,
        )
        .group_by(ProductRow.public_id)
    )
    return dict(session.execute(query).all())


def lowest_price_changes(session: Session, product_ids: Collection[str]) -> dict[str, datetime]:
    """By public id, when an offer that asks the product's lowest price began to ask it."""
    if not product_ids:
        return {}
    query = (
        select(ProductRow.public_id, func.max(OfferPriceRow.recorded_at))
        .join(OfferRow, OfferRow.product_id == ProductRow.id)
        .join(OfferPriceRow, OfferPriceRow.offer_id == OfferRow.id)
        .where(
            ProductRow.public_id.in_(product_ids),
            OfferRow.gone_at.is_(None),
            OfferPriceRow.price == ProductRow.lowest_price,
            OfferPriceRow.price_currency == ProductRow.lowest_price_currency,
        )
        .group_by(ProductRow.public_id)
    )
    return dict(session.execute(query).all())


def hide_aged_prices(session: Session, *, within: timedelta) -> int:
    """Recompute the products of which a price grew too old for its store's licence within this time; how many.

    Call it about that often: a summary that search reads would go on showing such a price.
    """
    query = (
        select(OfferRow.product_id)
        .distinct()
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .where(
            StoreRow.options.has_key("max_age_hours"),
            OfferRow.gone_at.is_(None),
            OfferRow.product_id.is_not(None),
            AGES_AT.between(func.now() - within, func.now()),
        )
    )
    product_ids = [product_id for product_id in session.scalars(query) if product_id is not None]
    refresh_products(session, product_ids)
    return len(product_ids)
