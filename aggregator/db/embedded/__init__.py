"""PostgreSQL and Valkey from wheels: started by their first user, stopped when the last one leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aggregator.db.embedded.layout import DataLayout
from aggregator.db.embedded.locks import join_users, leave_users, starting_or_stopping
from aggregator.db.embedded.postgres import ensure_postgres, postgres_runs, stop_postgres
from aggregator.db.embedded.valkey import ensure_valkey, stop_valkey, valkey_runs
from aggregator.settings import Settings

__all__ = ["Services", "embedded_services", "restart_what_fell"]


@dataclass(frozen=True, slots=True)
class Services:
    """Where the servers answer. `redis_url` is None when no broker was asked for and none is set."""

    database_url: str
    redis_url: str | None


@contextmanager
def embedded_services(settings: Settings, *, with_broker: bool) -> Iterator[Services]:
    """The servers that this process needs, for as long as it needs them.

    What DATABASE_URL or REDIS_URL names is passed on as it is, unchecked. The rest runs on
    `settings.data_dir`: this process adopts what runs there or starts it, and the last user that leaves stops
    it. A user that is killed counts as gone, and what it leaves running is adopted by the next.
    Raises EnvironmentProblem with one line for a person.
    """
    if settings.database_url and (settings.redis_url or not with_broker):
        yield Services(settings.database_url, settings.redis_url)
        return
    layout = DataLayout.at(settings.data_dir)
    layout.prepare()
    with starting_or_stopping(layout):
        membership = join_users(layout)
        try:
            services = _ensure_services(settings, layout, with_broker=with_broker)
        except BaseException:
            _leave(layout, membership)
            raise
    try:
        yield services
    finally:
        with starting_or_stopping(layout):
            _leave(layout, membership)


def restart_what_fell(settings: Settings, *, with_broker: bool) -> bool:
    """Start again what died under its users, on the same ports if they are free; True when something had."""
    layout = DataLayout.at(settings.data_dir)
    database_stands = bool(settings.database_url) or postgres_runs(layout)
    broker_stands = bool(settings.redis_url) or not with_broker or valkey_runs(layout)
    if database_stands and broker_stands:
        return False
    with starting_or_stopping(layout):
        _ensure_services(settings, layout, with_broker=with_broker)
    return True


def _ensure_services(settings: Settings, layout: DataLayout, *, with_broker: bool) -> Services:
    database_url = settings.database_url or ensure_postgres(layout).url
    redis_url = settings.redis_url or (ensure_valkey(layout).url if with_broker else None)
    return Services(database_url, redis_url)


def _leave(layout: DataLayout, membership: int) -> None:
    if leave_users(layout, membership):
        stop_valkey(layout)
        stop_postgres(layout)
