"""Wishlists."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row
from aggregator.db.models.offers import Price


class WishlistRow(Public, Created, Row):
    """A list of whoever the cart belongs to; `share_hash` is of the token of its link, if it has one."""

    __tablename__ = "wishlists"

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(server_default="")
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    share_hash: Mapped[bytes | None] = mapped_column(BYTEA, unique=True)
    updated_at: Mapped[datetime]


class WishlistItemRow(Public, Created, Row):
    """A product on a list, with its lowest price when it was put there."""

    __tablename__ = "wishlist_items"
    __table_args__ = (UniqueConstraint("wishlist_id", "product_id"),)

    wishlist_id: Mapped[int] = mapped_column(ForeignKey("wishlists.id", ondelete="CASCADE"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)
    price: Mapped[Decimal | None] = mapped_column(Price)
    price_currency: Mapped[str | None]
