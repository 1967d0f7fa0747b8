"""A guest's one cart over all stores: finding it, changing it, planning it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from sqlalchemy.orm import Session

from aggregator.domain.carts import MAX_STORES
from aggregator.domain.checkouts import Cart
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.money import Money
from aggregator.shopping.cart_filling import MAX_LINES, fill_cart, open_cart, set_lines
from aggregator.shopping.cart_lines import (
    MAX_QUANTITY,
    change_cart,
    find_current_products,
    lock_cart,
    read_cart,
)
from aggregator.shopping.cart_plans import plan_cart

__all__ = [
    "MAX_LINES",
    "MAX_QUANTITY",
    "add_all_to_cart",
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
    return add_all_to_cart(session, token, [(product_id, quantity)])


def add_all_to_cart(
    session: Session, token: str | None, wanted: Iterable[tuple[str, int]]
) -> tuple[Cart, str | None]:
    """The same for many products, of which one may come several times: all of them go in, or none."""
    wanted = list(wanted)
    for _product_id, quantity in wanted:
        _check_quantity(quantity, least=1)
    current = find_current_products(session, {one for one, _quantity in wanted if is_public_id(one)})
    units: Counter[int] = Counter()
    for product_id, quantity in wanted:
        if product_id not in current:
            raise NotFound("product", product_id)
        units[current[product_id]] += quantity
    cart, fresh_token = open_cart(session, token)
    have = {stored.product_id: stored.line.quantity for stored in cart.lines}
    no_room = fill_cart(session, cart, units)
    if any(units[product] + have.get(product, 0) > MAX_QUANTITY for product in no_room):
        raise InvalidInput(f"a cart holds at most {MAX_QUANTITY} of one product", place="quantity")
    if no_room:
        raise InvalidInput(f"a cart holds at most {MAX_LINES} products", remedy="remove one first")
    return lock_cart(session, fresh_token or token).shown(), fresh_token


def set_quantity(session: Session, token: str | None, line_id: str, quantity: int) -> None:
    """Want so many of a line; 0 removes it. Raises NotFound and InvalidInput (0 to 999)."""
    _check_quantity(quantity, least=0)
    cart = lock_cart(session, token)
    line = next((stored for stored in cart.lines if line_id in stored.row_public_ids), None)
    if line is None:
        raise NotFound("cart line", line_id)
    set_lines(session, [(line, quantity)])
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
