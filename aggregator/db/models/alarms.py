"""Alarms, and the outbox of notices that tell of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row


class AlarmRow(Public, Row):
    """Something an operator must know. `subject` tells two alarms of one kind apart; one of each is open."""

    __tablename__ = "alarms"
    __table_args__ = (
        CheckConstraint("state in ('open', 'acknowledged', 'closed')", name="state"),
        Index("uq_alarms_open", "kind", "subject", unique=True, postgresql_where=text("state <> 'closed'")),
        Index("ix_alarms_last_seen_at", "last_seen_at"),
        Index(
            "ix_alarms_untold",
            "id",
            postgresql_where=text("told_state is null or (told_state = 'open' and state = 'closed')"),
        ),
    )

    kind: Mapped[str]
    subject: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    store_id: Mapped[int | None] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"), index=True)
    message: Mapped[str]
    figures: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    sightings: Mapped[int] = mapped_column(server_default="1")
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    # Which of "open" and "closed" people were last told of.
    told_state: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    closed_at: Mapped[datetime | None]


class NoticeRow(Public, Created, Row):
    """One message on its way to one recipient; written in the transaction of what it tells, sent afterwards.

    `dedupe_key` makes a message that was asked for twice one; its public id is in the Message-ID of the mail and
    in the header of the webhook, so that a receiver can tell a repeat.
    """

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint("channel in ('mail', 'webhook', 'sms', 'push', 'messenger')", name="channel"),
        CheckConstraint("state in ('waiting', 'sent', 'given_up')", name="state"),
        Index("ix_notices_waiting", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_notices_created_at", "created_at"),
        Index("ix_notices_account_id", "account_id", postgresql_where=text("account_id is not null")),
    )

    topic: Mapped[str]
    channel: Mapped[str]
    # Whom it is for, where that is an account: the notice goes with it.
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    recipient: Mapped[str]
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    # {"subject", "text", "html"} of a mail; the JSON document of a webhook.
    content: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="waiting")
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    # Of whom has taken it to send it now; a sender that dies lets go of it when this time is over.
    taken_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    problem: Mapped[str | None]
