"""Putting many products into a cart at once: what is copied, pasted, or planned again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db.models import CartLineRow, CartRow
from aggregator.shopping.cart_lines import MAX_QUANTITY, StoredCart, StoredLine, read_cart

MAX_LINES = 200


def open_cart(session: Session, token: str | None) -> tuple[StoredCart, str | None]:
    """The cart of this token, locked and made where there is none; and the new cookie token when it was just made."""
    cart = read_cart(session, token, lock=True)
    if cart is not None:
        return cart, None
    fresh_token = new_token()
    session.execute(insert(CartRow).values(token_hash=token_hash(fresh_token), updated_at=datetime.now(UTC)))
    made = read_cart(session, fresh_token, lock=True)
    assert made is not None
    return made, fresh_token


def fill_cart(
    session: Session, cart: StoredCart, wanted: Mapping[int, int], *, at_least: bool = False
) -> frozenset[int]:
    """Put so many of each product (by key) into a locked cart, on top of what lies there; the keys without room.

    With `at_least` the larger number counts, so that twice is as once. There is no room beyond 200 products or 999 of
    one; what has none is left as it was. A few statements however many products there are.
    """
    lines = {stored.product_id: stored for stored in cart.lines}
    no_room: set[int] = set()
    fresh: list[dict[str, int]] = []
    changed: list[tuple[StoredLine, int]] = []
    for product, quantity in wanted.items():
        stored = lines.get(product)
        have = stored.line.quantity if stored else 0
        want = max(have, quantity) if at_least else have + quantity
        if want > MAX_QUANTITY or (stored is None and len(lines) + len(fresh) >= MAX_LINES):
            no_room.add(product)
        elif stored is None:
            fresh.append({"cart_id": cart.id, "product_id": product, "quantity": want})
        elif want != have:
            changed.append((stored, want))
    set_lines(session, changed)
    if fresh:
        session.execute(insert(CartLineRow), fresh)
    session.execute(update(CartRow).where(CartRow.id == cart.id).values(updated_at=datetime.now(UTC)))
    return frozenset(no_room)


def empty_cart(session: Session, token: str | None) -> None:
    """Take everything out of the cart of this token; one that is not there is empty."""
    cart = read_cart(session, token, lock=True)
    if cart is not None:
        session.execute(delete(CartLineRow).where(CartLineRow.cart_id == cart.id))
        session.execute(update(CartRow).where(CartRow.id == cart.id).values(updated_at=datetime.now(UTC)))


def set_lines(session: Session, wanted: Iterable[tuple[StoredLine, int]]) -> None:
    """Let each line's first row carry the quantity (0 removes it); rows of products merged into it are done with."""
    superfluous: list[int] = []
    kept: list[dict[str, int]] = []
    for stored, quantity in wanted:
        first, *others = stored.row_ids
        superfluous += others if quantity else [first, *others]
        if quantity:
            kept.append({"id": first, "quantity": quantity})
    if superfluous:
        session.execute(delete(CartLineRow).where(CartLineRow.id.in_(superfluous)))
    if kept:
        session.execute(update(CartLineRow), kept)
