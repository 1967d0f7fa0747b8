"""Keeping the search index in step."""

from __future__ import annotations

import logging

import dramatiq

from aggregator.catalog.search_index import IndexPlace
from aggregator.catalog.search_sync import synchronise
from workers.context import current

log = logging.getLogger("click2cart.search")


# Before all else that waits: what shoppers see hangs on it, and it is short.
@dramatiq.actor(max_retries=0, max_age=60_000, time_limit=3_600_000, priority=-10, queue_name="search")
def update_search_index() -> None:
    """Take up what changed; does nothing while another job does."""
    context = current()
    report = synchronise(context.sessions, IndexPlace.at(context.settings.data_dir, context.settings.country))
    if report.done == "rebuilt":
        log.info("the search index was made anew, with %d products", report.products)
