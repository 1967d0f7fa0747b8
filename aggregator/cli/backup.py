"""`backup` and `restore`: the embedded data in one private file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

import click
from psycopg import Connection, sql

from aggregator.db.embedded import embedded_services
from aggregator.db.embedded.layout import DataLayout, write_private
from aggregator.db.embedded.locks import sole_supervisor
from aggregator.db.embedded.postgres import DATABASE, ROLE, PostgresServer, running_postgres
from aggregator.db.embedded.programs import postgresql_programs
from aggregator.db.migrate import require_known
from aggregator.domain.errors import EnvironmentProblem, InvalidInput
from aggregator.settings import Settings

FORMAT = "click2cart-backup-1"
MANIFEST, DUMP, KEY = "manifest.json", "database.dump", "secret_key"
CHUNK = 1 << 20
# What running crawls have staged comes and goes while the database is saved, and is worth one crawl.
_WITHOUT = "--exclude-table=staged_offers_*"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Write the whole embedded database, as of one moment, and the keys to FILE (readable by you only)."""
    settings = Settings.from_env()
    with _embedded_postgres(settings, "pg_dump") as server:
        write_backup(server, DataLayout.at(settings.data_dir), file)
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB", err=True)
    if settings.secret_key:
        click.echo("the key in CLICK2CART_SECRET_KEY is not in it: keep it yourself", err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Replace the data that is there, after backing it up beside.")
def restore(file: Path, replace: bool) -> None:
    """Bring back what `backup` wrote to FILE."""
    settings = Settings.from_env()
    layout = DataLayout.at(settings.data_dir)
    manifest = read_manifest(file)
    layout.prepare()
    with sole_supervisor(layout), _embedded_postgres(settings, "pg_restore") as server:
        if _has_data(server):
            if not replace:
                raise InvalidInput(
                    "there is data already",
                    place=str(layout.root),
                    remedy="--replace backs it up beside and replaces it",
                )
            _require_nobody_else(server)
            present = layout.root / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z.click2cart"
            write_backup(server, layout, present)
            click.echo(f"the present data is kept in {present}", err=True)
        restore_backup(server, layout, file)
    click.echo(f"restored what was saved at {manifest['created_at']}", err=True)


@contextmanager
def _embedded_postgres(settings: Settings, own_tool: str) -> Iterator[PostgresServer]:
    if settings.database_url:
        raise EnvironmentProblem(f"DATABASE_URL names your own server: use its own tools, such as {own_tool}")
    with embedded_services(settings, with_broker=False):
        yield running_postgres(DataLayout.at(settings.data_dir))


def write_backup(server: PostgresServer, layout: DataLayout, file: Path) -> None:
    """Write a backup, mode 0600, that appears under its name only when it is complete."""
    descriptor, name = -1, ""
    try:
        descriptor, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            with zipfile.ZipFile(stream, "w") as archive:
                manifest = {
                    "format": FORMAT,
                    "click2cart": version("click2cart"),
                    "created_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                }
                archive.writestr(MANIFEST, json.dumps(manifest))
                if layout.secret_key.exists():
                    archive.writestr(KEY, layout.secret_key.read_bytes())
                with archive.open(DUMP, "w", force_zip64=True) as dump:
                    _dump(server, dump)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except OSError as error:
        raise _unwritable(file, error) from error
    finally:
        if name:
            Path(name).unlink(missing_ok=True)


def _unwritable(file: Path, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"{file} cannot be written ({os.strerror(error.errno or 0)}); name a file where there is room and you may write"
    )


def read_manifest(file: Path) -> dict[str, str]:
    """What a backup says of itself, once all of its checksums proved right; raises InvalidInput."""
    remedy = "name a file that `backup` wrote"
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            archive.getinfo(DUMP)
            if manifest["format"] != FORMAT or archive.testzip() is not None:
                raise zipfile.BadZipFile
            return {"created_at": str(manifest["created_at"])}
    except FileNotFoundError as error:
        raise InvalidInput("no such file", place=str(file), remedy=remedy) from error
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as error:
        raise InvalidInput("no complete backup of Click2Cart", place=str(file), remedy=remedy) from error
    except OSError as error:
        raise InvalidInput(
            f"cannot be read ({error.strerror})", place=str(file), remedy="name a file that you may read"
        ) from error


def restore_backup(server: PostgresServer, layout: DataLayout, file: Path) -> None:
    """Restore into a database beside the present one and put it in its place when it is whole."""
    beside, former = f"{DATABASE}_restoring", f"{DATABASE}_former"
    with server.connect_as_superuser() as connection, zipfile.ZipFile(file) as archive:
        for name in (beside, former):
            _execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        _execute(connection, "CREATE DATABASE {} OWNER {}", beside, ROLE)
        try:
            with archive.open(DUMP) as dump:
                _load(server, beside, dump)
            _require_known_schema(server, beside)
        except BaseException:
            _execute(connection, "DROP DATABASE {} WITH (FORCE)", beside)
            raise
        next_key = layout.secret_key.with_name("secret_key.restoring")
        if KEY in archive.namelist():
            write_private(next_key, archive.read(KEY))
        _require_nobody_else(server)
        with connection.transaction():
            _execute(connection, "ALTER DATABASE {} RENAME TO {}", DATABASE, former)
            _execute(connection, "ALTER DATABASE {} RENAME TO {}", beside, DATABASE)
        if KEY in archive.namelist():
            next_key.replace(layout.secret_key)
        _execute(connection, "DROP DATABASE {} WITH (FORCE)", former)


def _execute(connection: Connection, statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _has_data(server: PostgresServer) -> bool:
    with server.connect_as_superuser(DATABASE) as connection:
        tables = connection.execute(
            "SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') LIMIT 1"
        )
        return tables.fetchone() is not None


def _require_known_schema(server: PostgresServer, database: str) -> None:
    with server.connect_as_superuser(database) as connection:
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
            return
        for (revision,) in connection.execute("SELECT version_num FROM alembic_version"):
            require_known(revision, whose="the backup")


def _require_nobody_else(server: PostgresServer) -> None:
    with server.connect_as_superuser() as connection:
        others = connection.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s LIMIT 1", (DATABASE,))
    if others.fetchone():
        raise EnvironmentProblem("another command is using the database; end it and try again")


def _tool(server: PostgresServer, name: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    # Roles belong to a server: what is restored belongs to the role of the one that restores.
    address = ["--host=127.0.0.1", f"--port={server.port}", "--username=postgres", "--no-password"]
    address += ["--no-owner", "--no-privileges"]
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGPASSWORD": server.superuser_password}
    return [str(postgresql_programs(None) / name), *address, *arguments], environment


def _dump(server: PostgresServer, target: IO[bytes]) -> None:
    command, environment = _tool(server, "pg_dump", "--format=custom", _WITHOUT, DATABASE)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        try:
            shutil.copyfileobj(process.stdout, target, CHUNK)
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            raise EnvironmentProblem(f"the database could not be saved: {_last_line(errors)}")


def _load(server: PostgresServer, database: str, source: IO[bytes]) -> None:
    command, environment = _tool(
        server, "pg_restore", "--exit-on-error", f"--role={ROLE}", f"--dbname={database}"
    )
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdin is not None
        try:
            shutil.copyfileobj(source, process.stdin, CHUNK)
            process.stdin.close()
        except BrokenPipeError:
            pass  # pg_restore says why below
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            raise EnvironmentProblem(f"not restored, the data is as before: {_last_line(errors)}")


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
