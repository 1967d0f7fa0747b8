"""Housekeeping."""

from __future__ import annotations

import dramatiq

from aggregator.catalog.retention import Retention, forget_old
from workers.context import current


@dramatiq.actor(max_retries=0, queue_name="upkeep")
def forget_old_rows() -> None:
    """Delete what is past its time, in small transactions."""
    context = current()
    retention = Retention.from_settings(context.settings)
    deleted = True
    while deleted:
        with context.sessions.begin() as session:
            deleted = any(forget_old(session, retention=retention).values())
