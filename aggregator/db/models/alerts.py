"""Price alerts of accounts, what they found, and how the account wants to be told."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row, Serial
from aggregator.db.models.offers import Price


class AlertRow(Public, Created, Row):
    """One alert. `is_armed` and `told` say what was found when it was last looked at."""

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint("rule in ('below', 'percent', 'low_30', 'low_ever', 'in_stock')", name="rule"),
        CheckConstraint("percent between 1 and 99", name="percent"),
        CheckConstraint("amount > 0", name="amount"),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)
    rule: Mapped[str]
    amount: Mapped[Decimal | None] = mapped_column(Price)
    percent: Mapped[int | None]
    currency: Mapped[str]
    with_shipping: Mapped[bool] = mapped_column(server_default=text("false"))
    # Keys of the stores that count; empty for any.
    store_ids: Mapped[list[int]] = mapped_column(server_default=text("'{}'::bigint[]"))
    price_then: Mapped[Decimal | None] = mapped_column(Price)
    is_on: Mapped[bool] = mapped_column(server_default=text("true"))
    is_armed: Mapped[bool] = mapped_column(server_default=text("true"))
    told: Mapped[Decimal | None] = mapped_column(Price)
    snoozed_until: Mapped[datetime | None]
    fired_at: Mapped[datetime | None]


class AlertEventRow(Public, Created, Row):
    """An alert that fired, until its account was told and afterwards."""

    __tablename__ = "alert_events"
    __table_args__ = (
        Index("ix_alert_events_untold", "account_id", postgresql_where=text("told_at is null")),
        Index("ix_alert_events_created_at", "created_at"),
    )

    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    price: Mapped[Decimal] = mapped_column(Price)
    total: Mapped[Decimal | None] = mapped_column(Price)
    currency: Mapped[str]
    store_name: Mapped[str]
    told_at: Mapped[datetime | None]


class AlertWishesRow(Row):
    """When an account wants to be told, and where besides by mail.

    `webhook_key_sealed` signs what is posted to its webhook; `feed_hash` is of the token of its feed's address.
    """

    __tablename__ = "alert_wishes"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    time_zone: Mapped[str]
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    digest_hour: Mapped[int | None]
    most_a_day: Mapped[int]
    by_mail: Mapped[bool]
    webhook: Mapped[str | None]
    webhook_key_sealed: Mapped[str | None]
    feed_hash: Mapped[bytes | None] = mapped_column(BYTEA, unique=True)


class PushSubscriptionRow(Public, Created, Row):
    """A browser that shows an account's notices; its address and keys are encrypted, found by a keyed hash."""

    __tablename__ = "push_subscriptions"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    endpoint_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    content_sealed: Mapped[str]
    device: Mapped[str | None]


class AlertMessengerRow(Public, Created, Row):
    """A messenger's address that an account is told at; the address is encrypted, since it opens the messenger."""

    __tablename__ = "alert_messengers"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    service: Mapped[str]
    address_sealed: Mapped[str]


class AlertPositionRow(Serial, Row):
    """The row of `search_changes` up to which the alerts were looked at; one row in all."""

    __tablename__ = "alert_position"

    number: Mapped[int]
    changed_at: Mapped[datetime]
