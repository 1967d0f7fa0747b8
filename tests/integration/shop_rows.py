"""Rows of stores, products and offers, and raw offers, for tests of catalogues and carts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from aggregator.db.models import OfferRow, ProductRow, StoreRow
from aggregator.domain.money import Money
from aggregator.domain.offers import RawOffer
from aggregator.shopping.carts import add_all_to_cart

CHECKED_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def euros(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def flat_shipping(cost: str, *, free_from: str | None = None) -> dict[str, Any]:
    """A store's shipping rule as its row keeps it."""
    tiers = [{"min_subtotal": "0", "cost": cost}]
    if free_from is not None:
        tiers.append({"min_subtotal": free_from, "cost": "0"})
    return {"tiers": tiers, "min_order": None}


def store_row(session: Session, slug: str, **changes: Any) -> StoreRow:
    """A store whose shipping is 4.90 unless said otherwise."""
    values: dict[str, Any] = {
        "slug": slug,
        "name": slug.title(),
        "url": f"https://{slug}.example",
        "platform": "plugged",
        "currency": "EUR",
        "shipping": flat_shipping("4.90"),
        "crawl_interval": 21_600,
        "checked_at": CHECKED_AT,
    }
    row = StoreRow(**{**values, **changes})
    session.add(row)
    session.flush()
    return row


def product_row(session: Session, title: str, **changes: Any) -> ProductRow:
    """A product without offers."""
    row = ProductRow(**{"title": title, "updated_at": CHECKED_AT, **changes})
    session.add(row)
    session.flush()
    return row


def offer_row(
    session: Session, store: StoreRow, product: ProductRow | None, price: str, **changes: Any
) -> OfferRow:
    """A current offer of a new article."""
    number = changes.pop("number", product.id if product else 0)
    values: dict[str, Any] = {
        "store_id": store.id,
        "product_id": product.id if product else None,
        "external_id": f"{store.slug}-{number}",
        "url": f"{store.url}/p/{number}",
        "title": f"{product.title if product else 'Something'} at {store.name}",
        "price": Decimal(price),
        "price_currency": "EUR",
        "availability": "InStock",
        "digest": b"",
        "first_seen_at": CHECKED_AT,
        "changed_at": CHECKED_AT,
    }
    row = OfferRow(**{**values, **changes})
    session.add(row)
    session.flush()
    return row


def cart_of(session: Session, *product_ids: str, quantity: int = 1) -> str:
    """A new cart with so many of each of these products; its token."""
    _cart, token = add_all_to_cart(session, None, [(product_id, quantity) for product_id in product_ids])
    assert token is not None
    return token


def raw_offer(number: int, price: str = "10.00", **changes: Any) -> RawOffer:
    """What a store says of the kettle of that number."""
    values: dict[str, Any] = {
        "external_id": f"sku-{number}",
        "url": f"https://shop.example/p/{number}",
        "title": f"Kettle {number}",
        "price": Decimal(price),
        "price_currency": "EUR",
        "availability": "InStock",
    }
    return RawOffer(**{**values, **changes})
