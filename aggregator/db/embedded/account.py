"""The unprivileged account that the embedded servers run as when Click2Cart is started by root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from aggregator.domain.errors import EnvironmentProblem

ACCOUNT_NAME = "click2cart"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Who the servers run as."""

    uid: int
    gid: int

    def take_over(self, folder: Path) -> None:
        """Give root's folder and all in it to the account; no folder above is touched.

        A folder that is not root's stays as it is: its owner could have planted links for us to follow.
        """
        if folder.lstat().st_uid == 0:
            for path in (*folder.rglob("*"), folder):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)


def service_account(cluster: Path) -> ServiceAccount | None:
    """None for ordinary users: their servers run as themselves.

    For root, whom PostgreSQL refuses, the owner of the existing `cluster`, otherwise a system account of our
    own without a shell, a home or a password. Sharing `nobody` or `postgres` would let strangers' services
    read the data.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return ServiceAccount(owner.st_uid, owner.st_gid)
    entry = _find_account() or _create_account()
    return ServiceAccount(entry.pw_uid, entry.pw_gid)


def _find_account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        return None


def _create_account() -> pwd.struct_passwd:
    remedy = (
        "PostgreSQL refuses to run as root: start Click2Cart as an ordinary user"
        f" or create the system user {ACCOUNT_NAME}"
    )
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise EnvironmentProblem(f"no useradd here; {remedy}")
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
    problem = ""
    for _ in range(20):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # Another process may have created it just now, or holds the password file's lock for a moment.
        if entry := _find_account():
            return entry
        problem = (done.stderr.strip().splitlines() or ["useradd failed"])[-1]
        time.sleep(0.25)
    raise EnvironmentProblem(f"{problem}; {remedy}")
