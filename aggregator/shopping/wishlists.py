"""Wishlists: several of each visitor, guests included, kept with the visitor's cart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from aggregator.accounts.tokens import new_token, token_hash
from aggregator.catalog.product_cards import product_card
from aggregator.db.models import CartRow, ProductRow, WishlistItemRow, WishlistRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import is_public_id, new_public_id
from aggregator.domain.money import Money
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.wishlists import Wishlist, WishlistItem
from aggregator.shopping.cart_filling import fill_cart, open_cart
from aggregator.shopping.cart_lines import (
    CARD_COLUMNS,
    find_current_products,
    lock_cart,
)
from aggregator.shopping.purchases import owned_by
from aggregator.shopping.wish_places import current_products, lists_of

DEFAULT = "default"
LONGEST_NAME = 80
MOST_LISTS = 50
MOST_ITEMS = 500


def list_wishlists(session: Session, token: str | None) -> tuple[Wishlist, ...]:
    """This visitor's lists, the default one first; two queries however many there are."""
    rows = session.scalars(
        select(WishlistRow)
        .join(CartRow, CartRow.id == WishlistRow.cart_id)
        .where(owned_by(token))
        .order_by(WishlistRow.is_default.desc(), WishlistRow.id)
    ).all()
    return _shown(session, rows)


def get_wishlist(session: Session, token: str | None, list_id: str) -> Wishlist:
    """One list of this visitor ("default" is the one that everybody has); NotFound for anyone else's."""
    return _shown(session, [_find(session, token, list_id)])[0]


def find_default(session: Session, token: str | None) -> Wishlist | None:
    """The visitor's default list; None as long as nothing was put there."""
    return next((one for one in list_wishlists(session, token) if one.is_default), None)


def create_wishlist(session: Session, token: str | None, name: str) -> tuple[Wishlist, str | None]:
    """Make a list; it, and the new cookie token where the visitor had none.

    Raises InvalidInput for an empty name, one beyond 80 letters, or beyond 50 lists.
    """
    shown = _checked_name(name)
    cart, fresh_token = open_cart(session, token)
    _default_of(session, cart.id)
    count = session.scalar(select(func.count()).where(WishlistRow.cart_id == cart.id)) or 0
    if count >= MOST_LISTS:
        raise InvalidInput(f"there are {MOST_LISTS} lists", remedy="delete one first")
    row = WishlistRow(cart_id=cart.id, name=shown, updated_at=datetime.now(UTC))
    session.add(row)
    session.flush()
    return _shown(session, [row])[0], fresh_token


def rename_wishlist(session: Session, token: str | None, list_id: str, name: str) -> None:
    """Call a list something else; raises NotFound and InvalidInput."""
    _find(session, token, list_id, lock=True).name = _checked_name(name)
    session.flush()


def delete_wishlist(session: Session, token: str | None, list_id: str) -> None:
    """Delete a list with what is on it; the default one is only emptied. Raises NotFound."""
    row = _find(session, token, list_id, lock=True)
    if row.is_default:
        session.execute(delete(WishlistItemRow).where(WishlistItemRow.wishlist_id == row.id))
    else:
        session.delete(row)
    session.flush()


