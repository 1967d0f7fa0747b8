"""Baskets shared by a read-only link: made, listed, revoked, opened, and copied into another cart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db.models import CartRow, SharedBasketRow
from aggregator.domain.checkouts import CartPlan
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.shopping.cart_filling import fill_cart, open_cart
from aggregator.shopping.cart_lines import CartKey, read_cart
from aggregator.shopping.cart_plans import plan_cart
from aggregator.shopping.purchases import owned_by

LONGEST_NAME = 80
MOST_DAYS = 365
MOST_LINKS = 50
_LONGEST_TOKEN = 100

LinkState = Literal["open", "expired", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLink:
    """A link as its maker sees it: what it was called, until when it opens, and when it was opened last."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    opened_at: datetime | None

    @property
    def state(self) -> LinkState:
        """Whether it still opens."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= datetime.now(UTC) else "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBasket:
    """What a link shows: its name and the cart's live plan; None where the cart is empty now."""

    name: str
    expires_at: datetime | None
    planned: CartPlan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What became of copying: how many products were put in, how many lay there already, titles that found no room.

    `new_token` is the cart's cookie token where the cart was just made.
    """

    added: int
    kept: int
    no_room: tuple[str, ...]
    new_token: str | None


def share_basket(
    session: Session, token: str | None, *, name: str = "", days: int | None = None
) -> tuple[SharedLink, str]:
    """Make a link to this shopper's cart; the link and its token, which cannot be read again.

    Without `days` it opens until it is revoked. Raises NotFound where there is no cart or nothing in it, InvalidInput
    for a name beyond 80 letters, days beyond a year, or beyond 50 open links.
    """
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        raise InvalidInput(f"a name has at most {LONGEST_NAME} letters", place="name")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise InvalidInput(f"{days} days are no time", place="days", remedy=f"use 1 to {MOST_DAYS}")
    cart = read_cart(session, token, lock=True)
    if cart is None or not cart.lines:
        raise NotFound("cart", "with something in it")
    now = datetime.now(UTC)
    if sum(link.state == "open" for link in list_links(session, token)) >= MOST_LINKS:
        raise InvalidInput(f"a cart has at most {MOST_LINKS} open links", remedy="revoke one first")
    secret = new_token()
    link = session.execute(
        insert(SharedBasketRow)
        .values(
            cart_id=cart.id,
            token_hash=token_hash(secret),
            name=name,
            created_at=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        .returning(*_LINK)
    ).one()
    return SharedLink(**link._mapping), secret


def list_links(session: Session, token: str | None) -> Sequence[SharedLink]:
    """The links to this shopper's cart, a hundred at most: those that nobody closed first, then by age."""
    rows = session.execute(
        select(*_LINK)
        .join(CartRow, CartRow.id == SharedBasketRow.cart_id)
        .where(owned_by(token))
        .order_by(SharedBasketRow.revoked_at.is_(None).desc(), SharedBasketRow.id.desc())
        .limit(2 * MOST_LINKS)
    ).all()
    return [SharedLink(**row._mapping) for row in rows]


def revoke_link(session: Session, token: str | None, link_id: str) -> None:
    """Close a link at once and for ever; again is harmless. Raises NotFound for anyone else's."""
    found = None
    if is_public_id(link_id):
        found = session.scalar(
            select(SharedBasketRow)
            .join(CartRow, CartRow.id == SharedBasketRow.cart_id)
            .where(owned_by(token), SharedBasketRow.public_id == link_id)
            .with_for_update(of=SharedBasketRow)
        )
    if found is None:
        raise NotFound("shared link", link_id)
    found.revoked_at = found.revoked_at or datetime.now(UTC)
    session.flush()


def open_shared_basket(
    session: Session,
    secret: str,
    *,
    assumed_shipping: Decimal,
    currency: str = "EUR",
    country: str | None = None,
    time_limit: float = 4.0,
) -> SharedBasket:
    """The live plan behind a link. Raises NotFound where it is unknown, revoked or expired, all alike."""
    link = session.execute(
        update(SharedBasketRow)
        .where(_opens(secret))
        .values(opened_at=datetime.now(UTC))
        .returning(SharedBasketRow.cart_id, SharedBasketRow.name, SharedBasketRow.expires_at)
    ).one_or_none()
    if link is None:
        raise NotFound("shared basket", "that this link could show")
    cart = CartKey(link.cart_id)
    stored = read_cart(session, cart)
    planned = None
    if stored is not None and stored.lines:
        planned = plan_cart(
            session,
            cart,
            assumed_shipping=assumed_shipping,
            currency=currency,
            country=country,
            time_limit=time_limit,
        )
    return SharedBasket(name=link.name, expires_at=link.expires_at, planned=planned)


def copy_shared_basket(session: Session, secret: str, token: str | None) -> Copied:
    """Put what a link shows into one's own cart. What lies there keeps the larger number, so twice is as once.

    Raises NotFound where the link shows nothing (any more).
    """
    cart_id = session.scalar(select(SharedBasketRow.cart_id).where(_opens(secret)))
    shared = None if cart_id is None else read_cart(session, CartKey(cart_id))
    if shared is None:
        raise NotFound("shared basket", "that this link could show")
    own, new_token = open_cart(session, token)
    there = {stored.product_id for stored in own.lines}
    wanted = {stored.product_id: stored.line.quantity for stored in shared.lines}
    no_room = fill_cart(session, own, wanted, at_least=True)
    return Copied(
        added=len(wanted.keys() - there - no_room),
        kept=len(wanted.keys() & there),
        no_room=tuple(stored.line.product.title for stored in shared.lines if stored.product_id in no_room),
        new_token=new_token,
    )


_LINK = (
    SharedBasketRow.public_id.label("id"),
    SharedBasketRow.name,
    SharedBasketRow.created_at,
    SharedBasketRow.expires_at,
    SharedBasketRow.revoked_at,
    SharedBasketRow.opened_at,
)


def _opens(secret: str) -> ColumnElement[bool]:
    """The condition that this secret opens a link now. What is too long to be one is hashed no further."""
    return (
        (SharedBasketRow.token_hash == token_hash(secret[:_LONGEST_TOKEN]))
        & SharedBasketRow.revoked_at.is_(None)
        & (SharedBasketRow.expires_at.is_(None) | (SharedBasketRow.expires_at > datetime.now(UTC)))
    )
