"""What every actor of this process works with; set once when the process starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy.orm import sessionmaker

from aggregator.db.embedded import embedded_services
from aggregator.db.migrate import migrate
from aggregator.db.session import Sessions, check_connection, engine_for
from aggregator.settings import Settings


@dataclass(frozen=True, slots=True)
class WorkContext:
    """Settings and sessions of this process."""

    settings: Settings
    sessions: Sessions


_current: WorkContext | None = None


def current() -> WorkContext:
    """The process's context; actors run only inside `working`."""
    assert _current is not None, "an actor ran outside a worker"
    return _current


@contextmanager
def working(settings: Settings) -> Iterator[WorkContext]:
    """Connect this process to the database and the broker, migrated, and let actors find both."""
    global _current
    with embedded_services(settings, with_broker=True) as services:
        engine = engine_for(services.database_url, pool_size=2 * settings.worker_threads + 2)
        broker = RedisBroker(url=services.redis_url)  # type: ignore[no-untyped-call]  # dramatiq leaves it untyped
        try:
            check_connection(engine)
            migrate(engine)
            dramatiq.set_broker(broker)
            _current = WorkContext(settings, sessionmaker(engine, expire_on_commit=False))
            yield _current
        finally:
            _current = None
            broker.close()
            engine.dispose()
