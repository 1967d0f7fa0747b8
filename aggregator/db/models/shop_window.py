"""What the shop window shows beside products: pictures on their way, categories that operators set, price drops."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, Numeric, func, text
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Row, Serial
from aggregator.db.models.offers import Price


class PictureRow(Row):
    """A store's picture that somebody wanted to see; `next_try_at` is null where there is nothing left to do.

    `digest` is of the address, which some product had when it was asked for.
    """

    __tablename__ = "pictures"
    __table_args__ = (
        Index("ix_pictures_next_try_at", "next_try_at", postgresql_where=text("next_try_at is not null")),
        Index("ix_pictures_asked_at", "asked_at"),
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_try_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default="0")
    problem: Mapped[str | None]


class CategoryRuleRow(Serial, Created, Row):
    """An operator's word: products that stores file under this path belong to that category of the taxonomy."""

    __tablename__ = "category_rules"

    path: Mapped[str] = mapped_column(unique=True)
    category_key: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"), index=True)


class PriceDropRow(Row):
    """A product whose lowest price fell below the lowest of the 30 days before; `share` of one is what it fell by."""

    __tablename__ = "price_drops"
    __table_args__ = (Index("ix_price_drops_dropped_at", "dropped_at"),)

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
    price: Mapped[Decimal] = mapped_column(Price)
    price_currency: Mapped[str]
    lowest_before: Mapped[Decimal] = mapped_column(Price)
    share: Mapped[Decimal] = mapped_column(Numeric(6, 4))
    dropped_at: Mapped[datetime]
