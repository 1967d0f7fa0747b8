"""The worker process: takes jobs from the queue until told to stop."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import signal
import threading

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


def start_worker(threads: int) -> dramatiq.Worker:
    """A worker in this process that takes jobs from all queues of the broker that is set now."""
    broker = dramatiq.get_broker()
    # dramatiq's own command says so; what watches over time limits starts at it.
    broker.emit_after("process_boot")
    worker = dramatiq.Worker(broker, worker_threads=threads)
    worker.start()
    return worker


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # A line for each request would fill the disk, and a feed's address may hold a key.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with working(settings) as context:
        load_actors()
        worker = start_worker(settings.worker_threads)
        with checking(context), beating(context.sessions, "worker"):
            try:
                stop.wait()
            finally:
                worker.stop(timeout=_PATIENCE_MS)
