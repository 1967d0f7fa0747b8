"""The embedded servers with real processes: who starts them, who adopts them, and when they stop."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aggregator.db.embedded import Services, embedded_services, restart_what_fell
from aggregator.db.embedded.layout import DataLayout
from aggregator.db.embedded.locks import starting_or_stopping, try_exclusive
from aggregator.db.embedded.postgres import stop_postgres
from aggregator.db.embedded.processes import alive
from aggregator.db.embedded.valkey import stop_valkey
from aggregator.domain.errors import EnvironmentProblem
from aggregator.settings import Settings

USER = """
import json, sys
from pathlib import Path
from aggregator.db.embedded import embedded_services
from aggregator.domain.errors import Click2CartError
from aggregator.settings import Settings
try:
    with embedded_services(Settings(data_dir=Path(sys.argv[1])), with_broker=True) as services:
        print(json.dumps([services.database_url, services.redis_url]), flush=True)
        sys.stdin.read()
except Click2CartError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def start_user(data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@contextmanager
def other_user(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Another process that uses the servers until the block ends, and the addresses it was given."""
    with start_user(data_dir) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())


def settings_in(folder: Path) -> Settings:
    return Settings(data_dir=folder)


def connect(services: Services) -> psycopg.Connection:
    return psycopg.connect(services.database_url.replace("+psycopg", ""), autocommit=True)


def postmaster(data_dir: Path) -> int:
    return int((DataLayout.at(data_dir).cluster / "postmaster.pid").read_text().split("\n", 1)[0])


def valkey(data_dir: Path) -> int:
    return int((DataLayout.at(data_dir).valkey / "valkey.pid").read_text())


def ended(*pids: int) -> bool:
    give_up_at = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return not any(map(alive, pids))


def kill_at_once(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)


@pytest.fixture(scope="module")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data made once: making it takes seconds on a slow disk."""
    folder = tmp_path_factory.mktemp("embedded") / "data"
    with embedded_services(settings_in(folder), with_broker=True):
        return folder


@pytest.fixture
def data_dir(shared_data: Path) -> Iterator[Path]:
    yield shared_data
    with starting_or_stopping(DataLayout.at(shared_data)):
        stop_valkey(DataLayout.at(shared_data))
        stop_postgres(DataLayout.at(shared_data))


@pytest.fixture
def fresh_data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_first_user_starts_the_servers_and_the_last_one_stops_them(data_dir: Path) -> None:
    with embedded_services(settings_in(data_dir), with_broker=True) as services:
        with connect(services) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("click2cart",)
            assert connection.execute("SELECT current_database()").fetchone() == ("click2cart",)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
        with redis.Redis.from_url(services.redis_url or "") as client:
            assert client.ping() is True
        pids = postmaster(data_dir), valkey(data_dir)
        with other_user(data_dir) as (_, addresses):
            assert addresses == [services.database_url, services.redis_url]
        assert (postmaster(data_dir), valkey(data_dir)) == pids
        assert all(map(alive, pids))
    assert ended(*pids)
    assert not DataLayout.at(data_dir).users_lock.exists()
    assert not DataLayout.at(data_dir).start_lock.exists()


def test_every_connection_needs_its_password(data_dir: Path) -> None:
    with embedded_services(settings_in(data_dir), with_broker=True) as services:
        address = psycopg.conninfo.conninfo_to_dict(services.database_url.replace("+psycopg", ""))
        for user in ("click2cart", "postgres"):
            stranger_address = {**address, "user": user, "password": None, "passfile": "/dev/null"}
            with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                psycopg.connect(**stranger_address)
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(**{**stranger_address, "password": "guess"})
        rules = (DataLayout.at(data_dir).cluster / "pg_hba.conf").read_text().splitlines()
        assert {rule.split()[-1] for rule in rules if rule and not rule.startswith("#")} == {"scram-sha-256"}
        redis_port = urlsplit(services.redis_url or "").port
        with (
            redis.Redis(port=redis_port, retry=Retry(NoBackoff(), 0)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_servers_listen_on_loopback_only_and_not_to_our_terminal(data_dir: Path) -> None:
    with embedded_services(settings_in(data_dir), with_broker=True):
        for pid in (postmaster(data_dir), valkey(data_dir)):
            listening = [
                c for c in psutil.Process(pid).net_connections("all") if c.status == psutil.CONN_LISTEN
            ]
            assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
            assert os.getsid(pid) != os.getsid(0)
            assert psutil.Process(pid).uids().real != 0


def test_passwords_are_private_and_not_in_the_servers_environment(data_dir: Path) -> None:
    with embedded_services(settings_in(data_dir), with_broker=True):
        layout = DataLayout.at(data_dir)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in layout.passwords.iterdir()}
        assert modes == {"postgresql": 0o600, "postgresql_superuser": 0o600, "valkey": 0o600}
        assert stat.S_IMODE(layout.root.stat().st_mode) == 0o700
        environment = psutil.Process(postmaster(data_dir)).environ()
        assert set(environment) <= {
            "PATH",
            "LC_ALL",
            "TZ",
            "PWD",
            "OLDPWD",
            "SHLVL",
            "_",
            "PG_OOM_ADJUST_FILE",
        }


def test_a_killed_user_counts_as_gone_and_its_servers_are_adopted(data_dir: Path) -> None:
    with other_user(data_dir) as (process, addresses):
        pids = postmaster(data_dir), valkey(data_dir)
        process.kill()
    assert all(map(alive, pids))
    with embedded_services(settings_in(data_dir), with_broker=True) as services:
        assert [services.database_url, services.redis_url] == addresses
        assert (postmaster(data_dir), valkey(data_dir)) == pids
    assert ended(*pids)


def test_processes_that_start_at_once_share_one_server(fresh_data: Path) -> None:
    processes = [start_user(fresh_data) for _ in range(4)]
    addresses = {process.stdout.readline() for process in processes if process.stdout}
    assert len(addresses) == 1
    assert addresses.pop().startswith('["postgresql+psycopg://click2cart:')
    pids = postmaster(fresh_data), valkey(fresh_data)
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert ended(*pids)


def test_data_and_ports_outlive_servers_that_were_killed(data_dir: Path) -> None:
    with other_user(data_dir) as (process, addresses):
        with connect(Services(addresses[0], None)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        process.kill()
        kill_at_once(postmaster(data_dir))
        kill_at_once(valkey(data_dir))
    with (
        embedded_services(settings_in(data_dir), with_broker=True) as services,
        connect(services) as connection,
    ):
        assert [services.database_url, services.redis_url] == addresses
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_servers_that_die_under_their_users_come_back_at_the_same_address(data_dir: Path) -> None:
    settings = settings_in(data_dir)
    with embedded_services(settings, with_broker=True) as services:
        assert restart_what_fell(settings, with_broker=True) is False
        kill_at_once(postmaster(data_dir))
        assert restart_what_fell(settings, with_broker=True) is True
        with connect(services) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_pid_that_another_program_has_now_is_no_server(data_dir: Path) -> None:
    with embedded_services(settings_in(data_dir), with_broker=True):
        lines = (DataLayout.at(data_dir).cluster / "postmaster.pid").read_text().split("\n")
    own_pid_as_server = "\n".join([str(os.getpid()), *lines[1:]])
    (DataLayout.at(data_dir).cluster / "postmaster.pid").write_text(own_pid_as_server)
    with embedded_services(settings_in(data_dir), with_broker=False) as services:
        assert postmaster(data_dir) != os.getpid()
        assert services.redis_url is None


def test_an_interrupted_creation_leaves_nothing_half_made(fresh_data: Path) -> None:
    layout = DataLayout.at(fresh_data)
    half_made = layout.postgresql / "data.unfinished" / "base"
    half_made.mkdir(parents=True, mode=0o700)
    with embedded_services(settings_in(fresh_data), with_broker=False):
        assert not half_made.exists()
        assert not (layout.postgresql / "password").exists()


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "data directory with spaces"
    with (
        embedded_services(settings_in(folder), with_broker=True) as services,
        connect(services) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_data_of_a_newer_postgresql_is_left_alone(data_dir: Path) -> None:
    with embedded_services(settings_in(data_dir), with_broker=False):
        pass
    version = DataLayout.at(data_dir).cluster / "PG_VERSION"
    version.write_text("19\n")
    with (
        pytest.raises(EnvironmentProblem, match="was made by PostgreSQL 19, this Click2Cart brings 18"),
        embedded_services(settings_in(data_dir), with_broker=False),
    ):
        pass
    version.write_text("18\n")


def test_lost_passwords_are_named(data_dir: Path) -> None:
    with embedded_services(settings_in(data_dir), with_broker=False):
        pass
    password = DataLayout.at(data_dir).passwords / "postgresql"
    kept = password.rename(data_dir / "kept")
    with (
        pytest.raises(EnvironmentProblem, match="passwords/postgresql is missing"),
        embedded_services(settings_in(data_dir), with_broker=False),
    ):
        pass
    kept.rename(password)


def test_an_unusable_data_directory_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EnvironmentProblem) as raised,
        embedded_services(settings_in(tmp_path / "file" / "data"), with_broker=False),
    ):
        pass
    assert str(raised.value) == (
        f"{tmp_path}/file/data cannot be used (Not a directory); make it writable for this user or set"
        " CLICK2CART_DATA_DIR to a folder that is"
    )


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=40m none {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}/data'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, USER], capture_output=True, text=True, check=False
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("only root may mount the small disk that this test fills")
    assert (done.returncode, done.stdout) == (
        2,
        f"the disk of {tmp_path}/data is full (41 MB free, 150 MB needed); free some space"
        " or set CLICK2CART_DATA_DIR\n",
    )


def test_servers_of_ones_own_are_used_as_they_are(tmp_path: Path) -> None:
    own = Settings(
        data_dir=tmp_path / "data", database_url="postgresql://elsewhere/shop", redis_url="redis://elsewhere"
    )
    with embedded_services(own, with_broker=True) as services:
        assert services == Services("postgresql://elsewhere/shop", "redis://elsewhere")
    assert not (tmp_path / "data").exists()


def test_only_the_server_that_is_not_ones_own_is_started(fresh_data: Path) -> None:
    own_database = Settings(data_dir=fresh_data, database_url="postgresql://elsewhere/shop")
    with embedded_services(own_database, with_broker=True) as services:
        assert services.database_url == "postgresql://elsewhere/shop"
        assert alive(valkey(fresh_data))
        assert not DataLayout.at(fresh_data).cluster.exists()


def test_a_lock_on_a_file_that_was_removed_is_not_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = try_exclusive(path)
    assert first is not None
    assert try_exclusive(path) is None
    path.unlink()
    second = try_exclusive(path)
    assert second is not None
    os.close(first)
    os.close(second)
