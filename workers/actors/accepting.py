"""Merging held runs that a person accepted."""

from __future__ import annotations

import logging

import dramatiq

from aggregator.catalog.held_runs import accept_next
from workers.context import current

log = logging.getLogger("click2cart.accepting")


# The clock asks again for what was not done, so the queue need not try again by itself.
@dramatiq.actor(max_retries=0, time_limit=3_600_000, queue_name="upkeep")
def accept_held_runs() -> None:
    """Merge all that wait, each in a transaction of its own; safe twice, and to be killed."""
    context = current()
    while True:
        with context.sessions.begin() as session:
            report = accept_next(session)
        if report is None:
            return
        log.info("run %s: %d new, %d changed, %d gone", report.run, report.new, report.changed, report.gone)
