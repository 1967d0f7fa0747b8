"""Looking at an address that an operator wants added."""

from __future__ import annotations

import logging

import dramatiq
from dramatiq.middleware import Shutdown, TimeLimitExceeded

from aggregator.catalog.probes import begin_probe, fail_probe, finish_probe, leave_probe
from aggregator.domain.errors import Click2CartError
from spiders.detection import probe
from spiders.untrusted import storable
from workers.context import current

log = logging.getLogger("click2cart.probing")


# The clock asks again for what was lost, so the queue need not try again by itself.
@dramatiq.actor(max_retries=0, time_limit=240_000, notify_shutdown=True, queue_name="probing")
def probe_store(probe_id: str) -> None:
    """Probe the address of one waiting row; harmless when another worker was quicker."""
    context = current()
    with context.sessions.begin() as session:
        url = begin_probe(session, probe_id)
    if url is None:
        return
    try:
        result = probe(url, context.settings)
    except Shutdown:
        with context.sessions.begin() as session:
            leave_probe(session, probe_id)
        return
    except TimeLimitExceeded:
        with context.sessions.begin() as session:
            fail_probe(session, probe_id, "the site answers too slowly to be looked at")
        return
    except Exception as error:
        is_explained = isinstance(error, Click2CartError)
        problem = str(error) if is_explained else f"an error in the program: {type(error).__name__}: {error}"
        with context.sessions.begin() as session:
            fail_probe(session, probe_id, problem)
        if not is_explained:
            raise
        return
    with context.sessions.begin() as session:
        finish_probe(session, probe_id, storable(result.to_json()))
    log.info("%s: %s, %d requests", result.url, result.platform, result.requests)
