"""Forgetting what nobody needs any more, in steps small enough not to hold anybody up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

# (table, condition on :before, how long it is kept). Price history is kept for good.
_KEPT = (
    ("quarantined_offers", "created_at < :before", timedelta(days=30)),
    ("runs", "state <> 'running' and state <> 'held' and started_at < :before", timedelta(days=90)),
    ("probes", "created_at < :before", timedelta(days=30)),
    ("sign_in_links", "expires_at < :before", timedelta(days=1)),
    ("account_sessions", "expires_at < :before", timedelta(days=1)),
    ("rate_limits", "window_starts_at < :before", timedelta(days=1)),
    ("carts", "account_id is null and updated_at < :before", timedelta(days=90)),
)


def forget_old(session: Session, *, now: datetime | None = None, at_most: int = 10_000) -> dict[str, int]:
    """Delete what is past its time, at most so many rows a table and call; rows deleted by table."""
    now = now or datetime.now(UTC)
    deleted = {}
    for table, condition, kept in _KEPT:
        result = session.execute(
            text(
                f"delete from {table} where ctid in (select ctid from {table} where {condition} limit :at_most)"
            ),
            {"before": now - kept, "at_most": at_most},
        )
        deleted[table] = int(result.rowcount)  # type: ignore[attr-defined]  # a cursor result
    return deleted
