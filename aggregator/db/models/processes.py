"""Who works on this database: workers and clocks with their heartbeats, and how long their queues are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Row


class ProcessRow(Row):
    """One worker or clock; it goes when the process ends in good order, or when it was silent for a day."""

    __tablename__ = "processes"
    __table_args__ = (CheckConstraint("kind in ('worker', 'clock')", name="kind"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    is_leader: Mapped[bool] = mapped_column(server_default=text("false"))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class QueueRow(Row):
    """One queue of the broker as a worker last saw it; `waiting` jobs are not taken by anybody yet."""

    __tablename__ = "queues"

    name: Mapped[str] = mapped_column(primary_key=True)
    waiting: Mapped[int]
    # Since when jobs have waited without a break; null while none does.
    waiting_since: Mapped[datetime | None]
    seen_at: Mapped[datetime]
