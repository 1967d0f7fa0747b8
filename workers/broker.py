"""The worker process: takes jobs from the queue until told to stop."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import dramatiq
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aggregator.settings import Settings
from workers.checking import checking
from workers.context import working
from workers.heartbeat import beating

# A crawl that is interrupted leaves its run to be taken up, so waiting long for it gains nothing.
_PATIENCE_MS = 10_000
CRAWLING = "crawling"


def load_actors() -> None:
    """Declare every actor on the broker that is set now; call it after the broker is set."""
    package = importlib.import_module("workers.actors")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"workers.actors.{module.name}")


def broker_answers(redis_url: str) -> bool:
    """Whether Redis or Valkey can be worked with there, asked once."""
    try:
        with redis.Redis.from_url(
            redis_url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0)
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@contextmanager
def taking_jobs(threads: int) -> Iterator[None]:
    """Inside, this process takes jobs from all queues of the broker that is set now.

    Crawls have so many threads to themselves and everything else as many: stores that answer slowly keep no match,
    notice or probe waiting. Jobs that still run at the end are told so.
    """
    broker = dramatiq.get_broker()
    # dramatiq's own command says so; what watches over time limits starts at it.
    broker.emit_after("process_boot")
    others = broker.get_declared_queues() - {CRAWLING}
    workers = [dramatiq.Worker(broker, queues={CRAWLING}, worker_threads=threads)]
    if others:
        workers.append(dramatiq.Worker(broker, queues=others, worker_threads=threads))
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        with ThreadPoolExecutor(len(workers)) as pool:
            list(pool.map(lambda worker: worker.stop(timeout=_PATIENCE_MS), workers))


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # A line for each request would fill the disk, and a feed's address may hold a key.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # It warns of every second worker of a process, of which ours has two.
    logging.getLogger("dramatiq.broker").setLevel(logging.ERROR)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with working(settings) as context:
        load_actors()
        with taking_jobs(settings.worker_threads), checking(context), beating(context.sessions, "worker"):
            stop.wait()
