"""Looking at chosen offers at all of their stores at once, within a few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from aggregator.catalog.host_politeness import SharedHosts, opted_out_hosts
from aggregator.db.session import Sessions
from aggregator.domain.errors import Click2CartError, StoreError
from aggregator.domain.live_checks import StoreToCheck
from aggregator.domain.offers import OfferState
from aggregator.fetching import Fetcher
from aggregator.fetching.politeness import SHARED_POLITENESS
from aggregator.platforms import get_platform
from aggregator.settings import Settings
from spiders.live_checks import unknown_state
from spiders.runner import opened_store

log = logging.getLogger(__name__)

# Told what a store said of its offers, in the order of its lines.
Keep = Callable[[StoreToCheck, Sequence[OfferState]], None]
_MOST_STORES_AT_ONCE = 16


def check_stores(
    settings: Settings, sessions: Sessions, stores: Sequence[StoreToCheck], keep: Keep, *, seconds: float
) -> None:
    """Ask every store for its offers, all stores at once, and hand each answer to `keep` as it comes.

    Returns after `seconds` at most; what is missing then is not waited for.
    """
    SHARED_POLITENESS.share(SharedHosts(sessions))
    with sessions.begin() as session:
        never_fetch = settings.never_fetch | opted_out_hosts(session).keys()
    settings = replace(settings, never_fetch=never_fetch)
    ends_at = time.monotonic() + seconds
    pool = ThreadPoolExecutor(_MOST_STORES_AT_ONCE, thread_name_prefix="live-check")
    asked = {pool.submit(_states, settings, one, ends_at): one for one in stores}
    try:
        for answer in as_completed(asked, timeout=seconds):
            keep(asked[answer], answer.result())
    except TimeoutError:
        log.info("%d of %d stores did not answer in time", sum(not one.done() for one in asked), len(asked))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _states(settings: Settings, one: StoreToCheck, ends_at: float) -> Sequence[OfferState]:
    try:
        platform = get_platform(one.store.platform)
        store = opened_store(settings, one.store, platform.secret_options)
        with Fetcher(settings, within=ends_at - time.monotonic()) as fetcher:
            states = platform.check_offers(store, one.lines, fetcher)
        if [state.external_id for state in states] == [line.external_id for line in one.lines]:
            return states
        problem = f"was not answered by its platform {platform.name}"
    except StoreError as error:
        problem = error.problem
    except Click2CartError as error:
        problem = str(error)
    except Exception as error:  # a plug-in of somebody else's may fail in any way, and other stores must not
        log.exception("%s: its offers could not be looked at", one.store.slug)
        problem = f"an error in the program: {type(error).__name__}"
    return [unknown_state(line.external_id, problem) for line in one.lines]
