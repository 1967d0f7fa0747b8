"""The inbox of the demo: mails and messages that stay on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.db.models import NoticeRow
from aggregator.domain.notices import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """A mail or an SMS as its recipient would read it."""

    id: str
    channel: Channel
    recipient: str
    subject: str
    text: str
    at: datetime


def list_inbox(session: Session, *, recipient: str | None = None, limit: int = 50) -> list[InboxMessage]:
    """The newest mails and messages first, to one recipient where given."""
    query = select(NoticeRow).where(NoticeRow.channel.in_(("mail", "sms")))
    if recipient:
        query = query.where(NoticeRow.recipient == recipient)
    rows = session.scalars(query.order_by(NoticeRow.id.desc()).limit(limit))
    return [_message(row, row.content) for row in rows]


def _message(row: NoticeRow, content: Mapping[str, Any]) -> InboxMessage:
    return InboxMessage(
        id=row.public_id,
        channel=row.channel,  # type: ignore[arg-type]  # the table's check constraint holds the same words
        recipient=row.recipient,
        subject=str(content.get("subject", "")),
        text=str(content.get("text", "")),
        at=row.created_at,
    )
