"""Bringing a database to this program's schema, and refusing one that is newer."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from aggregator.domain.errors import SchemaMismatch

# Any constant will do, as long as all processes that migrate agree on it.
_MIGRATION_LOCK = 0x436C_6963


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def require_known(revision: str, *, whose: str) -> None:
    """Raise SchemaMismatch for a schema that this program does not know; `whose` begins the sentence."""
    try:
        ScriptDirectory.from_config(_config()).get_revision(revision)
    except CommandError as error:
        raise SchemaMismatch(
            f"{whose} has a newer schema ({revision}) than this program knows; "
            "install the newer Click2Cart, nothing was changed"
        ) from error


def _revisions(connection: Connection) -> tuple[str | None, str | None]:
    """(what the database has, what this program wants)."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None:
        require_known(current, whose="the database")
    return current, ScriptDirectory.from_config(_config()).get_current_head()


def is_migrated(engine: Engine) -> bool:
    """Whether the database has exactly this program's schema."""
    with engine.connect() as connection:
        current, wanted = _revisions(connection)
    return current == wanted


def migrate(engine: Engine) -> bool:
    """Bring the schema up to date; true if anything was done. Safe from several processes at once.

    Raises SchemaMismatch, with the data untouched, where the database is newer than the program.
    """
    with engine.connect() as connection:
        current, wanted = _revisions(connection)
        if current == wanted:
            return False
        connection.rollback()
        with connection.begin():
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return True
