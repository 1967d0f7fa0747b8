"""Local and Spark engine on the same offers, file to file: `python -m benchmarks.matching_spark [--offers N]`.

Seconds by the clock, seconds of CPU of all processes with the Java machine's, and the most memory that all of them held
at once (memory shared between processes is counted in each: an upper bound). Says whether both wrote the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from benchmarks.offer_generator import generate, write_table
from benchmarks.scratch import print_table

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took, with all processes below it."""

    wall: float
    cpu: float
    peak_mb: int


def measure(command: list[str]) -> Cost:
    """Run the command and watch its processes. Raises CalledProcessError where it fails."""
    cpu: dict[tuple[int, float], float] = {}
    peak = 0
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        held = 0
        try:
            family = [watched, *watched.children(recursive=True)]
        except psutil.NoSuchProcess:
            break
        for one in family:
            try:
                times = one.cpu_times()
                cpu[one.pid, one.create_time()] = times.user + times.system
                held += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak = max(peak, held)
        time.sleep(_POLL_SECONDS)
    code = process.wait()
    if code:
        raise subprocess.CalledProcessError(code, command)
    return Cost(time.perf_counter() - start, sum(cpu.values()), peak // 2**20)


def main() -> None:
    """Print one table."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--offers", type=int, default=35_000)
    options = arguments.parse_args()
    if find_spec("pyspark") is None:
        print("Spark is not measured: PySpark is not installed (make setup-spark).")
        return
    program = str(Path(sys.executable).with_name("click2cart"))
    rows, written = [], []
    with tempfile.TemporaryDirectory(prefix="c2c-spark-bench-") as directory:
        offers = Path(directory) / "offers.parquet"
        write_table(generate(options.offers).offers, offers)
        for engine in ("local", "spark"):
            output = Path(directory) / f"{engine}.csv"
            cost = measure(
                [program, "match", "run", str(offers), "--output", str(output), "--engine", engine]
            )
            rows.append((engine, f"{cost.wall:.0f}", f"{cost.cpu:.0f}", cost.peak_mb))
            written.append(output.read_bytes())
    same = "Both wrote the same clusters." if written[0] == written[1] else "THE CLUSTERS DIFFER."
    print_table(
        f"Engines on {options.offers:,} offers",
        ("engine", "seconds", "CPU seconds", "MB in all processes"),
        rows,
        same,
    )


if __name__ == "__main__":
    main()
