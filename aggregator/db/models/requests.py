"""Requests to the API that may be sent again."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Row, Serial


class RepeatedRequestRow(Serial, Created, Row):
    """What a request with an idempotency key was answered; `name` is a hash of its owner and key."""

    __tablename__ = "repeated_requests"
    __table_args__ = (Index("ix_repeated_requests_created_at", "created_at"),)

    name: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    request_digest: Mapped[bytes] = mapped_column(BYTEA)
    status: Mapped[int]
    content_type: Mapped[str]
    body: Mapped[bytes] = mapped_column(BYTEA)
