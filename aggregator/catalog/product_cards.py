"""Products as rows of lists: the one query and the one value that every list of products is made of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from aggregator.domain.money import Money
from aggregator.domain.normalization.names import fold
from aggregator.domain.products import ProductCard

CARD_COLUMNS = (
    "p.id, p.public_id, p.title, p.brand, p.category, p.image_url, p.store_count, p.offer_count,"
    " p.lowest_price, p.lowest_price_currency, p.is_available"
)


def product_slug(title: str) -> str:
    """The readable tail of a product's address."""
    return re.sub(r"[^a-z0-9]+", "-", fold(title)).strip("-")[:80].strip("-") or "product"


def product_card(row: RowMapping) -> ProductCard:
    """A card from a row that holds CARD_COLUMNS."""
    price = None if row["lowest_price"] is None else Money(row["lowest_price"], row["lowest_price_currency"])
    return ProductCard(
        id=row["public_id"],
        slug=product_slug(row["title"]),
        title=row["title"],
        brand=row["brand"],
        category=row["category"],
        image_url=row["image_url"],
        store_count=row["store_count"],
        offer_count=row["offer_count"],
        lowest_price=price.rounded() if price else None,
        is_available=row["is_available"],
    )


def read_cards(session: Session, product_ids: Sequence[int]) -> dict[int, ProductCard]:
    """The cards of these products in this order, without those that nobody sells any more."""
    rows = session.execute(
        text(
            f"select {CARD_COLUMNS} from products p"
            " where p.id = any(cast(:ids as bigint[])) and p.offer_count > 0"
        ),
        {"ids": list(product_ids)},
    ).mappings()
    cards = {row["id"]: product_card(row) for row in rows}
    return {product_id: cards[product_id] for product_id in product_ids if product_id in cards}
