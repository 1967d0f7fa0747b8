"""The matcher at scale, file to file: `python -m benchmarks.matching_scale [--large 1000000] [--titles FOLDER]`.

Generates offers from real titles (benchmarks.offer_generator), then measures `click2cart match run` in processes of
their own: wall clock, CPU, and the memory of all its processes together (what they share counted once). Beside F1
on the generated truth it prints blocking recall, new offers linked into the large catalogue's index, and how far
increments drift from a full run.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.offer_generator import generate, write_table
from benchmarks.scratch import print_table
from matcher.blocking import blocking_recall, candidate_pairs
from matcher.evaluation import evaluate
from matcher.files import read_offers, read_truth
from matcher.index import CatalogueIndex
from matcher.model import MatchModel
from matcher.parallel import processes_for
from matcher.preparation import prepare

_SMALL = 35_000
_INCREMENTS = 10
_SAMPLED_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds by the clock and of CPU, and the most memory that all processes held together, in MB."""

    wall: float
    cpu: float
    memory: float


def measured(*arguments: object, processors: int | None = None) -> Measured:
    """Run `click2cart match run` with the arguments, on so many processors. Raises where it fails."""
    available = sorted(os.sched_getaffinity(0))
    child = subprocess.Popen(
        [sys.executable, "-c", "from aggregator.cli import main; main()", "match", "run"]
        + [str(argument) for argument in arguments],
        preexec_fn=(lambda: os.sched_setaffinity(0, available[:processors])) if processors else None,
    )
    most, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(_SAMPLED_EVERY):
            together = sum(_own_memory(pid) for pid in (child.pid, *_children(child.pid)))
            most[0] = max(most[0], together, _most_of_one(child.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    ended.set()
    watcher.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, child.args)
    return Measured(wall, usage.ru_utime + usage.ru_stime, most[0])


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _own_memory(pid: int) -> float:
    """Megabytes of a process, what it shares with others divided among them; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def _most_of_one(pid: int) -> float:
    """Megabytes that a process held at most so far, since it became what it is; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def clusters_in(path: Path) -> dict[str, str]:
    """Offer id -> cluster of a CLUSTERS file."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["offer_id"]: row["cluster_id"] for row in csv.DictReader(file)}


def _made(folder: Path, offers: int, titles: Path | None) -> tuple[Path, Path]:
    path, truth = folder / f"{offers}.csv", folder / f"{offers}-truth.csv"
    if not path.exists():
        made = generate(offers, seed=1, titles=titles)
        write_table(made.offers, path)
        write_table(made.truth, truth)
    return path, truth


def _split(path: Path, folder: Path, sizes: Sequence[int]) -> list[Path]:
    """The offers of a file in random order (seed 1), in files of these sizes."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = list(csv.reader(file))
    random.Random(1).shuffle(lines)
    parts, start = [], 0
    for number, size in enumerate(sizes):
        parts.append(folder / f"{path.stem}-part-{number}.csv")
        with parts[-1].open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *lines[start : start + size]])
        start += size
    return parts


def _row(what: str, found: Measured, clusters: Mapping[str, str] | None, truth: Path | None) -> list[str]:
    figures = ["", "", ""]
    if clusters is not None and truth is not None:
        quality = evaluate(read_truth(truth), clusters)
        figures = [f"{value:.3f}" for value in (quality.precision, quality.recall, quality.f1)]
    return [what, f"{found.wall:.1f} s", f"{found.cpu:.1f} s", f"{found.memory:,.0f} MB", *figures]


def _recall_row(what: str, path: Path, truth: Path) -> list[str]:
    records = read_offers(path)
    processes = processes_for(len(records))
    catalogue = prepare(records, processes=processes)
    pairs = candidate_pairs(catalogue, processes)
    recall = blocking_recall(catalogue, pairs, read_truth(truth))
    return [what, f"{len(pairs) / len(records):.1f}", f"{recall:.4f}"]


def _drift_rows(path: Path, truth: Path, folder: Path) -> Iterable[list[str]]:
    """Precision, recall and F1 of what merges by itself: in one run, and half of it first and the rest bit by bit;
    then of the second partition held against the first."""
    output = folder / "drift-clusters.csv"
    full = measured(path, "--output", output, "--automatic-only")
    at_once = clusters_in(output)
    yield _row("one full run", full, at_once, truth)
    half = _SMALL // 2
    bit = (_SMALL - half) // _INCREMENTS
    base, *increments = _split(path, folder, [_SMALL - bit * _INCREMENTS, *[bit] * _INCREMENTS])
    index = folder / "drift-index"
    runs = [
        measured(part, "--output", output, "--automatic-only", "--index", index)
        for part in (base, *increments)
    ]
    kept = CatalogueIndex.open(index, MatchModel.load().version)
    clusters = {offer_id: str(kept.keys[row]) for offer_id, row in kept.rows.items()}
    together = Measured(
        sum(one.wall for one in runs), sum(one.cpu for one in runs), max(one.memory for one in runs)
    )
    yield _row(f"half, then {_INCREMENTS} times {bit:,} offers", together, clusters, truth)
    drift = evaluate(at_once, clusters)
    figures = (f"{value:.3f}" for value in (drift.precision, drift.recall, drift.f1))
    yield ["the latter held against the former", "", "", "", *figures]


def main() -> int:
    """Print the tables; the large catalogue takes many minutes."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--large", type=int, default=1_000_000, help="offers; 0 leaves it out")
    arguments.add_argument("--new", type=int, default=10_000, help="offers linked into the large catalogue")
    arguments.add_argument(
        "--titles", "--data", type=Path, help="folder of public sets; else the demo's titles"
    )
    arguments.add_argument("--folder", type=Path, help="where the files stay; else they go away")
    options: Any = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="c2c-scale-") as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / "clusters.csv"
        path, truth = _made(folder, _SMALL, options.titles)
        found = measured(path, "--output", output, processors=1)
        rows = [_row(f"{_SMALL:,} offers, one processor", found, clusters_in(output), truth)]
        recalls = [_recall_row(f"{_SMALL:,} offers", path, truth)]
        if options.large:
            large, large_truth = _made(folder, options.large, options.titles)
            found = measured(large, "--output", output, processors=2)
            rows.append(
                _row(f"{options.large:,} offers, two processors", found, clusters_in(output), large_truth)
            )
            kept, new = _split(large, folder, [options.large - options.new, options.new])
            index = folder / "index"
            found = measured(kept, "--output", output, "--index", index, processors=2)
            rows.append(
                _row(f"{options.large - options.new:,} offers with their index kept", found, None, None)
            )
            found = measured(new, "--output", output, "--index", index, processors=2)
            rows.append(_row(f"{options.new:,} new offers into that index", found, None, None))
            recalls.append(_recall_row(f"{options.large:,} offers", large, large_truth))
        columns = ("", "wall", "CPU", "memory", "precision", "recall", "F1")
        print_table("Matching at scale, file to file", columns, rows)
        print_table("Blocking", ("", "pairs an offer", "recall"), recalls)
        print_table(
            f"Increments beside a full run, {_SMALL:,} offers, merged automatically",
            columns,
            list(_drift_rows(path, truth, folder)),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