def add_items(
    session: Session, token: str | None, product_ids: Sequence[str], *, list_id: str = DEFAULT
) -> tuple[Wishlist, str | None]:
    """Put products (public ids) on a list; what is there already stays as it is.

    Returns the list, and the new cookie token where the visitor had none. Raises NotFound for an unknown product or
    list, InvalidInput beyond 500 products.
    """
    wanted = [product_id for product_id in product_ids if is_public_id(product_id)]
    found = find_current_products(session, wanted)
    unknown = next((product_id for product_id in product_ids if product_id not in found), None)
    if unknown is not None:
        raise NotFound("product", unknown)
    cart, fresh_token = open_cart(session, token)
    row = (
        _default_of(session, cart.id)
        if list_id == DEFAULT
        else _find(session, fresh_token or token, list_id, lock=True)
    )
    prices = select(ProductRow.id, ProductRow.lowest_price, ProductRow.lowest_price_currency).where(
        ProductRow.id.in_(found.values())
    )
    values = [
        {
            "public_id": new_public_id(),
            "wishlist_id": row.id,
            "product_id": product.id,
            "price": product.lowest_price,
            "price_currency": product.lowest_price_currency,
        }
        for product in session.execute(prices)
    ]
    if values:
        session.execute(insert(WishlistItemRow).on_conflict_do_nothing(), values)
    row.updated_at = datetime.now(UTC)
    session.flush()
    count = session.scalar(select(func.count()).where(WishlistItemRow.wishlist_id == row.id)) or 0
    if count > MOST_ITEMS:
        raise InvalidInput(f"a list holds at most {MOST_ITEMS} products", remedy="remove one first")
    return _shown(session, [row])[0], fresh_token


def remove_item(session: Session, token: str | None, list_id: str, item_id: str) -> None:
    """Take a product off a list, by the item's id or the product's; raises NotFound."""
    _take_off(session, [_find(session, token, list_id, lock=True).id], item_id)


def remove_everywhere(session: Session, token: str | None, product_id: str) -> None:
    """Take a product off all of the visitor's lists; raises NotFound where it is on none."""
    lists = lists_of(token).order_by(WishlistRow.id).with_for_update(of=WishlistRow)
    _take_off(session, session.scalars(lists).all(), product_id)


def _take_off(session: Session, list_keys: Sequence[int], item_id: str) -> None:
    product = find_current_products(session, [item_id] if is_public_id(item_id) else ()).get(item_id)
    current = current_products(WishlistItemRow.wishlist_id.in_(list_keys))
    gone = session.scalars(
        delete(WishlistItemRow)
        .where(WishlistItemRow.wishlist_id.in_(list_keys))
        .where(
            (WishlistItemRow.public_id == item_id)
            | WishlistItemRow.product_id.in_(select(current.c.start).where(current.c.product_id == product))
        )
        .returning(WishlistItemRow.id)
    ).all()
    if not gone:
        raise NotFound("item", item_id)


def put_into_cart(session: Session, token: str | None, list_id: str) -> int:
    """Want one of each product of a list that the cart does not hold yet; how many came into it. Raises NotFound."""
    row, cart = _find(session, token, list_id), lock_cart(session, token)
    held = {stored.product_id for stored in cart.lines}
    current = current_products(WishlistItemRow.wishlist_id == row.id)
    keys = session.scalars(
        select(ProductRow.id)
        .join(current, current.c.product_id == ProductRow.id)
        .where(ProductRow.merged_into_id.is_(None))
        .distinct()
    )
    wanted = [key for key in keys if key not in held]
    no_room = fill_cart(session, cart, dict.fromkeys(wanted, 1))
    return len(wanted) - len(no_room)


def share_wishlist(session: Session, token: str | None, list_id: str) -> str:
    """Make the list's link anew and return its secret, the only time; an older link shows nothing any more."""
    row = _find(session, token, list_id, lock=True)
    secret = new_token()
    row.share_hash = token_hash(secret)
    session.flush()
    return secret


def stop_sharing(session: Session, token: str | None, list_id: str) -> None:
    """Close the list's link; raises NotFound for anyone else's list."""
    _find(session, token, list_id, lock=True).share_hash = None
    session.flush()


def open_shared_wishlist(session: Session, secret: str) -> Wishlist:
    """The list behind a link, read only; NotFound where the link is unknown or closed."""
    row = session.scalar(select(WishlistRow).where(WishlistRow.share_hash == token_hash(secret[:100])))
    if row is None:
        raise NotFound("shared list", "that this link could show")
    return _shown(session, [row])[0]


