"""Public matching tools beside ours, in the same run: `python -m benchmarks.matching_peers [--data DIRECTORY]`.

The tools are installed into an environment of their own (pinned in peers/matching-requirements.txt) that goes away
afterwards. Their pairs of one store are left out, as ours are. Each gets two figures: F1 at the threshold that its
documentation begins with, clusters being what its pairs connect; and the best that the truth can pick for it of 60
thresholds, with all its pairs or with those alone that are each other's best in the two stores. No real catalogue has
that choice. Ours runs once, as it is shipped. Without `--data` the sets are the sample in the repository and a
generated catalogue; DIRECTORY adds its folders with offers.csv and truth.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from benchmarks.offer_generator import generate, write_table
from benchmarks.scratch import print_table
from matcher.evaluation import evaluate
from matcher.files import read_truth

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "fixtures" / "matching" / "abt-buy-sample"
# What the tools' own documentation starts with: probabilities of .9 and .5, likenesses of .8 and .5.
PEERS = {"splink": 3.17, "recordlinkage": 0.5, "string-grouper": 0.8, "scikit-learn": 0.5}
_THRESHOLDS = 60
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a tool did with one set; `problem` stands in place of figures."""

    tool: str
    f1: float = 0.0
    best_f1: float | None = None
    seconds: float = 0.0
    peak_mb: int = 0
    problem: str = ""


class Environment:
    """The peers' own environment in a folder."""

    def __init__(self, directory: Path) -> None:
        venv.create(directory, with_pip=True, clear=True)
        self.python = str(directory / "bin" / "python")
        self._missing: dict[str, str] = {}

    def install(self, tool: str) -> str:
        """'' or, in one line, why the tool cannot be installed here."""
        if tool not in self._missing:
            done = subprocess.run(
                [
                    self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    "--constraint", str(HERE / "peers" / "matching-requirements.txt"), tool,
                    *(["sparse-dot-topn"] if tool == "scikit-learn" else []), "pandas",
                ],
                capture_output=True,
                text=True,
            )  # fmt: skip
            self._missing[tool] = _last_line(done.stderr) if done.returncode else ""
        return self._missing[tool]


