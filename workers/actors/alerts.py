"""Looking at price alerts, and telling what fired."""

from __future__ import annotations

import dramatiq

from aggregator.shopping.alert_telling import tell_alerts
from aggregator.shopping.alert_watching import watch_alerts
from workers.context import current


# The clock asks again for what was left, so the queue need not try again by itself.
@dramatiq.actor(max_retries=0, max_age=60_000, time_limit=3_600_000, queue_name="alerts")
def look_at_alerts() -> None:
    """Look at the alerts of what changed, then write the notices that may be written now."""
    context = current()
    with context.sessions.begin() as session:
        watch_alerts(session, country=context.settings.country)
    after: int | None = 0
    while after is not None:
        with context.sessions.begin() as session:
            after = tell_alerts(session, context.settings, after=after).last_account
