"""A product's page as one frozen value, read in a constant number of queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.price_history import read_history
from aggregator.catalog.product_cards import CARD_COLUMNS, product_card
from aggregator.catalog.product_details import detail_of, find_product
from aggregator.domain.errors import NotFound
from aggregator.domain.money import Money
from aggregator.domain.price_history import (
    PRIOR_DAYS,
    VERDICT_DAYS,
    find_drop,
    judge_price,
    lowest_in,
    lowest_line,
)
from aggregator.domain.product_attributes import read_attributes
from aggregator.domain.product_pages import ProductPage
from aggregator.domain.products import MovedProduct, PriceSeries, ProductCard, ProductDetail
from aggregator.domain.taxonomy import OTHER
from aggregator.domain.unit_prices import unit_price

SIMILAR = 6
# The most sold of a category, among which the alike are looked for.
_LOOKED_AMONG = 300


def get_product_page(
    session: Session,
    public_id: str,
    *,
    assumed_shipping: Decimal,
    country: str | None = None,
    days: int | None = 90,
    now: datetime | None = None,
) -> ProductPage | MovedProduct:
    """All that the page of a product shows, its history of at least so many days (None: all); raises NotFound."""
    now = now or datetime.now(UTC)
    row = find_product(session, public_id)
    if isinstance(row, MovedProduct):
        return row
    product_id, category = row["id"], row["category_key"]
    detail = detail_of(session, row, assumed_shipping=assumed_shipping, country=country)
    # The verdict looks at 90 days, a drop at the 30 before the present price began.
    since = None if days is None else now - max(timedelta(days=days), VERDICT_DAYS) - PRIOR_DAYS
    history = read_history(session, [product_id], since=since).get(product_id, ())
    currency = detail.card.lowest_price.currency if detail.card.lowest_price else None
    line = lowest_line(one for one in history if one.currency == currency)
    lowest = lowest_in(line, now - PRIOR_DAYS, now)
    return ProductPage(
        detail=detail,
        category=category,
        history=history,
        verdict=judge_price(line, now),
        drop=find_drop(line, now),
        lowest_30_days=None if lowest is None or currency is None else Money(lowest, currency).rounded(),
        unit_prices={
            offer.id: found
            for offer in detail.offers
            if (found := unit_price(offer.price, offer.title, dict(offer.variant_attributes), category))
            is not None
        },
        attributes=tuple(read_attributes(detail.card.title, _own_attributes(detail))),
        similar=_similar(session, product_id, category, detail),
    )


def get_price_history(session: Session, public_id: str) -> tuple[tuple[PriceSeries, ...], str | None]:
    """(every price of the product's offers, the currency that most of them ask); raises NotFound."""
    row = session.execute(
        text("select id, lowest_price_currency from products where public_id = :id"), {"id": public_id}
    ).one_or_none()
    if row is None:
        raise NotFound("product", public_id)
    return read_history(session, [row.id], since=None).get(row.id, ()), row.lowest_price_currency


def _own_attributes(detail: ProductDetail) -> dict[str, object]:
    return {name: value for offer in reversed(detail.offers) for name, value in offer.variant_attributes}


def _similar(
    session: Session, product_id: int, key: str | None, detail: ProductDetail
) -> tuple[ProductCard, ...]:
    """Of the same category and about the same price: those of the same brand first, then the nearest in price."""
    card = detail.card
    if key in {None, OTHER} or card.lowest_price is None:
        return ()
    rows = session.execute(
        text(
            f"""
            select {CARD_COLUMNS} from (
                select * from products where category_key = :key and offer_count > 0
                order by store_count desc limit :among
            ) p
            where p.id <> :id and not p.public_id = any(cast(:versions as text[]))
              and p.is_available and p.lowest_price_currency = :currency
              and p.lowest_price > 0 and p.lowest_price between :price / 2 and :price * 2
            order by p.brand is not distinct from :brand desc,
                     greatest(p.lowest_price / :price, :price / p.lowest_price), p.id
            limit :limit
            """
        ),
        {
            "key": key,
            "among": _LOOKED_AMONG,
            "id": product_id,
            "versions": [variant.id for variant in detail.variants],
            "currency": card.lowest_price.currency,
            "price": max(card.lowest_price.amount, Decimal("0.01")),
            "brand": card.brand,
            "limit": SIMILAR,
        },
    )
    return tuple(product_card(row) for row in rows.mappings())
