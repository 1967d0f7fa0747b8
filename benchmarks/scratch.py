"""A scratch database and tables of figures, for the benchmarks that need them."""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy.orm import sessionmaker

from aggregator.db.embedded import embedded_services
from aggregator.db.migrate import migrate
from aggregator.db.session import Sessions, engine_for
from aggregator.settings import Settings


@contextmanager
def scratch_database(kept: Path | None = None) -> Iterator[Sessions]:
    """Sessions on a migrated, embedded database: a new one that goes away afterwards, or the one kept in a folder."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="c2c-bench-", ignore_cleanup_errors=True)
        if kept is None
        else nullcontext(str(kept)) as directory
    ):
        os.chmod(directory, 0o755)  # started by root, PostgreSQL runs as another user
        settings = Settings(data_dir=Path(directory) / "data")
        with embedded_services(settings, with_broker=False) as services:
            engine = engine_for(services.database_url)
            migrate(engine)
            yield sessionmaker(engine, expire_on_commit=False)
            engine.dispose()


class Stopwatch:
    """Wall and CPU seconds of this process between entering and leaving."""

    wall = 0.0
    cpu = 0.0

    def __enter__(self) -> Stopwatch:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """(p50, p95) in milliseconds."""
    ordered = sorted(seconds)
    return statistics.median(ordered) * 1000, ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """A Markdown table on standard output."""
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\n{note + ' ' if note else ''}Peak memory of the measuring process: {peak} MB.", flush=True)
