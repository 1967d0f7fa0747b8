"""A cart as it is stored: found by its token, its lines with the products they stand for today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import CTE, Row, Select, select, update
from sqlalchemy.orm import Session, aliased

from aggregator.accounts.tokens import token_hash
from aggregator.catalog.search import product_card
from aggregator.db.models import CartLineRow, CartRow, ProductRow
from aggregator.domain.checkouts import Cart, CartLine
from aggregator.domain.errors import NotFound
from aggregator.domain.plan_options import PlanOptions

MAX_QUANTITY = 999

CARD_COLUMNS = (
    ProductRow.public_id,
    ProductRow.title,
    ProductRow.brand,
    ProductRow.category,
    ProductRow.image_url,
    ProductRow.store_count,
    ProductRow.offer_count,
    ProductRow.lowest_price,
    ProductRow.lowest_price_currency,
    ProductRow.is_available,
)


@dataclass(frozen=True, slots=True)
class StoredLine:
    """One line as it is shown, the product's key, and the rows behind it: merged products share a line.

    `pinned_offer_id` is the key of the offer that the shopper chose for it.
    """

    line: CartLine
    product_id: int
    pinned_offer_id: int | None
    row_ids: tuple[int, ...]
    row_public_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredCart:
    """A cart with what only use cases need. `assumed_shipping` and `country` are the shopper's own, if chosen."""

    id: int
    public_id: str
    max_stores: int | None
    assumed_shipping: Decimal | None
    country: str | None
    options: PlanOptions
    lines: tuple[StoredLine, ...]

    def shown(self) -> Cart:
        """The cart as the shopper sees it."""
        return Cart(
            id=self.public_id, lines=tuple(stored.line for stored in self.lines), max_stores=self.max_stores
        )


@dataclass(frozen=True, slots=True)
class CartKey:
    """Stands for a cart by its key where nobody's token is at hand: a basket shared by a link."""

    id: int


def read_cart(session: Session, token: str | CartKey | None, *, lock: bool = False) -> StoredCart | None:
    """The cart of a token with its lines, in two queries; None where there is none.

    With `lock` no one else changes it until this transaction ends. Carts are locked here and nowhere else,
    and before anything else of them is read.
    """
    if not token:
        return None
    query = select(
        CartRow.id,
        CartRow.public_id,
        CartRow.max_stores,
        CartRow.assumed_shipping,
        CartRow.country,
        CartRow.options,
    ).where(CartRow.id == token.id if isinstance(token, CartKey) else CartRow.token_hash == token_hash(token))
    cart = session.execute(query.with_for_update() if lock else query).one_or_none()
    if cart is None:
        return None
    return StoredCart(
        id=cart.id,
        public_id=cart.public_id,
        max_stores=cart.max_stores,
        assumed_shipping=cart.assumed_shipping,
        country=cart.country,
        options=PlanOptions.from_json(cart.options),
        lines=_read_lines(session, cart.id),
    )


def lock_cart(session: Session, token: str | None) -> StoredCart:
    """The cart of a token, locked; raises NotFound where there is none."""
    cart = read_cart(session, token, lock=True)
    if cart is None:
        raise NotFound("cart", "of this browser")
    return cart


def change_cart(session: Session, cart: StoredCart, **values: Any) -> None:
    """Write these columns of a locked cart, and that it was changed now."""
    session.execute(
        update(CartRow).where(CartRow.id == cart.id).values(updated_at=datetime.now(UTC), **values)
    )


def find_current_product(session: Session, public_id: str) -> int | None:
    """The key of the product that stands for this public id today, after all merges."""
    start = select(ProductRow.id.label("start"), ProductRow.id.label("product_id")).where(
        ProductRow.public_id == public_id
    )
    followed = following_merges(start)
    return session.execute(
        select(ProductRow.id)
        .join(followed, followed.c.product_id == ProductRow.id)
        .where(ProductRow.merged_into_id.is_(None))
    ).scalar()


def find_current_products(session: Session, public_ids: Iterable[str]) -> dict[str, int]:
    """The keys of the products that stand for these public ids today, after all merges."""
    first, last = aliased(ProductRow), aliased(ProductRow)
    start = select(ProductRow.id.label("start"), ProductRow.id.label("product_id")).where(
        ProductRow.public_id.in_(list(public_ids))
    )
    followed = following_merges(start)
    rows = session.execute(
        select(first.public_id, last.id)
        .select_from(followed)
        .join(first, first.id == followed.c.start)
        .join(last, last.id == followed.c.product_id)
        .where(last.merged_into_id.is_(None))
    ).all()
    return {row.public_id: row.id for row in rows}


def following_merges(start: Select[int, int]) -> CTE:
    """From rows of (start, product_id): these and every product that they were merged into, step by step.

    The products that stand today are those of them without `merged_into_id`.
    """
    followed = start.cte("followed", recursive=True)
    # UNION drops what was seen before, so that even a ring of merges would come to an end.
    return followed.union(
        select(followed.c.start, ProductRow.merged_into_id)
        .join(ProductRow, ProductRow.id == followed.c.product_id)
        .where(ProductRow.merged_into_id.is_not(None))
    )


def _read_lines(session: Session, cart_id: int) -> tuple[StoredLine, ...]:
    start = select(CartLineRow.id.label("start"), CartLineRow.product_id).where(
        CartLineRow.cart_id == cart_id
    )
    followed = following_merges(start)
    rows = session.execute(
        select(
            CartLineRow.id.label("line_id"),
            CartLineRow.public_id.label("line_public_id"),
            CartLineRow.quantity,
            CartLineRow.pinned_offer_id,
            ProductRow.id.label("product_id"),
            *CARD_COLUMNS,
        )
        .join(followed, followed.c.start == CartLineRow.id)
        .join(ProductRow, ProductRow.id == followed.c.product_id)
        .where(ProductRow.merged_into_id.is_(None))
        .order_by(CartLineRow.id)
    ).all()
    by_product = sorted(rows, key=lambda row: int(row.product_id))
    lines = [_line(group) for _, group in groupby(by_product, key=lambda row: int(row.product_id))]
    return tuple(sorted(lines, key=lambda stored: stored.row_ids[0]))


def _line(group: Iterable[Row[*tuple[Any, ...]]]) -> StoredLine:
    rows = list(group)
    first = rows[0]
    return StoredLine(
        line=CartLine(
            id=first.line_public_id,
            product=product_card(first._mapping),
            quantity=min(MAX_QUANTITY, sum(row.quantity for row in rows)),
        ),
        product_id=first.product_id,
        pinned_offer_id=next((row.pinned_offer_id for row in rows if row.pinned_offer_id), None),
        row_ids=tuple(row.line_id for row in rows),
        row_public_ids=tuple(row.line_public_id for row in rows),
    )
