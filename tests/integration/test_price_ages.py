"""Prices older than their store's licence allows are shown nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.catalog.price_ages import hide_aged_prices
from aggregator.catalog.product_details import get_product_detail
from aggregator.catalog.product_summaries import refresh_products
from aggregator.db.models import OfferCheckRow, ProductRow
from aggregator.domain.products import ProductDetail
from tests.integration.shop_rows import offer_row, product_row, store_row

NOW = datetime.now(UTC)


def shown(session: Session, product: ProductRow) -> list[str]:
    detail = get_product_detail(session, product.public_id, assumed_shipping=Decimal("5.90"))
    assert isinstance(detail, ProductDetail)
    return sorted(offer.store_slug for offer in detail.offers)


def lowest(session: Session, product: ProductRow) -> Decimal | None:
    session.expire_all()
    return session.scalar(select(ProductRow.lowest_price).where(ProductRow.id == product.id))


def test_a_price_older_than_its_store_allows_is_not_shown(session: Session) -> None:
    strict = store_row(
        session, "strict", checked_at=NOW - timedelta(hours=25), options={"max_age_hours": "24"}
    )
    free = store_row(session, "free", checked_at=NOW - timedelta(days=30))
    product = product_row(session, "Kettle")
    old = offer_row(session, strict, product, "9.00", title="Kettle")
    offer_row(session, free, product, "12.00", title="Kettle")
    refresh_products(session, [product.id])
    assert shown(session, product) == ["free"]
    assert lowest(session, product) == Decimal("12.00")
    # Checked by itself since, it may be shown again.
    session.add(OfferCheckRow(offer_id=old.id, checked_at=NOW - timedelta(hours=1)))
    session.flush()
    refresh_products(session, [product.id])
    assert shown(session, product) == ["free", "strict"]
    assert lowest(session, product) == Decimal("9.00")


def test_what_search_reads_is_taken_back_when_a_price_ages(session: Session) -> None:
    strict = store_row(session, "strict", checked_at=NOW, options={"max_age_hours": "6"})
    product = product_row(session, "Kettle")
    offer_row(session, strict, product, "9.00", title="Kettle")
    refresh_products(session, [product.id])
    assert lowest(session, product) == Decimal("9.00")
    strict.checked_at = datetime.now(UTC) - timedelta(hours=6, minutes=2)
    session.flush()
    assert hide_aged_prices(session, within=timedelta(minutes=10)) == 1
    assert lowest(session, product) is None
    assert hide_aged_prices(session, within=timedelta(minutes=1)) == 0


def test_a_limit_that_is_no_number_limits_nothing(session: Session) -> None:
    store = store_row(session, "odd", checked_at=NOW - timedelta(days=9), options={"max_age_hours": "a week"})
    product = product_row(session, "Kettle")
    offer_row(session, store, product, "9.00", title="Kettle")
    assert shown(session, product) == ["odd"]
