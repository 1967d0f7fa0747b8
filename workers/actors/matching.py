"""Matching what crawls brought."""

from __future__ import annotations

import logging

import dramatiq

from matcher.linker import link_pending_offers
from workers.context import current

log = logging.getLogger("click2cart.matching")


@dramatiq.actor(max_retries=0, time_limit=6 * 3600 * 1000, queue_name="matching")
def match_pending_offers() -> None:
    """Link all that is pending, until nothing is; harmless when two workers do so at once."""
    context = current()
    while True:
        report = link_pending_offers(context.sessions)
        if not report.linked:
            return
        log.info(
            "%d offers linked, %d products made, %d doubtful pairs",
            report.linked, report.products, report.doubtful,
        )  # fmt: skip
