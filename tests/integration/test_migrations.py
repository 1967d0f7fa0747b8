"""The migrations lead to the tables that the program works with, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

import aggregator.db
from aggregator.db.base import Row
from aggregator.db.migrate import migrate
from aggregator.db.models import StoreRow
from aggregator.settings import Settings
from tests.databases import drop_database, fresh_database, name_beside


@pytest.fixture
def fresh(settings: Settings) -> Iterator[Engine]:
    """A database of this test's own, with nothing in it."""
    name = name_beside(settings, "migrations")
    with fresh_database(settings, name) as (_, engine):
        yield engine
    drop_database(settings, name)


def config(connection: Connection) -> Config:
    found = Config()
    found.set_main_option("script_location", f"{Path(aggregator.db.__file__).parent}/migrations")
    found.attributes["connection"] = connection
    return found


def differences(engine: Engine) -> list[object]:
    assert StoreRow.metadata is Row.metadata
    options = {"compare_type": True, "compare_server_default": True}
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Row.metadata)
    return [difference for difference in found if not draws_twice(difference)]


def draws_twice(difference: object) -> bool:
    """Alembic asks the database whether two defaults are equal, which no two random draws are."""
    if not isinstance(difference, list) or difference[0][0] != "modify_default":
        return False
    *_, found, wanted = difference[0]
    return all("gen_random_uuid()" in str(default.arg) for default in (found, wanted) if default is not None)


def test_migrations_make_the_tables_of_the_models(fresh: Engine) -> None:
    assert migrate(fresh)
    assert differences(fresh) == []


def test_each_migration_can_be_taken_back_and_done_again(fresh: Engine) -> None:
    migrate(fresh)
    with fresh.begin() as connection:
        revisions = [
            script.revision for script in ScriptDirectory.from_config(config(connection)).walk_revisions()
        ]
        for _revision in revisions:
            command.downgrade(config(connection), "-1")
        left = set(sqlalchemy.inspect(connection).get_table_names())
    assert left == {"alembic_version"}
    assert migrate(fresh)
    assert differences(fresh) == []
