"""A guest's one cart over all stores: finding it, changing it, planning it."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import insert
from sqlalchemy.orm import Session

from aggregator.db.models import CartLineRow
from aggregator.domain.carts import MAX_STORES
from aggregator.domain.checkouts import Cart
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.money import Money
from aggregator.shopping.cart_filling import MAX_LINES, open_cart, set_line
from aggregator.shopping.cart_lines import (
    MAX_QUANTITY,
    StoredLine,
    change_cart,
    find_current_product,
    lock_cart,
    read_cart,
)
from aggregator.shopping.cart_plans import plan_cart

__all__ = [
    "MAX_LINES",
    "MAX_QUANTITY",
    "add_to_cart",
    "find_cart",
    "plan_cart",
    "set_assumed_shipping",
    "set_max_stores",
    "set_quantity",
]

_MOST_ASSUMED_SHIPPING = Decimal(10_000)


def find_cart(session: Session, token: str | None) -> Cart | None:
    """The cart of this cookie token; None where there is none."""
    stored = read_cart(session, token)
    return stored.shown() if stored else None


def add_to_cart(
    session: Session, token: str | None, product_id: str, quantity: int = 1
) -> tuple[Cart, str | None]:
    """Put so many of a product (its public id) into the cart, which is made where there is none.

    Returns the cart, and the new cookie token when it was just made. A merged product's place takes the one
    it was merged into. Raises NotFound for an unknown product and InvalidInput beyond 999 of one product or
    200 products.
    """
    _check_quantity(quantity, least=1)
    product = find_current_product(session, product_id) if is_public_id(product_id) else None
    if product is None:
        raise NotFound("product", product_id)
    cart, fresh_token = open_cart(session, token)
    line = next((stored for stored in cart.lines if stored.product_id == product), None)
    if line is not None:
        _set_line(session, line, line.line.quantity + quantity)
    elif len(cart.lines) >= MAX_LINES:
        raise InvalidInput(f"a cart holds at most {MAX_LINES} products", remedy="remove one first")
    else:
        session.execute(insert(CartLineRow).values(cart_id=cart.id, product_id=product, quantity=quantity))
    change_cart(session, cart)
    return lock_cart(session, fresh_token or token).shown(), fresh_token


def set_quantity(session: Session, token: str | None, line_id: str, quantity: int) -> None:
    """Want so many of a line; 0 removes it. Raises NotFound and InvalidInput (0 to 999)."""
    _check_quantity(quantity, least=0)
    cart = lock_cart(session, token)
    line = next((stored for stored in cart.lines if line_id in stored.row_public_ids), None)
    if line is None:
        raise NotFound("cart line", line_id)
    _set_line(session, line, quantity)
    change_cart(session, cart)


def set_max_stores(session: Session, token: str | None, max_stores: int | None) -> None:
    """Buy at no more stores than this; None lifts the limit. Raises NotFound and InvalidInput."""
    if max_stores is not None and not 1 <= max_stores <= MAX_STORES:
        raise InvalidInput(f"{max_stores} stores are no limit", place="max_stores", remedy="use 1 or more")
    change_cart(session, lock_cart(session, token), max_stores=max_stores)


def set_assumed_shipping(
    session: Session, token: str | None, amount: Decimal | None, *, currency: str = "EUR"
) -> None:
    """Rank stores of unknown shipping with the shopper's own figure; None returns to the site's.

    Raises NotFound, and InvalidInput for what is no amount of that currency below 10,000.
    """
    if amount is not None:
        Money(amount, currency).minor_units()
        if not 0 <= amount < _MOST_ASSUMED_SHIPPING:
            raise InvalidInput(f"{amount} is not a plausible shipping cost", place="assumed_shipping")
    change_cart(session, lock_cart(session, token), assumed_shipping=amount)


def _check_quantity(quantity: int, *, least: int) -> None:
    if not least <= quantity <= MAX_QUANTITY:
        raise InvalidInput(
            f"{quantity} is not a quantity", place="quantity", remedy=f"use {least} to {MAX_QUANTITY}"
        )


def _set_line(session: Session, stored: StoredLine, quantity: int) -> None:
    if quantity > MAX_QUANTITY:
        raise InvalidInput(f"a cart holds at most {MAX_QUANTITY} of one product", place="quantity")
    set_line(session, stored, quantity)
