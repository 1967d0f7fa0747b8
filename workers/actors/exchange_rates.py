"""Reading exchange rates."""

from __future__ import annotations

import logging
from pathlib import Path

import dramatiq

from aggregator.catalog.exchange_rates import keep_rates, note_fetch, read_rates
from aggregator.domain.errors import Click2CartError
from aggregator.fetching import Fetcher
from aggregator.settings import Settings
from workers.context import current

log = logging.getLogger("click2cart.rates")
_MOST_BYTES = 2_000_000


# The clock asks again in some hours, so the queue need not try again by itself.
@dramatiq.actor(max_retries=0, time_limit=120_000, queue_name="upkeep")
def read_exchange_rates() -> None:
    """Read the rates of the set source and keep them; what is wrong is noted, and the old ones stay."""
    context = current()
    source = context.settings.exchange_rates
    try:
        rates = read_rates(_content(context.settings))
    except (Click2CartError, OSError) as error:
        with context.sessions.begin() as session:
            note_fetch(session, source, str(error)[:500])
        log.warning("no exchange rates: %s", error)
        return
    with context.sessions.begin() as session:
        kept = keep_rates(session, rates, source)
        note_fetch(session, source)
    log.info("%d exchange rates, the newest of %s", kept, max(rate.day for rate in rates))


def _content(settings: Settings) -> bytes:
    source = settings.exchange_rates
    if "://" not in source:
        with Path(source).open("rb") as file:
            return file.read(_MOST_BYTES)
    with Fetcher(settings, budget=8) as fetcher:
        return fetcher.get(source, max_bytes=_MOST_BYTES, max_seconds=30).expect_ok().body
