"""What became of each store's part of a checkout, baskets shared by link, and lists that were pasted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row, Serial


class HandOffEventRow(Serial, Created, Row):
    """One change of a part's state. What is taken back stays, with the moment it was taken back."""

    __tablename__ = "hand_off_events"

    hand_off_id: Mapped[int] = mapped_column(ForeignKey("hand_offs.id", ondelete="CASCADE"), index=True)
    state: Mapped[str]
    note: Mapped[str] = mapped_column(server_default="")
    taken_back_at: Mapped[datetime | None]


class SharedBasketRow(Public, Created, Row):
    """A read-only link to a cart; only the hash of its token is kept."""

    __tablename__ = "shared_baskets"

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]


class PastedListRow(Public, Created, Row):
    """A shopping list that was pasted, on its way into a cart."""

    __tablename__ = "pasted_lists"

    cart_id: Mapped[int] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), index=True)


class PastedLineRow(Public, Row):
    """One line of a pasted list: as it was written, what is looked for, and what was chosen for it."""

    __tablename__ = "pasted_lines"
    __table_args__ = (
        UniqueConstraint("list_id", "position"),
        CheckConstraint("quantity between 1 and 999", name="quantity"),
        CheckConstraint("state in ('open', 'added', 'left_out')", name="state"),
        Index("ix_pasted_lines_product_id", "product_id"),
    )

    list_id: Mapped[int] = mapped_column(ForeignKey("pasted_lists.id", ondelete="CASCADE"))
    position: Mapped[int]
    text: Mapped[str]
    wording: Mapped[str]
    quantity: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="open")
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"))
