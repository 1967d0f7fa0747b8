"""Crawling a store that is due."""

from __future__ import annotations

import logging

import dramatiq
from dramatiq.middleware import Interrupt

from aggregator.catalog.runs import leave_run
from aggregator.domain.errors import Conflict, NotFound, StoreError
from spiders.runner import crawl_store as read_store
from workers.broker import CRAWLING
from workers.context import current

log = logging.getLogger("click2cart.crawling")

_A_DAY = 24 * 3600 * 1000


# The clock asks again for what was not done, so the queue need not try again by itself.
# Whatever else waits goes first when a thread is free: a crawl may take hours, all else takes minutes.
@dramatiq.actor(max_retries=0, time_limit=_A_DAY, notify_shutdown=True, priority=10, queue_name=CRAWLING)
def crawl_store(slug: str) -> None:
    """Crawl one store if it is due; harmless when it is not, or when another worker was quicker."""
    context = current()
    try:
        report = read_store(context.settings, context.sessions, slug, trigger="schedule", only_if_due=True)
    except Interrupt:
        with context.sessions.begin() as session:
            leave_run(session, slug)
        log.info("%s: broken off because this worker stops; the next one takes it up", slug)
        return
    except (Conflict, NotFound, StoreError) as error:
        log.warning("%s", error)
        return
    if report is None:
        return
    log.info(
        "%s: %s, %d seen, %d new, %d changed, %d gone, %d quarantined",
        slug, report.state, report.seen, report.new, report.changed, report.gone, report.quarantined,
    )  # fmt: skip
