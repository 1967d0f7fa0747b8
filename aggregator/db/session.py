"""Engines and sessions. Transactions begin and end at the edges: request, actor, command, sink flush."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from aggregator.domain.errors import EnvironmentProblem
from aggregator.settings import Settings

Sessions = sessionmaker[Session]


def engine_for(database_url: str, *, pool_size: int = 5) -> Engine:
    """An engine for a PostgreSQL URL in any common spelling; connections are checked before use."""
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError) as error:
        raise EnvironmentProblem(
            "DATABASE_URL cannot be read; write it as postgresql://user:password@host:5432/name"
        ) from error
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername != "postgresql+psycopg":
        raise EnvironmentProblem(
            f"DATABASE_URL names {url.drivername}; use postgresql://user:password@host/name"
        )
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=10,
        connect_args={"connect_timeout": 10, "options": "-c timezone=UTC"},
    )


def check_connection(engine: Engine) -> None:
    """Raise EnvironmentProblem with one clear line where the database cannot be reached."""
    try:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))
    except OperationalError as error:
        cause = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
        shown = engine.url.render_as_string(hide_password=True)
        raise EnvironmentProblem(
            f"cannot reach the database at {shown}: {cause}; check DATABASE_URL and that the server runs"
        ) from error


def database_now(session: Session) -> datetime:
    """The time by the database's clock: the one that all processes share.

    What one process writes and another judges by its age (heartbeats, due times) is told by this clock, since
    those of two machines differ and one may be set while they run.
    """
    now: datetime = session.execute(sqlalchemy.select(sqlalchemy.func.clock_timestamp())).scalar_one()
    return now


@contextmanager
def database(settings: Settings) -> Iterator[Sessions]:
    """Sessions on the configured database, migrated; starts the embedded one if none runs.

    The embedded server stops when its last user leaves.
    """
    from aggregator.db.embedded import embedded_services
    from aggregator.db.migrate import migrate

    with embedded_services(settings, with_broker=False) as services:
        engine = engine_for(services.database_url)
        try:
            check_connection(engine)
            migrate(engine)
            yield sessionmaker(engine, expire_on_commit=False)
        finally:
            engine.dispose()
