"""Notices: one message to one recipient, on its way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Channel = Literal["mail", "webhook", "sms", "push", "messenger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """A message to be sent. Of several with one `dedupe_key` the first is sent, the others are not kept.

    `content` is {"subject", "text", "html"} for a mail, {"text"} for an SMS, {"title", "text"} for a messenger,
    {"title", "text", "url", "tag"} for a browser, and the JSON document for a webhook; with "expires_at" (seconds since
    1970) it is not sent any more from then on. `topic` names what it is about ("alarms"); `recipient` is a mail
    address, a phone number, a web address, or the id of what an account subscribed with. `account_id` is whom it is
    for: it goes with the account.
    """

    topic: str
    channel: Channel
    recipient: str
    dedupe_key: str
    content: Mapping[str, Any]
    account_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message that somebody has taken to send it now. Its `id` stays the same however often it is tried."""

    id: str
    topic: str
    channel: Channel
    recipient: str
    content: Mapping[str, Any]
    attempts: int
    created_at: datetime
    account_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxState:
    """What waits, what was given up, and since when the oldest one is overdue."""

    waiting: int
    retried: int
    given_up: int
    oldest_waiting_at: datetime | None
    last_problem: str | None
