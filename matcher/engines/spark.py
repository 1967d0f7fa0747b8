"""The matcher on Apache Spark: the same functions over the same parts as in one process, so the same result."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from aggregator.domain.errors import EnvironmentProblem
from matcher.parallel import spread_by
from matcher.preparation import PreparedCatalogue
from matcher.records import OfferRecord

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import SparkSession

DEFAULT_MASTER = "local[*]"
_ALIGNED = 64
_SCHEMA = "part long, result binary"
_LOGGING = """
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n
"""


@contextmanager
def on_spark(master: str = DEFAULT_MASTER, partitions: int | None = None) -> Iterator[None]:
    """As long as this lasts, `over_parts` is done by Spark's executors.

    `partitions` is how many tasks a stage has at most (a task a part if None). What the parts read, the prepared
    catalogue above all, is written once and mapped into memory by the executors: those of one machine share it.
    On a cluster every node needs this package installed. Raises EnvironmentProblem where Spark cannot start.
    """
    with tempfile.TemporaryDirectory(prefix="c2c-spark-", ignore_cleanup_errors=True) as scratch:
        session = _start(master, Path(scratch))
        try:
            stages = _Stages(session, Path(scratch), partitions, is_shared=master.startswith("local"))
            with spread_by(stages.spread):
                yield
        finally:
            session.stop()


def _start(master: str, scratch: Path) -> SparkSession:
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise EnvironmentProblem("PySpark is not installed; make setup-spark installs it") from error
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise EnvironmentProblem(
            "Spark needs Java 17 or newer; on Debian: apt-get install default-jre-headless"
        )
    # Executors must run this environment's Python, whatever comes first on their PATH.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    (scratch / "log4j2.properties").write_text(_LOGGING, encoding="ascii")
    builder = SparkSession.builder.master(master).appName("click2cart match")
    # The Java side only hands batches on: quick to start matters more than quick when warm.
    java_options = (
        f"-Djava.io.tmpdir={scratch} -Dlog4j2.configurationFile={scratch}/log4j2.properties"
        " -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    )
    settings = {
        "spark.driver.extraJavaOptions": java_options,
        "spark.driver.maxResultSize": "0",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if master.startswith("local"):
        settings |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise EnvironmentProblem(f"Spark cannot start with master {master}: {error}") from error


class _Stages:
    """Each call of `over_parts` as one Spark stage: its work goes out as files, its results come back as Arrow."""

    def __init__(
        self, session: SparkSession, scratch: Path, partitions: int | None, *, is_shared: bool
    ) -> None:
        self._session = session
        self._scratch = scratch
        self._partitions = partitions
        self._is_shared = is_shared
        self._files = 0
        self._catalogues: dict[int, tuple[PreparedCatalogue, str]] = {}

    def spread(self, work: Callable[[int, int], Any], parts: list[tuple[int, int]]) -> Iterator[Any]:
        """Results of `work(start, end)` in the order of the parts."""
        if not parts:
            return
        done = _Doing(self._write(work), parts)
        tasks = min(len(parts), self._partitions or len(parts))
        numbers = self._session.range(0, len(parts), 1, tasks)
        table = numbers.mapInArrow(done, _SCHEMA).toArrow()
        results = dict(zip(table.column("part").to_pylist(), table.column("result"), strict=True))
        for number in range(len(parts)):
            yield pickle.loads(results[number].as_buffer())  # noqa: S301  # written by our own executors

    def _write(self, value: object) -> str:
        """The file in which executors find the value."""
        self._files += 1
        path = self._scratch / f"work-{self._files}"
        _write_mapped(path, value, self._persistent)
        return self._sent(path)

    def _persistent(self, value: object) -> str | None:
        """A prepared catalogue is written once, without its records: no part reads them."""
        if not isinstance(value, PreparedCatalogue):
            return None
        if id(value) not in self._catalogues:
            path = self._scratch / f"catalogue-{len(self._catalogues)}"
            unsent = _Unsent(len(value))
            _write_mapped(path, _fields(replace(value, records=unsent)), lambda _: None)
            # The catalogue is kept beside its name, so that no other object gets its id.
            self._catalogues[id(value)] = value, self._sent(path)
        return self._catalogues[id(value)][1]

    def _sent(self, path: Path) -> str:
        if self._is_shared:
            return str(path)
        self._session.sparkContext.addFile(str(path))
        return path.name


class _Doing:
    """What an executor does with a batch of part numbers."""

    def __init__(self, work: str, parts: Sequence[tuple[int, int]]) -> None:
        self._work = work
        self._parts = parts

    def __call__(self, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow

        work = _read_mapped(self._work)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                result = pickle.dumps(work(*self._parts[number]), protocol=5)
                yield pyarrow.RecordBatch.from_pydict({"part": [number], "result": [result]})


class _Unsent(Sequence[OfferRecord]):
    """Stands for the records where only their number is known."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: object) -> NoReturn:
        raise TypeError("records stay with the driver; parts read the catalogue's columns")


def _fields(catalogue: PreparedCatalogue) -> dict[str, Any]:
    """The catalogue's columns by name: a value that is no PreparedCatalogue itself."""
    return {name: getattr(catalogue, name) for name in catalogue.__dataclass_fields__}


def _write_mapped(path: Path, value: object, persistent: Callable[[object], str | None]) -> None:
    """Pickle `value` with its arrays behind it, each where a memory map can take it as it is."""
    from pyspark.cloudpickle import CloudPickler

    class Pickler(CloudPickler):  # type: ignore[misc]  # PySpark is optional, so its types are unknown here
        def persistent_id(self, held: object) -> str | None:
            return persistent(held)

    buffers: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    Pickler(file, protocol=5, buffer_callback=buffers.append).dump(value)
    body = file.getvalue()
    raws = [buffer.raw() for buffer in buffers]
    header = pickle.dumps((len(body), [len(raw) for raw in raws]))
    with path.open("wb") as target:
        target.write(len(header).to_bytes(8, "little"))
        target.write(header)
        target.write(body)
        for raw in raws:
            target.seek(-target.tell() % _ALIGNED, io.SEEK_CUR)
            target.write(raw)


@lru_cache(maxsize=1)
def _read_mapped(name: str) -> Any:
    """The value of a file that `_write_mapped` wrote; its arrays are the mapped file, shared until written."""
    path = Path(name)
    if not path.is_absolute():
        from pyspark import SparkFiles

        path = Path(SparkFiles.get(name))
    with path.open("rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    body = 8 + int.from_bytes(mapped[:8], "little")
    length, sizes = pickle.loads(mapped[8:body])  # noqa: S301  # written by our own driver
    place = body + length
    buffers = []
    for size in sizes:
        place += -place % _ALIGNED
        buffers.append(mapped[place : place + size])
        place += size
    return _Unpickler(io.BytesIO(mapped[body : body + length]), buffers=buffers).load()


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name: str) -> PreparedCatalogue:
        return _read_catalogue(name)


@lru_cache(maxsize=1)
def _read_catalogue(name: str) -> PreparedCatalogue:
    return PreparedCatalogue(**_read_mapped.__wrapped__(name))