def measure_peer(
    environment: Environment, tool: str, offers: Path, truth: dict[str, str], pairs: Path
) -> Measured:
    """One tool on one set, in a process of its own."""
    if problem := environment.install(tool):
        return Measured(tool, problem=f"cannot be installed: {problem}")
    command = [environment.python, str(HERE / "peers" / "link_offers.py"), tool, str(offers), str(pairs)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    except subprocess.TimeoutExpired:
        return Measured(tool, problem="not done after 20 minutes")
    if done.returncode:
        return Measured(tool, problem=_last_line(done.stderr))
    report = json.loads(done.stdout.splitlines()[-1])
    found = ScoredPairs.read(pairs, offers, truth)
    own = found.f1_from(PEERS[tool])
    best = max(
        (table.f1_from(step) for table in (found, found.mutual()) for step in table.steps()), default=own
    )
    return Measured(tool, own, max(own, best), report["seconds"], report["peak_mb"])


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """A tool's pairs by position in the truth, and the store of each position."""

    truth: dict[str, str]
    left: Integers
    right: Integers
    scores: npt.NDArray[np.float64]
    store: Integers

    @classmethod
    def read(cls, pairs: Path, offers: Path, truth: dict[str, str]) -> ScoredPairs:
        position = {offer: index for index, offer in enumerate(truth)}
        with offers.open(encoding="utf-8", newline="") as file:
            stores = {row["offer_id"]: row.get("store", "") for row in csv.DictReader(file)}
        numbers = {name: index for index, name in enumerate(sorted(set(stores.values()) - {""}))}
        store = np.array([numbers.get(stores.get(offer, ""), -1) for offer in truth], dtype=np.int64)
        with pairs.open(encoding="utf-8", newline="") as file:
            rows = [
                (position[row["left_id"]], position[row["right_id"]], float(row["score"]))
                for row in csv.DictReader(file)
                if row["left_id"] in position and row["right_id"] in position
            ]
        left, right = (np.array([row[side] for row in rows], dtype=np.int64) for side in (0, 1))
        foreign = (store[left] != store[right]) | (store[left] < 0)
        scores = np.array([row[2] for row in rows], dtype=np.float64)
        return cls(truth, left[foreign], right[foreign], scores[foreign], store)

    def mutual(self) -> ScoredPairs:
        """The pairs whose two offers are each other's best in the other's store."""
        kept = np.ones(len(self.scores), dtype=bool)
        order = np.argsort(-self.scores, kind="stable")
        for own, other in ((self.left, self.right), (self.right, self.left)):
            keys = (own * (self.store.max(initial=0) + 2) + self.store[other] + 1)[order]
            first = np.zeros(len(keys), dtype=bool)
            first[np.unique(keys, return_index=True)[1]] = True
            kept[order[~first]] = False
        return ScoredPairs(self.truth, self.left[kept], self.right[kept], self.scores[kept], self.store)

    def steps(self) -> list[float]:
        """Thresholds between the lowest and the highest score, as many pairs between each two."""
        spread = np.linspace(0, 1, _THRESHOLDS)
        steps: list[float] = np.unique(np.quantile(self.scores, spread)).tolist() if len(self.scores) else []
        return steps

    def f1_from(self, threshold: float) -> float:
        """Pairwise F1 of what the pairs from `threshold` on connect."""
        kept = self.scores >= threshold
        size = len(self.truth)
        ones = np.ones(int(kept.sum()), dtype=np.int8)
        graph = sparse.csr_matrix((ones, (self.left[kept], self.right[kept])), shape=(size, size))
        labels = connected_components(graph, directed=False)[1].tolist()
        return evaluate(self.truth, dict(zip(self.truth, map(str, labels), strict=True))).f1


def measure_ours(offers: Path, truth: dict[str, str], clusters: Path) -> Measured:
    """`click2cart match run` as it is shipped, file to file, in a process of its own."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.peers.measured_run", str(offers), str(clusters)]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        return Measured("click2cart", problem=_last_line(done.stderr))
    score = evaluate(truth, read_truth(clusters))
    return Measured("click2cart", score.f1, None, round(seconds, 1), int(done.stdout.splitlines()[-1]))


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:160] if lines else "no reason given"


def _sets(data: Path | None, offers: int, scratch: Path) -> Iterator[tuple[str, Path, Path]]:
    for folder in (SAMPLE, *(sorted(data.iterdir()) if data else ())):
        if (folder / "truth.csv").exists():
            yield folder.name, folder / "offers.csv", folder / "truth.csv"
    made = generate(offers)
    write_table(made.offers, scratch / "generated.csv")
    write_table(made.truth, scratch / "generated-truth.csv")
    yield f"generated {offers:,}", scratch / "generated.csv", scratch / "generated-truth.csv"


def main() -> None:
    """Print one table."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", type=Path, help="folder of folders with offers.csv and truth.csv")
    arguments.add_argument("--offers", type=int, default=35_000, help="size of the generated catalogue")
    arguments.add_argument("--tool", choices=PEERS, action="append", help="only these; may repeat")
    options = arguments.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="c2c-peers-") as directory:
        scratch = Path(directory)
        environment = Environment(scratch / "environment")
        for name, offers, truth_path in _sets(options.data, options.offers, scratch):
            truth = read_truth(truth_path)
            for tool in ("click2cart", *(options.tool or PEERS)):
                one = (
                    measure_ours(offers, truth, scratch / "clusters.csv")
                    if tool == "click2cart"
                    else measure_peer(environment, tool, offers, truth, scratch / "pairs.csv")
                )
                figures = (
                    (one.problem, "", "", "")
                    if one.problem
                    else (
                        f"{one.f1:.3f}",
                        "" if one.best_f1 is None else f"{one.best_f1:.3f}",
                        one.seconds,
                        one.peak_mb,
                    )
                )
                rows.append((name, f"{len(truth):,}", one.tool, *figures))
                print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    print_table(
        "Public matching tools beside ours",
        ("set", "offers", "tool", "F1", "F1, all picked on the truth", "seconds", "MB"),
        rows,
        "Ours has one configuration and has seen the public sets in training where the name is theirs.",
    )


if __name__ == "__main__":
    main()
