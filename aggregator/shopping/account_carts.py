"""The one cart of an account: how it is reached from every browser, and how a guest's cart goes into it."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from aggregator.accounts.tokens import token_hash
from aggregator.db.base import Row
from aggregator.db.models import AccountRow, CartLineRow, CartPlanRow, CartRow
from aggregator.domain.identifiers import new_public_id
from aggregator.secrets import derived_key
from aggregator.settings import Settings
from aggregator.shopping.cart_lines import MAX_QUANTITY


def account_cart_token(settings: Settings, account_id: int) -> str:
    """The token of an account's cart: made of the account and the installation's secret, so that use cases take it
    like a guest's. It never leaves the server; who is signed in is what opens the cart.
    """
    key = derived_key(settings, "account carts")
    return "account:" + hmac.new(key, str(account_id).encode(), hashlib.sha256).hexdigest()


def ensure_account_cart(session: Session, settings: Settings, account_id: int) -> int:
    """The key of the account's cart, which is made where there is none; found again after a change of the secret."""
    hashed = token_hash(account_cart_token(settings, account_id))
    found = session.scalar(select(CartRow.id).where(CartRow.token_hash == hashed))
    if found is not None:
        return found
    # One at a time, so that two first requests do not make two carts.
    session.execute(select(AccountRow.id).where(AccountRow.id == account_id).with_for_update())
    kept = session.scalar(
        select(CartRow.id).where(CartRow.account_id == account_id).order_by(CartRow.id).limit(1)
    )
    if kept is not None:
        session.execute(update(CartRow).where(CartRow.id == kept).values(token_hash=hashed))
        return kept
    session.execute(
        insert(CartRow)
        .values(
            public_id=new_public_id(),
            token_hash=hashed,
            account_id=account_id,
            updated_at=datetime.now(UTC),
        )
        .on_conflict_do_nothing()
    )
    return session.scalars(select(CartRow.id).where(CartRow.token_hash == hashed)).one()


def merge_cart(session: Session, settings: Settings, account_id: int, guest_token: str | None) -> int:
    """Put a guest's cart into the account's and end it; how many lines came in. Twice does nothing more.

    Quantities of one product add up, 999 at most. What hangs on the guest's cart (checkouts, purchases, shared baskets)
    goes along; the account's own options stand, the guest's fill what it left open.
    """
    own = ensure_account_cart(session, settings, account_id)
    if not guest_token:
        return 0
    guest = session.scalar(
        select(CartRow.id).where(CartRow.token_hash == token_hash(guest_token), CartRow.account_id.is_(None))
    )
    if guest is None:
        return 0
    # The account's first: a request that changes only what it saw holds that one already.
    account_cart, guest_cart = (
        session.scalar(select(CartRow).where(CartRow.id == key).with_for_update()) for key in (own, guest)
    )
    if account_cart is None or guest_cart is None or guest_cart.account_id is not None:
        return 0
    count = session.scalar(select(func.count()).where(CartLineRow.cart_id == guest)) or 0
    theirs, ours = aliased(CartLineRow), aliased(CartLineRow)
    session.execute(
        update(CartLineRow)
        .where(
            CartLineRow.cart_id == own,
            CartLineRow.product_id == theirs.product_id,
            theirs.cart_id == guest,
        )
        .values(
            quantity=func.least(MAX_QUANTITY, CartLineRow.quantity + theirs.quantity),
            pinned_offer_id=func.coalesce(CartLineRow.pinned_offer_id, theirs.pinned_offer_id),
        )
        .execution_options(synchronize_session=False)
    )
    present = select(ours.product_id).where(ours.cart_id == own)
    session.execute(
        update(CartLineRow)
        .where(CartLineRow.cart_id == guest, CartLineRow.product_id.not_in(present))
        .values(cart_id=own)
        .execution_options(synchronize_session=False)
    )
    for table in _goes_along():
        session.execute(update(table).where(table.c.cart_id == guest).values(cart_id=own))
    for option in ("max_stores", "assumed_shipping", "country"):
        if getattr(account_cart, option) is None:
            setattr(account_cart, option, getattr(guest_cart, option))
    account_cart.options = {**guest_cart.options, **account_cart.options}
    account_cart.updated_at = datetime.now(UTC)
    session.flush()
    session.execute(delete(CartRow).where(CartRow.id == guest))
    session.expire_all()
    return count


def _goes_along() -> list[Table]:
    """Every table whose rows belong to a cart, but its lines and the plan that is made of them."""
    own_way = {CartLineRow.__tablename__, CartPlanRow.__tablename__}
    return [
        table
        for name, table in Row.metadata.tables.items()
        if name not in own_way
        and any(key.column.table.name == CartRow.__tablename__ for key in table.foreign_keys)
    ]


def reseal_account_carts(session: Session, settings: Settings) -> int:
    """Let the accounts' carts be found by today's secret; how many."""
    count = 0
    carts = session.execute(
        select(CartRow.id, CartRow.account_id).where(CartRow.account_id.is_not(None)).order_by(CartRow.id)
    )
    for cart in carts:
        hashed = token_hash(account_cart_token(settings, cart.account_id))
        session.execute(update(CartRow).where(CartRow.id == cart.id).values(token_hash=hashed))
        count += 1
    return count
