"""The embedded PostgreSQL: made, started, adopted and stopped."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from aggregator.db.embedded.account import ServiceAccount, service_account
from aggregator.db.embedded.cluster import (
    SUPERUSER,
    check_major,
    cluster_argument,
    initialize,
    port_used_last,
    write_settings,
)
from aggregator.db.embedded.layout import DataLayout
from aggregator.db.embedded.processes import (
    Launch,
    alive,
    failure,
    free_port,
    launch,
    running,
    stop,
)
from aggregator.db.embedded.programs import postgresql_programs
from aggregator.domain.errors import EnvironmentProblem

DATABASE = ROLE = "click2cart"
START_PATIENCE = 150.0  # replaying the log after a power cut takes its time


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server that answers. The application's role owns the database and may create further ones."""

    port: int
    password: str
    superuser_password: str

    @property
    def url(self) -> str:
        """SQLAlchemy's address of the application's database."""
        return f"postgresql+psycopg://{ROLE}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def connect_as_superuser(self, database: str = SUPERUSER) -> psycopg.Connection:
        """An autocommitting connection for what the application's role may not do."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self.superuser_password,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )


def ensure_postgres(layout: DataLayout) -> PostgresServer:
    """Adopt the server that runs on this data, or start one; make the data first where there is none.

    Call it under the start lock.
    """
    account = service_account(layout.cluster)
    if not layout.cluster.exists():
        initialize(layout, account)
    check_major(layout)
    running_server = _find_postmaster(layout)
    if running_server is not None:
        pid, port = running_server
        server = _server(layout, port)
        _wait_until_ready(layout, server, Launch(pid, log := layout.log("postgresql"), _size(log)))
        return server
    return _start(layout, account)


def postgres_runs(layout: DataLayout) -> bool:
    """Whether a server runs on this data."""
    return _find_postmaster(layout) is not None


def running_postgres(layout: DataLayout) -> PostgresServer:
    """The server that this process uses right now."""
    found = _find_postmaster(layout)
    if found is None:
        raise EnvironmentProblem(f"the database in {layout.root} has ended; see {layout.log('postgresql')}")
    return _server(layout, found[1])


def stop_postgres(layout: DataLayout) -> None:
    """Stop the server that runs on this data, if one does; connections are closed, nothing is lost."""
    found = _find_postmaster(layout)
    if found is not None:
        pid, _ = found
        stop(
            pid,
            gently=signal.SIGINT,
            firmly=signal.SIGQUIT,
            patience=60.0,
            alive=lambda: running(pid, name="postgres", folder=layout.cluster),
        )


def _server(layout: DataLayout, port: int) -> PostgresServer:
    return PostgresServer(port, layout.password("postgresql"), layout.password("postgresql_superuser"))


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _find_postmaster(layout: DataLayout) -> tuple[int, int] | None:
    """(pid, port) of the server that runs on this data."""
    try:
        lines = (layout.cluster / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
    except (OSError, ValueError, IndexError):
        return None
    return (pid, port) if running(pid, name="postgres", folder=layout.cluster) else None


def _clear_foreign_pid(layout: DataLayout) -> None:
    """Remove a pid file whose number another program has now: PostgreSQL would take it for a server."""
    file = layout.cluster / "postmaster.pid"
    try:
        pid = int(file.read_text().split("\n", 1)[0])
    except FileNotFoundError:
        return
    except ValueError:
        file.unlink()
        return
    if psutil.pid_exists(pid) and not running(pid, name="postgres", folder=layout.cluster):
        file.unlink()


def _start(layout: DataLayout, account: ServiceAccount | None) -> PostgresServer:
    layout.require_space(50)
    if account:
        account.take_over(layout.postgresql)
    programs = postgresql_programs(account)
    give_up_at = time.monotonic() + 20.0
    port = free_port(port_used_last(layout))
    while True:
        write_settings(layout, account, port=port)
        _clear_foreign_pid(layout)
        server = _server(layout, port)
        launched = launch(
            [programs / "postgres", "-D", cluster_argument(layout.cluster, account)],
            folder=layout.cluster,
            account=account,
            log=layout.log("postgresql"),
        )
        try:
            _wait_until_ready(layout, server, launched)
        except BaseException as error:
            launched.end()
            if not isinstance(error, EnvironmentProblem):
                raise
            output = launched.output()
            port_was_taken = "Address already in use" in output
            # The children of a server that was killed need a moment to notice.
            still_in_use = "still in use" in output
            if not (port_was_taken or still_in_use) or time.monotonic() > give_up_at:
                raise
            port = free_port(None) if port_was_taken else port
            time.sleep(0.2)
            continue
        _ensure_database(server)
        return server


def _wait_until_ready(layout: DataLayout, server: PostgresServer, launched: Launch) -> None:
    give_up_at = time.monotonic() + START_PATIENCE
    while not _says_ready(layout, launched.pid):
        if not alive(launched.pid):
            raise failure("PostgreSQL", launched.output(), launched.log)
        if time.monotonic() > give_up_at:
            raise EnvironmentProblem(
                f"PostgreSQL has not become ready in {START_PATIENCE:.0f} s; see {launched.log}"
            )
        time.sleep(0.02)
    try:
        server.connect_as_superuser().close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise EnvironmentProblem(
                f"the passwords in {layout.passwords} do not fit the database; put the right ones back"
            ) from error
        raise failure("PostgreSQL", str(error), launched.log) from error


def _says_ready(layout: DataLayout, pid: int) -> bool:
    try:
        lines = (layout.cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _ensure_database(server: PostgresServer) -> None:
    """Make the role and the database; also mends a start that was killed between the two."""
    with server.connect_as_superuser() as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone():
            statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(ROLE), sql.Literal(server.password)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))
