"""The embedded Valkey: started, adopted and stopped. It never holds the only copy of anything."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aggregator.db.embedded.account import service_account
from aggregator.db.embedded.layout import DataLayout, unusable, write_private
from aggregator.db.embedded.processes import Launch, alive, failure, free_port, launch, running, stop
from aggregator.db.embedded.programs import valkey_server
from aggregator.domain.errors import EnvironmentProblem

START_PATIENCE = 60.0

CONFIGURATION = """\
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
dir ./
pidfile valkey.pid
logfile ""
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A server that answers."""

    port: int
    password: str

    @property
    def url(self) -> str:
        """The address as redis clients take it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def ensure_valkey(layout: DataLayout) -> ValkeyServer:
    """Adopt the server that runs on this data, or start one. Call it under the start lock."""
    port = _port_in(_configuration(layout))
    pid = _find_server(layout)
    if pid is not None and port is not None:
        server = ValkeyServer(port, layout.password("valkey"))
        _wait_until_ready(
            server, Launch(pid, log := layout.log("valkey"), log.stat().st_size if log.exists() else 0)
        )
        return server
    return _start(layout, port)


def valkey_runs(layout: DataLayout) -> bool:
    """Whether a server runs on this data."""
    return _find_server(layout) is not None


def stop_valkey(layout: DataLayout) -> None:
    """Stop the server that runs on this data, if one does."""
    pid = _find_server(layout)
    if pid is not None:
        stop(
            pid,
            gently=signal.SIGTERM,
            firmly=signal.SIGTERM,
            patience=20.0,
            alive=lambda: running(pid, name="valkey-server", folder=layout.valkey),
        )


def _configuration(layout: DataLayout) -> Path:
    return layout.valkey / "valkey.conf"


def _find_server(layout: DataLayout) -> int | None:
    try:
        pid = int((layout.valkey / "valkey.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if running(pid, name="valkey-server", folder=layout.valkey) else None


def _port_in(configuration: Path) -> int | None:
    try:
        lines = configuration.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("port ")), None)


def _start(layout: DataLayout, preferred_port: int | None) -> ValkeyServer:
    layout.require_space(20)
    account = service_account(layout.cluster)
    program = valkey_server(account)
    try:
        layout.valkey.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unusable(layout.valkey, error) from error
    if account:
        account.take_over(layout.valkey)
    # As with PostgreSQL: the account may stand in its folder without being able to walk there by name.
    configuration_argument = "/proc/self/cwd/valkey.conf" if account else str(_configuration(layout))
    server = ValkeyServer(free_port(preferred_port), layout.password("valkey"))
    for attempts_left in (2, 1, 0):
        text = CONFIGURATION.format(port=server.port, password=server.password)
        write_private(_configuration(layout), text.encode(), owner=account)
        launched = launch(
            [program, configuration_argument], folder=layout.valkey, account=account, log=layout.log("valkey")
        )
        try:
            _wait_until_ready(server, launched)
        except BaseException as error:
            launched.end()
            port_was_taken = "Address already in use" in launched.output()
            if not (isinstance(error, EnvironmentProblem) and port_was_taken and attempts_left):
                raise
            server = ValkeyServer(free_port(None), server.password)
        else:
            break
    return server


def _wait_until_ready(server: ValkeyServer, launched: Launch) -> None:
    give_up_at = time.monotonic() + START_PATIENCE
    with redis.Redis.from_url(server.url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
        while True:
            try:
                client.ping()
                return
            except redis.AuthenticationError as error:
                raise EnvironmentProblem(
                    "the password in passwords/valkey is not the running server's"
                ) from error
            except redis.RedisError as error:
                if not alive(launched.pid):
                    raise failure("Valkey", launched.output(), launched.log) from error
                if time.monotonic() > give_up_at:
                    raise EnvironmentProblem(
                        f"Valkey has not become ready in {START_PATIENCE:.0f} s; see {launched.log}"
                    ) from error
            time.sleep(0.02)
