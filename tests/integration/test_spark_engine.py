"""The Spark engine: the same clusters as in one process, from real executors, however many tasks a stage has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from aggregator.domain.errors import EnvironmentProblem
from benchmarks.offer_generator import generate, write_table
from matcher.engines import spark

_MISSING = [
    what
    for what, present in (
        ("PySpark (make setup-spark)", find_spec("pyspark") is not None),
        ("Java (apt-get install default-jre-headless)", shutil.which("java") is not None),
    )
    if not present
]


@pytest.fixture(scope="module")
def spark_is_here() -> None:
    if _MISSING:
        reason = f"the Spark engine needs {' and '.join(_MISSING)}"
        if os.environ.get("CLICK2CART_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def offers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spark") / "offers.parquet"
    write_table(generate(600, seed=5).offers, path)
    return path


# Small parts, so that a small catalogue has many; a process of its own, as it keeps a Java machine to its end.
_PROGRAM = """
import sys
from pathlib import Path
import matcher.blocking, matcher.clustering, matcher.engines.local, matcher.reading
from matcher.engines.local import partition, score_candidates
from matcher.engines.spark import on_spark
from matcher.files import read_offers
from matcher.model import MatchModel
from matcher.parallel import over_parts
from matcher.preparation import prepare

def in_parts(work, count, size, processes=1):
    return over_parts(work, count, min(size, count // 4 + 1), processes)

for module in (matcher.blocking, matcher.clustering, matcher.engines.local, matcher.reading):
    module.over_parts = in_parts
records, model = read_offers(Path(sys.argv[1])), MatchModel.load()

def run():
    scoring = score_candidates(prepare(records), model)
    found = partition(scoring)
    return [array.tolist() for array in (scoring.scores, found.automatic, found.probable)]

local = run()
assert len(set(local[2])) < len(records)
for tasks in (1, 3):
    with on_spark("local[2]", tasks):
        assert run() == local, f"{tasks} tasks"
print("same")
"""


@pytest.mark.prove
@pytest.mark.usefixtures("spark_is_here")
def test_spark_finds_the_same_as_one_process_for_any_number_of_tasks(offers: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(offers)], capture_output=True, text=True, cwd=offers.parent
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "same"


@pytest.mark.prove
@pytest.mark.usefixtures("spark_is_here")
def test_match_run_writes_the_same_files_with_either_engine(offers: Path) -> None:
    written = []
    for engine in ("local", "spark"):
        output = offers.with_name(f"{engine}.csv")
        command = [str(Path(sys.executable).with_name("click2cart")), "match", "run", str(offers)]
        done = subprocess.run(
            [*command, "--output", str(output), "--engine", engine, "--spark-master", "local[1]"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        written.append(output.read_text(encoding="utf-8"))
    assert written[0] == written[1]


def test_without_pyspark_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    with pytest.raises(EnvironmentProblem, match="make setup-spark"), spark.on_spark():
        pass
