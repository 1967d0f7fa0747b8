"""Removing stores that an admin wants gone."""

from __future__ import annotations

import logging

import dramatiq

from aggregator.catalog.store_removal import remove_step
from workers.context import current

log = logging.getLogger("click2cart.removal")


@dramatiq.actor(max_retries=0, time_limit=6 * 3600 * 1000, queue_name="upkeep")
def remove_stores() -> None:
    """Delete step by step until nothing is left; safe twice, the next one goes on where this one stopped."""
    context = current()
    steps, is_left = 0, True
    while is_left:
        with context.sessions.begin() as session:
            is_left = remove_step(session)
        steps += is_left
    if steps:
        log.info("stores were removed in %d steps", steps)
