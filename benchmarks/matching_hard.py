"""The hard set judged: `python -m benchmarks.matching_hard` runs the matcher on it and prints a table by kind.

A pair counts as merged where its outcome is `merged`: both offers in one automatic cluster of the one catalogue run
that holds all offers of the set. `--failures` lists every pair that went wrong.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hard_groups import HARD_SET
from benchmarks.scratch import print_table

TARGET_PRECISION, TARGET_RECALL = 0.995, 0.85


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """One labelled pair with what the matcher said of it."""

    left_id: str
    right_id: str
    same: bool
    kind: str
    probability: float
    outcome: str

    @property
    def is_wrong(self) -> bool:
        """Merged though different: the only mistake that a shopper sees as a false deal."""
        return self.outcome == "merged" and not self.same


@dataclass(frozen=True, slots=True)
class HardScore:
    """Precision and recall of automatic merges over the labelled pairs; `wrong` merges."""

    pairs: int
    positives: int
    merged: int
    wrong: int

    @classmethod
    def of(cls, pairs: Iterable[JudgedPair]) -> HardScore:
        held = list(pairs)
        merged = [pair for pair in held if pair.outcome == "merged"]
        return cls(
            len(held),
            sum(pair.same for pair in held),
            len(merged),
            sum(pair.is_wrong for pair in merged),
        )

    @property
    def precision(self) -> float:
        """1.0 where nothing was merged."""
        return 1 - self.wrong / self.merged if self.merged else 1.0

    @property
    def recall(self) -> float:
        """1.0 where there is nothing to merge."""
        return (self.merged - self.wrong) / self.positives if self.positives else 1.0


def judge(arguments: Sequence[str] = ()) -> list[JudgedPair]:
    """Every pair of the set after one run of `click2cart match run`; `arguments` are added to the command."""
    with tempfile.TemporaryDirectory(prefix="c2c-hard-") as directory:
        output = Path(directory) / "pairs.csv"
        subprocess.run(
            [
                str(Path(sys.executable).with_name("click2cart")), "match", "run", str(HARD_SET / "offers.csv"),
                "--output", str(Path(directory) / "clusters.csv"), "--automatic-only",
                "--pairs", str(HARD_SET / "pairs.csv"), "--pairs-output", str(output), *arguments,
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        said = _rows(output)
    labels = _rows(HARD_SET / "pairs.csv")
    return [
        JudgedPair(
            left_id=label["left_id"],
            right_id=label["right_id"],
            same=label["label"] == "1",
            kind=label["kind"],
            probability=float(row["probability"]),
            outcome=row["outcome"],
        )
        for label, row in zip(labels, said, strict=True)
    ]


def by_kind(pairs: Iterable[JudgedPair]) -> dict[str, HardScore]:
    """The score of each kind, in the order of their names."""
    kinds: dict[str, list[JudgedPair]] = defaultdict(list)
    for pair in pairs:
        kinds[pair.kind].append(pair)
    return {kind: HardScore.of(held) for kind, held in sorted(kinds.items())}


def _rows(path: Path) -> list[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _row(name: str, score: HardScore) -> tuple[object, ...]:
    return name, score.pairs, score.positives, f"{score.precision:.3f}", f"{score.recall:.3f}", score.wrong


def main() -> int:
    """Print the table; 1 where a target is missed."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--model", help="a trained model in place of the shipped one")
    arguments.add_argument("--failures", action="store_true", help="list wrong merges and missed ones")
    options = arguments.parse_args()
    pairs = judge(["--model", options.model] if options.model else [])
    total = HardScore.of(pairs)
    print_table(
        "The hard set, automatic merges",
        ("kind", "pairs", "same", "precision", "recall", "wrong"),
        [*(_row(kind, score) for kind, score in by_kind(pairs).items()), _row("all", total)],
        f"Wanted: precision {TARGET_PRECISION}, recall {TARGET_RECALL}.",
    )
    if options.failures:
        titles = {
            row["offer_id"]: f"{row['title']} [{row['store']} {row['gtin']}]"
            for row in _rows(HARD_SET / "offers.csv")
        }
        for pair in sorted(pairs, key=lambda pair: (pair.kind, -pair.probability)):
            if pair.is_wrong or (pair.same and pair.outcome != "merged"):
                print(
                    f"{'WRONG' if pair.is_wrong else 'missed'} {pair.kind} {pair.probability:.3f} {pair.outcome}"
                )
                print(f"    {titles[pair.left_id]}\n    {titles[pair.right_id]}")
    return 0 if total.precision >= TARGET_PRECISION and total.recall >= TARGET_RECALL else 1


if __name__ == "__main__":
    sys.exit(main())
