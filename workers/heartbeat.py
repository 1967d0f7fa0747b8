"""The heartbeat of a worker or clock: a thread that says every few seconds that the process lives."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from aggregator.catalog.processes import forget_process, note_process, note_queues
from aggregator.db.session import Sessions
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.processes import ProcessKind

log = logging.getLogger("click2cart.heartbeat")

BEAT_SECONDS = 5.0


@contextmanager
def beating(
    sessions: Sessions, kind: ProcessKind, *, leads: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Keep this process known as alive while the block runs; a database that is away is tried again."""
    process_id = new_public_id()
    is_over = threading.Event()

    def beat() -> None:
        try:
            waiting = queue_lengths() if kind == "worker" else {}
            with sessions.begin() as session:
                note_process(
                    session,
                    process_id,
                    kind=kind,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    version=version("click2cart"),
                    is_leader=leads(),
                )
                note_queues(session, waiting)
        except SQLAlchemyError:
            log.warning("the database does not answer; this process cannot say that it lives")

    def keep_beating() -> None:
        beat()
        while not is_over.wait(BEAT_SECONDS):
            beat()

    heart = threading.Thread(target=keep_beating, name="heartbeat", daemon=True)
    heart.start()
    try:
        yield
    finally:
        is_over.set()
        heart.join()
        with suppress(SQLAlchemyError), sessions.begin() as session:
            forget_process(session, process_id)


def queue_lengths() -> dict[str, int]:
    """Jobs that wait in each queue of the broker, delayed ones too; empty while it does not answer."""
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    names = sorted(broker.get_declared_queues())
    try:
        return {
            name: sum(int(broker.client.llen(f"{broker.namespace}:{key}")) for key in (name, f"{name}.DQ"))
            for name in names
        }
    except RedisError:
        log.warning("the broker does not answer; the lengths of its queues are unknown")
        return {}
