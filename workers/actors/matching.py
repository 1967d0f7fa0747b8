"""Matching what crawls brought."""

from __future__ import annotations

import logging

import dramatiq
from matcher.linker import link_pending_offers

from workers.context import current

log = logging.getLogger("click2cart.matching")


@dramatiq.actor(max_retries=0, time_limit=6 * 3600 * 1000, queue_name="matching")
def match_pending_offers() -> None:
    """Link all pending offers; does nothing while another worker links, or when nothing is pending."""
    context = current()
    while True:
        with context.sessions.begin() as session:
            report = link_pending_offers(session)
        if report is None or not report.linked:
            return
        log.info(
            "%d offers linked, %d products made, %d doubtful pairs",
            report.linked, report.products, report.doubtful,
        )  # fmt: skip
