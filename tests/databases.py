"""Databases of a test's own on the server that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from aggregator.db.session import engine_for
from aggregator.settings import Settings


def name_beside(settings: Settings, ending: str) -> str:
    """A name that goes with the tests' own database, so that runs side by side do not meet."""
    assert settings.database_url is not None
    return f"{make_url(settings.database_url).database}_{ending}"


@contextmanager
def fresh_database(
    settings: Settings, name: str, *, template: str | None = None
) -> Iterator[tuple[Settings, Engine]]:
    """A database made anew, empty or as the template is: settings that name it, and an engine on it."""
    drop_database(settings, name)
    with _server(settings) as connection:
        connection.execute(text(f"create database {name}" + (f" template {template}" if template else "")))
    assert settings.database_url is not None
    url = make_url(settings.database_url).set(database=name).render_as_string(hide_password=False)
    engine = engine_for(url)
    try:
        yield replace(settings, database_url=url), engine
    finally:
        engine.dispose()


def drop_database(settings: Settings, name: str) -> None:
    """Whoever is connected to it."""
    with _server(settings) as connection:
        # Not "with (force)": that may not end the server's own cleaning, which a plain drop asks to leave.
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = :name and usename = current_user"
            ),
            {"name": name},
        )
        connection.execute(text(f"drop database if exists {name}"))


@contextmanager
def _server(settings: Settings) -> Iterator[sqlalchemy.Connection]:
    assert settings.database_url is not None
    engine = engine_for(settings.database_url)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    finally:
        engine.dispose()