def merge_default_lists(session: Session, cart_id: int) -> None:
    """Make one default list of the several that a visitor's merged carts brought along; nothing is lost."""
    ids = session.scalars(
        select(WishlistRow.id)
        .where(WishlistRow.cart_id == cart_id, WishlistRow.is_default)
        .order_by(WishlistRow.id)
        .with_for_update()
    ).all()
    if len(ids) < 2:
        return
    first, *others = ids
    kept = aliased(WishlistItemRow)
    # Of a product on several lists the first one's stays.
    for other in others:
        held = select(kept.product_id).where(kept.wishlist_id == first)
        session.execute(
            update(WishlistItemRow)
            .where(WishlistItemRow.wishlist_id == other, WishlistItemRow.product_id.not_in(held))
            .values(wishlist_id=first)
            .execution_options(synchronize_session=False)
        )
    session.execute(delete(WishlistRow).where(WishlistRow.id.in_(others)))


def _checked_name(name: str) -> str:
    shown = clean_text(name, LONGEST_NAME + 1)
    if not shown or len(shown) > LONGEST_NAME:
        raise InvalidInput(f"a list's name has 1 to {LONGEST_NAME} letters", place="name")
    return shown


def _default_of(session: Session, cart_id: int) -> WishlistRow:
    """The default list of a locked cart, made where there is none."""
    row = session.scalar(
        select(WishlistRow)
        .where(WishlistRow.cart_id == cart_id, WishlistRow.is_default)
        .order_by(WishlistRow.id)
        .limit(1)
    )
    if row is None:
        row = WishlistRow(cart_id=cart_id, is_default=True, updated_at=datetime.now(UTC))
        session.add(row)
        session.flush()
    return row


def _find(session: Session, token: str | None, list_id: str, *, lock: bool = False) -> WishlistRow:
    query = select(WishlistRow).join(CartRow, CartRow.id == WishlistRow.cart_id).where(owned_by(token))
    if list_id == DEFAULT:
        query = query.where(WishlistRow.is_default).order_by(WishlistRow.id).limit(1)
    elif is_public_id(list_id):
        query = query.where(WishlistRow.public_id == list_id)
    else:
        raise NotFound("wishlist", list_id)
    row = session.scalar(query.with_for_update(of=WishlistRow) if lock else query)
    if row is None:
        raise NotFound("wishlist", list_id)
    return row


def _shown(session: Session, rows: Sequence[WishlistRow]) -> tuple[Wishlist, ...]:
    if not rows:
        return ()
    current = current_products(WishlistItemRow.wishlist_id.in_([row.id for row in rows]))
    items: defaultdict[int, dict[str, WishlistItem]] = defaultdict(dict)
    found = session.execute(
        select(
            WishlistItemRow.wishlist_id,
            WishlistItemRow.public_id.label("item_id"),
            WishlistItemRow.created_at,
            WishlistItemRow.price,
            WishlistItemRow.price_currency,
            *CARD_COLUMNS,
        )
        .join(current, current.c.start == WishlistItemRow.product_id)
        .join(ProductRow, ProductRow.id == current.c.product_id)
        .where(WishlistItemRow.wishlist_id.in_([row.id for row in rows]))
        .where(ProductRow.merged_into_id.is_(None))
        .order_by(WishlistItemRow.id.desc())
    )
    for row in found:
        card = product_card(row._mapping)
        # Two products that were merged are one wish.
        items[row.wishlist_id].setdefault(
            card.id,
            WishlistItem(
                id=row.item_id,
                product=card,
                added_at=row.created_at,
                price_then=Money(row.price, row.price_currency) if row.price is not None else None,
            ),
        )
    return tuple(
        Wishlist(
            id=row.public_id,
            name=row.name,
            is_default=row.is_default,
            is_shared=row.share_hash is not None,
            items=tuple(items[row.id].values()),
        )
        for row in rows
    )
