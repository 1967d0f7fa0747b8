"""Chosen offers looked at once more, just before their shopper goes to buy them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row, Serial
from aggregator.db.models.offers import Price


class LiveCheckRow(Public, Created, Row):
    """One look at all offers of a checkout: asked for by a page, done by a worker."""

    __tablename__ = "live_checks"
    __table_args__ = (
        CheckConstraint("state in ('waiting', 'running', 'done')", name="state"),
        Index("ix_live_checks_open", "created_at", postgresql_where=text("state <> 'done'")),
        # What is forgotten after a day.
        Index("ix_live_checks_created_at", "created_at"),
    )

    checkout_id: Mapped[int] = mapped_column(ForeignKey("checkouts.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(server_default="waiting")
    # When a worker took it, and when it was through.
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class LiveCheckOfferRow(Serial, Row):
    """One offer of a check: what was known when it was asked for, and what its store says now."""

    __tablename__ = "live_check_offers"
    __table_args__ = (
        UniqueConstraint("check_id", "offer_id"),
        CheckConstraint(
            "state in ('waiting', 'same', 'changed', 'sold_out', 'doubtful', 'unverified')", name="state"
        ),
        Index("ix_live_check_offers_offer_id_checked_at", "offer_id", text("checked_at desc")),
    )

    check_id: Mapped[int] = mapped_column(ForeignKey("live_checks.id", ondelete="CASCADE"))
    offer_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("offers.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(server_default="waiting")
    quantity: Mapped[int]
    price_before: Mapped[Decimal] = mapped_column(Price)
    currency_before: Mapped[str]
    # What the store says now; null where it says nothing.
    price: Mapped[Decimal | None] = mapped_column(Price)
    price_currency: Mapped[str | None]
    availability: Mapped[str | None]
    stock_level: Mapped[int | None]
    problem: Mapped[str | None]
    checked_at: Mapped[datetime | None]
