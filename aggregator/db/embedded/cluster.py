"""A PostgreSQL data directory: made whole or not at all, and its settings."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from aggregator.db.embedded.account import ServiceAccount
from aggregator.db.embedded.layout import DataLayout, unusable, write_private
from aggregator.db.embedded.processes import SERVER_ENVIRONMENT, failure
from aggregator.db.embedded.programs import POSTGRESQL_MAJOR, postgresql_programs
from aggregator.domain.errors import EnvironmentProblem

SUPERUSER = "postgres"
OUR_SETTINGS = "click2cart.conf"

# What an administrator sets with ALTER SYSTEM wins over these. Nothing follows this server's log (backups are dumps),
# so what fills new files need not be written to it, too. Pages in its log are not compressed: pglz, all that the wheel
# has, costs more time than writing them (a re-crawl with changes took 1.6 times the CPU).
SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = '{shared_buffers}MB'
effective_cache_size = '1GB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
max_wal_size = '2GB'
wal_level = minimal
max_wal_senders = 0
wal_compression = off
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
"""


def cluster_argument(folder: Path, account: ServiceAccount | None) -> str:
    """How the server's programs are told where the data is."""
    # PostgreSQL names its data by an absolute path. Below folders that only root may enter the account cannot
    # walk such a path, but it can stay in the folder that root put it into.
    return "/proc/self/cwd" if account else str(folder)


def initialize(layout: DataLayout, account: ServiceAccount | None) -> None:
    """Make the data directory with initdb; every connection will need a password (SCRAM)."""
    if account and not Path("/proc/self/cwd").exists():
        raise EnvironmentProblem(
            "the embedded PostgreSQL cannot be run by root here; start Click2Cart as an ordinary user"
        )
    layout.require_space(150)
    superuser_password = layout.password("postgresql_superuser")
    layout.password("postgresql")
    unfinished, password_file = layout.postgresql / "data.unfinished", layout.postgresql / "password"
    programs = postgresql_programs(account)
    try:
        layout.postgresql.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        write_private(password_file, superuser_password.encode(), owner=account)
        if account:
            for folder in (unfinished, layout.postgresql):
                os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        code, said = _run_initdb(
            [
                programs / "initdb",
                f"--pgdata={cluster_argument(unfinished, account)}",
                f"--username={SUPERUSER}",
                "--pwfile=../password" if account else f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ],
            unfinished,
            account,
        )
        log = layout.log("postgresql")
        if code != 0:
            raise failure("PostgreSQL", said, log)
        with (unfinished / "postgresql.conf").open("a") as configuration:
            configuration.write(f"\ninclude_if_exists '{OUR_SETTINGS}'\n")
        # The rename is what makes the data exist: whatever ends us before it leaves nothing half made.
        unfinished.rename(layout.cluster)
    except OSError as error:
        raise unusable(layout.postgresql, error) from error
    finally:
        password_file.unlink(missing_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)


def _run_initdb(
    command: Sequence[str | Path], folder: Path, account: ServiceAccount | None
) -> tuple[int, str]:
    """(exit code, what it said). Whatever interrupts us ends initdb with all that it started."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=SERVER_ENVIRONMENT,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            # The output closes when the last of the group is gone, so nobody writes after this.
            process.communicate()
            raise
        return process.returncode, said


def check_major(layout: DataLayout) -> None:
    """Raise EnvironmentProblem for data of another major version, which is left untouched."""
    try:
        major = (layout.cluster / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise unusable(layout.cluster, error) from error
    if major != str(POSTGRESQL_MAJOR):
        raise EnvironmentProblem(
            f"the data in {layout.cluster} was made by PostgreSQL {major}, this Click2Cart brings"
            f" {POSTGRESQL_MAJOR}; use the Click2Cart that made it, or restore a backup into an empty"
            " CLICK2CART_DATA_DIR"
        )


def write_settings(layout: DataLayout, account: ServiceAccount | None, *, port: int) -> None:
    """Write the settings of the next start."""
    settings = SETTINGS.format(port=port, shared_buffers=_shared_buffers())
    write_private(layout.cluster / OUR_SETTINGS, settings.encode(), owner=account)


def _shared_buffers() -> int:
    """Megabytes: a quarter of the machine's memory, which is taken as the data grows, and 1 GB at most."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return min(max(memory // 4, 128), 1024)


def port_used_last(layout: DataLayout) -> int | None:
    """The port of the start before."""
    try:
        lines = (layout.cluster / OUR_SETTINGS).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split("=")[1]) for line in lines if line.startswith("port = ")), None)
