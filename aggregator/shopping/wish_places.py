"""Where a product is wished for: what hearts show, merged products counted as one."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import CTE, ColumnElement, Select, select
from sqlalchemy.orm import Session

from aggregator.db.models import CartRow, ProductRow, WishlistItemRow, WishlistRow
from aggregator.domain.wishlists import WishPlace
from aggregator.shopping.cart_lines import following_merges
from aggregator.shopping.purchases import owned_by


def wished_for(session: Session, token: str | None, product_ids: Collection[str]) -> frozenset[str]:
    """Those of the products (public ids) that are on any of the visitor's lists."""
    if token is None or not product_ids:
        return frozenset()
    current = current_products(WishlistItemRow.wishlist_id.in_(lists_of(token)))
    query = (
        select(ProductRow.public_id)
        .join(current, current.c.product_id == ProductRow.id)
        .where(ProductRow.public_id.in_(product_ids))
    )
    return frozenset(session.scalars(query))


def places_of(session: Session, token: str | None, product_id: str) -> tuple[WishPlace, ...]:
    """Each of the visitor's lists, the default one first, and whether it holds the product; one query."""
    if token is None:
        return ()
    current = current_products(WishlistItemRow.wishlist_id.in_(lists_of(token)))
    holding = (
        select(WishlistItemRow.wishlist_id)
        .join(current, current.c.start == WishlistItemRow.product_id)
        .join(ProductRow, ProductRow.id == current.c.product_id)
        .where(ProductRow.public_id == product_id)
    )
    rows = session.execute(
        select(
            WishlistRow.public_id,
            WishlistRow.name,
            WishlistRow.is_default,
            WishlistRow.id.in_(holding).label("holds_it"),
        )
        .where(WishlistRow.id.in_(lists_of(token)))
        .order_by(WishlistRow.is_default.desc(), WishlistRow.id)
    )
    return tuple(
        WishPlace(id=row.public_id, name=row.name, is_default=row.is_default, holds_it=row.holds_it)
        for row in rows
    )


def lists_of(token: str | None) -> Select[int]:
    """The keys of the visitor's lists."""
    return select(WishlistRow.id).join(CartRow, CartRow.id == WishlistRow.cart_id).where(owned_by(token))


def current_products(items: ColumnElement[bool]) -> CTE:
    """What the products of these items stand for today, as rows of (start, product_id)."""
    return following_merges(
        select(WishlistItemRow.product_id.label("start"), WishlistItemRow.product_id.label("product_id"))
        .where(items)
        .distinct()
    )
