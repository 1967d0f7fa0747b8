"""Workers and clocks as the processes that they are, on a test's own database and broker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aggregator.settings import Settings


@contextmanager
def process(
    settings: Settings,
    command: str,
    log: Path,
    hosts: Collection[str],
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """One of our commands, which may fetch from these hosts; ended with the block unless it has ended before."""
    whole = {
        **os.environ,
        "CLICK2CART_DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(hosts),
        **(environment or {}),
    }
    arguments = [str(Path(sys.executable).with_name("click2cart")), command]
    with (
        log.open("ab") as output,
        subprocess.Popen(arguments, env=whole, stdout=output, stderr=output) as child,
    ):
        try:
            yield child
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait(timeout=30)


def wait_for(what: str, condition: Callable[[], object], log: Path, patience: float = 180) -> None:
    """Wait for what the processes do; where it does not come, say what they said last."""
    give_up_at = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < give_up_at, f"{what} did not happen; {log.read_text()[-3000:]}"
        time.sleep(0.1)
