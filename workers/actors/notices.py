"""Sending what waits in the outbox."""

from __future__ import annotations

import dramatiq

from workers.context import current
from workers.telling import deliver_notices


# The clock asks again for what was not sent, so the queue need not try again by itself.
@dramatiq.actor(max_retries=0, time_limit=3_600_000, queue_name="notices")
def send_notices() -> None:
    """Hand over all notices that are due; harmless when another worker was quicker."""
    context = current()
    deliver_notices(context.settings, context.sessions)
