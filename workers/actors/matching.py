"""Matching what crawls brought."""

from __future__ import annotations

import logging

import dramatiq

from aggregator.catalog.matches import linking_turn
from matcher.catalogue_index import IndexPlace
from matcher.linker import link_pending_offers
from workers.context import current

log = logging.getLogger("click2cart.matching")


@dramatiq.actor(max_retries=0, time_limit=6 * 3600 * 1000, queue_name="matching")
def match_pending_offers() -> None:
    """Link all that is pending, until nothing is; does nothing while another process links."""
    context = current()
    index = IndexPlace(context.settings.data_dir / "matching-index")
    with linking_turn(context.sessions) as is_ours:
        while is_ours:
            report = link_pending_offers(context.sessions, index=index)
            if not report.linked:
                return
            log.info(
                "%d offers linked, %d products made, %d doubtful pairs",
                report.linked, report.products, report.doubtful,
            )  # fmt: skip
