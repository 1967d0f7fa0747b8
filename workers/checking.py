"""Looking at chosen offers for shoppers who are about to buy them: they wait, so nothing else takes these threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from aggregator.domain.live_checks import CheckToDo, StoreToCheck
from aggregator.domain.offers import OfferState
from aggregator.shopping.live_checks import PATIENCE_SECONDS, begin_check, finish_check, keep_states
from spiders.offer_checks import check_stores
from workers.context import WorkContext

log = logging.getLogger("click2cart.checking")

LOOK_SECONDS = 0.3
_AT_ONCE = 4
_AFTER_A_FAILURE = 5.0


@contextmanager
def checking(context: WorkContext) -> Iterator[None]:
    """Do the checks that pages ask for, until the block ends."""
    stop = threading.Event()
    lookout = threading.Thread(target=_look, args=(context, stop), name="checking", daemon=True)
    lookout.start()
    try:
        yield
    finally:
        stop.set()
        lookout.join(timeout=2 * PATIENCE_SECONDS)


def do_check(context: WorkContext, check: CheckToDo) -> None:
    """Ask the stores of a check that was taken, and keep what they say."""

    def keep(one: StoreToCheck, states: Sequence[OfferState]) -> None:
        with context.sessions.begin() as session:
            keep_states(session, one.rows, states)

    began = time.monotonic()
    try:
        check_stores(context.settings, context.sessions, check.stores, keep, seconds=PATIENCE_SECONDS)
    except Exception:
        log.exception("a check was broken off")
    with context.sessions.begin() as session:
        finish_check(session, check.id)
    log.info("%d stores looked at in %.1f s", len(check.stores), time.monotonic() - began)


def _look(context: WorkContext, stop: threading.Event) -> None:
    free = threading.Semaphore(_AT_ONCE)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="checking") as pool:
        pause = 0.0
        while not stop.wait(pause):
            free.acquire()
            try:
                with context.sessions.begin() as session:
                    check = begin_check(session)
            except SQLAlchemyError as error:
                log.warning("no check was looked for: %s", str(error).splitlines()[0])
                check, pause = None, _AFTER_A_FAILURE
            else:
                # Where one waited, another may.
                pause = LOOK_SECONDS if check is None else 0.0
            if check is None:
                free.release()
            else:
                pool.submit(do_check, context, check).add_done_callback(lambda _: free.release())
