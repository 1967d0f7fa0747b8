"""Exchange rates, and when their source was last asked."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Row


class ExchangeRateRow(Row):
    """So many units of a currency were one euro on that day."""

    __tablename__ = "exchange_rates"
    __table_args__ = (CheckConstraint("rate > 0", name="rate"),)

    currency: Mapped[str] = mapped_column(primary_key=True)
    rate_date: Mapped[date] = mapped_column(Date, primary_key=True)
    rate: Mapped[Decimal] = mapped_column(Numeric(20, 10))
    source: Mapped[str]


class ExchangeRateFetchRow(Row):
    """When a source of rates was last asked, when it last answered, and what was wrong since."""

    __tablename__ = "exchange_rate_fetches"

    source: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    problem: Mapped[str | None]
