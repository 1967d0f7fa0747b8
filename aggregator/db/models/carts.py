"""Carts, and the hand-overs a checkout makes of them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row, Serial
from aggregator.db.models.offers import Price


class CartRow(Public, Created, Row):
    """One cart over all stores; a guest holds its token in a cookie, only the hash is kept."""

    __tablename__ = "carts"

    token_hash: Mapped[bytes | None] = mapped_column(BYTEA, unique=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    updated_at: Mapped[datetime]
    max_stores: Mapped[int | None]
    assumed_shipping: Mapped[Decimal | None] = mapped_column(Price)
    # Where the parcels go, by ISO 3166 code; null takes the site's.
    country: Mapped[str | None]
    # What else the shopper has and wants, see `PlanOptions`.
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class CartPlanRow(Row):
    """The plan last made for a cart, good as long as the digest of its inputs is the same."""

    __tablename__ = "cart_plans"

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(BYTEA)
    plan: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]


class CartLineRow(Public, Created, Row):
    """So many of one product, wherever they are cheapest, or from the offer that was pinned."""

    __tablename__ = "cart_lines"
    __table_args__ = (
        UniqueConstraint("cart_id", "product_id"),
        CheckConstraint("quantity between 1 and 999", name="quantity"),
    )

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)
    quantity: Mapped[int]
    pinned_offer_id: Mapped[int | None] = mapped_column(
        ForeignKey("offers.id", ondelete="SET NULL"), index=True
    )


class CheckoutRow(Public, Created, Row):
    """One hand-over of a planned cart; the plan is kept as it was shown."""

    __tablename__ = "checkouts"

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), index=True)
    plan: Mapped[dict[str, Any]]
    rest_planned_at: Mapped[datetime | None]


class HandOffRow(Public, Created, Row):
    """One store's part of a checkout. `lines` and `link` are kept as they were shown.

    It outlives its store, whose name it keeps. `paid`, `order_number` and `bought_on` are the shopper's own word.
    """

    __tablename__ = "hand_offs"
    __table_args__ = (
        UniqueConstraint("checkout_id", "store_id"),
        CheckConstraint(
            "state in ('waiting', 'opened', 'bought', 'shipped', 'delivered', 'returned', 'given_up')",
            name="state",
        ),
    )

    checkout_id: Mapped[int] = mapped_column(ForeignKey("checkouts.id", ondelete="CASCADE"))
    store_id: Mapped[int | None] = mapped_column(ForeignKey("stores.id", ondelete="SET NULL"), index=True)
    store_name: Mapped[str] = mapped_column(server_default="")
    position: Mapped[int]
    kind: Mapped[str]
    link: Mapped[dict[str, Any]]
    lines: Mapped[list[Any]]
    subtotal: Mapped[Decimal] = mapped_column(Price)
    shipping: Mapped[Decimal | None] = mapped_column(Price)
    currency: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="waiting")
    opened_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    paid: Mapped[Decimal | None] = mapped_column(Price)
    paid_currency: Mapped[str | None]
    order_number: Mapped[str | None]
    bought_on: Mapped[date | None]
    taken_out_at: Mapped[datetime | None]


class RateLimitRow(Serial, Row):
    """Attempts counted in a window, for when the broker is down: slower, never open."""

    __tablename__ = "rate_limits"
    __table_args__ = (UniqueConstraint("key", "window_starts_at"),)

    key: Mapped[str]
    window_starts_at: Mapped[datetime]
    attempts: Mapped[int]
