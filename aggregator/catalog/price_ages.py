"""How old the lowest prices on a list of products are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aggregator.catalog.offers import CHECKED_AT
from aggregator.db.models import OfferCheckRow, OfferRow, ProductRow, StoreRow


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
            OfferRow.price == ProductRow.lowest_price,
            OfferRow.price_currency == ProductRow.lowest_price_currency,
        )
        .group_by(ProductRow.public_id)
    )
    return dict(session.execute(query).all())
