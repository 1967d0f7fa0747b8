"""Search over a million products: the index, naive PostgreSQL and bare tantivy, and the page over HTTP."""

from __future__ import annotations

import argparse
import http.client
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import psutil
from sqlalchemy import text
from sqlalchemy.orm import Session
from tantivy import Occur, Query

from aggregator.catalog.search import search_products, suggest
from aggregator.catalog.search_database import search_database
from aggregator.catalog.search_index import IndexPlace, SearchIndex
from aggregator.catalog.search_sync import rebuild
from aggregator.db.session import Sessions
from aggregator.domain.products import SearchQuery
from aggregator.domain.search_words import query_words
from benchmarks.scratch import Stopwatch, percentiles, print_table, scratch_database
from benchmarks.search_catalogue import all_titles, fill
from benchmarks.search_quality import edited
from web import search_address
from web.db import database_address

PORT = 5601
COUNTRY = "DE"
_KINDS = (
    "words alone", "price limit", "lowest total", "price, available", "brands", "store, attribute", "category",
    "misspelt",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A query and what is particular about it."""

    kind: str
    query: SearchQuery


def queries(count: int, seed: int = 11) -> list[Asked]:
    """One to three words of real titles; every kind of filter and order, and an eighth misspelt."""
    rng = random.Random(seed)
    titles = all_titles()
    made = []
    for number in range(count):
        words = [word for word in query_words(rng.choice(titles)) if len(word) > 2] or ["tv"]
        chosen = rng.sample(words, min(rng.randint(1, 3), len(words)))
        kind = _KINDS[number % len(_KINDS)]
        if kind == "misspelt":
            letters = [place for place, word in enumerate(chosen) if sum(map(str.isalpha, word)) > 3]
            if letters:
                place = rng.choice(letters)
                chosen[place] = edited(chosen[place], rng)
        query = SearchQuery(text=" ".join(chosen), assumed_shipping=Decimal("5.90"))
        changes: dict[str, dict[str, object]] = {
            "price limit": {"max_price": Decimal(80)},
            "lowest total": {"sorting": "total"},
            "price, available": {"sorting": "price", "available_only": True},
            "brands": {"brands": ("Brand 1", "Brand 7", "Brand 30")},
            "store, attribute": {"stores": ("s3", "s9"), "attributes": ("colour:Black", "colour:White")},
            "category": {"categories": ("televisions", "dishwashers"), "min_price": Decimal(20), "sorting": "-price"},
        }  # fmt: skip
        made.append(Asked(kind, replace(query, **changes.get(kind, {}))))  # type: ignore[arg-type]  # a table of fields
    return made


def timed(
    asked: Sequence[Asked], ask: Callable[[SearchQuery], int]
) -> tuple[list[tuple[float, float]], list[int]]:
    """((seconds by the clock, CPU seconds of all threads), hits) of each."""
    for one in queries(40, seed=99):
        ask(one.query)
    spent, hits = [], []
    for one in asked:
        with Stopwatch() as watch:
            hits.append(ask(one.query))
        spent.append((watch.wall, watch.cpu))
    return spent, hits


def row(name: str, spent: Sequence[tuple[float, float]]) -> tuple[object, ...]:
    """A line of the table."""
    clock, cpu = zip(*spent, strict=True)
    return (
        name,
        len(spent),
        *(f"{one:.1f}" for one in (*percentiles(clock), max(clock) * 1000, *percentiles(cpu))),
    )


def measure_queries(session: Session, index: SearchIndex, count: int) -> None:
    """The use case as pages call it, by kind of query, and the peers."""
    asked = queries(count)
    spent, hits = timed(asked, lambda query: search_products(session, query, index).total)
    rows = [
        row(
            f"index, {kind}",
            [one for query, one in zip(asked, spent, strict=True) if kind in {query.kind, "all"}],
        )
        for kind in (*_KINDS, "all")
    ]
    few = [one for one in asked if one.kind != "misspelt"][: max(count // 8, 40)]
    for name, ask in (
        ("naive PostgreSQL (its CPU is apart)", _ask_database(session)),
        ("bare tantivy: 24 hits, no facets", _bare(index)),
    ):
        rows.append(row(name, timed(few, ask)[0]))
    typed = [
        Asked("typed", replace(one.query, text=one.query.text[: max(3, len(one.query.text) - 2)]))
        for one in asked
    ]
    rows.append(
        row(
            "suggestions while typing",
            timed(typed, lambda query: len(suggest(session, query.text, index).products))[0],
        )
    )
    hits.sort()
    print_table(
        "Searches: a page of 24 with its total and all facets",
        ("what", "queries", "p50 ms", "p95 ms", "max ms", "CPU p50 ms", "CPU p95 ms"),
        rows,
        note=f"Products found: p50 {hits[len(hits) // 2]:,}, p95 {hits[int(len(hits) * 0.95)]:,}, most {hits[-1]:,}.",
    )


def _ask_database(session: Session) -> Callable[[SearchQuery], int]:
    return lambda query: search_database(session, query).total


def _bare(index: SearchIndex) -> Callable[[SearchQuery], int]:
    view = index.view()
    assert view is not None

    def ask(query: SearchQuery) -> int:
        words = [
            (Occur.Must, Query.term_query(view.schema, "title", word, "freq"))
            for word in query_words(query.text)
        ]
        result = view.searcher.search(Query.boolean_query(words), 24)
        return int(result.count)  # type: ignore[attr-defined]  # its stubs leave it out

    return ask


@contextmanager
def serving(address: str, data_dir: Path) -> Iterator[psutil.Process]:
    """The production server on this database, ready."""
    environment = {
        **os.environ, "DATABASE_URL": address, "CLICK2CART_DATA_DIR": str(data_dir), "PORT": str(PORT),
        "CLICK2CART_WEB_WORKERS": "1", "CLICK2CART_COUNTRY": COUNTRY,
    }  # fmt: skip
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("click2cart")), "web"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            try:
                http.client.HTTPConnection("127.0.0.1", PORT, timeout=5).request("GET", "/readyz")
                break
            except OSError:
                time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def measure_site(sessions: Sessions, data_dir: Path, count: int) -> None:
    """The whole page over HTTP from the production server, one after the other and by four at once."""
    paths = [
        search_address.address(replace(one.query, assumed_shipping=Decimal(0)))
        for one in queries(count, seed=12)
    ]
    rows = []
    with serving(database_address(sessions), data_dir) as server:
        _visit([search_address.address(one.query) for one in queries(40, seed=99)])
        for name, clients in (("one visitor", 1), ("four visitors", 4)):
            parts = [paths[one::clients] for one in range(clients)]
            before, began = _cpu(server), time.perf_counter()
            with ThreadPoolExecutor(clients) as pool:
                visits = [visit for part in pool.map(_visit, parts) for visit in part]
            wall, cpu = time.perf_counter() - began, _cpu(server) - before
            p50, p95 = percentiles([seconds for seconds, _ in visits])
            answers = dict(Counter(status for _, status in visits))
            rows.append(
                (
                    f"search page, {name}", len(visits), f"{p50:.1f}", f"{p95:.1f}", f"{len(visits) / wall:.0f}",
                    f"{len(visits) / cpu:.0f}", answers,
                )
            )  # fmt: skip
    print_table(
        "The search page over HTTP (Granian, one process)",
        ("page", "requests", "p50 ms", "p95 ms", "requests a second", "requests a CPU second", "answers"),
        rows,
        note="CPU of the serving processes; the database's is apart.",
    )


def _visit(paths: Sequence[str]) -> list[tuple[float, int]]:
    """(seconds, status) of each page, by one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    visits = []
    for path in paths:
        with Stopwatch() as watch:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        visits.append((watch.wall, answer.status))
    return visits


def _cpu(process: psutil.Process) -> float:
    return sum(
        one.cpu_times().user + one.cpu_times().system for one in [process, *process.children(recursive=True)]
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=800)
    parser.add_argument(
        "--keep", type=Path, help="folder of the products, made by the first run and used by others"
    )
    arguments = parser.parse_args()
    with (
        scratch_database(arguments.keep) as sessions,
        tempfile.TemporaryDirectory(prefix="c2c-search-") as folder,
    ):
        data_dir = Path(arguments.keep or folder)
        place = IndexPlace.at(data_dir, COUNTRY)
        with sessions() as session:
            is_there = session.scalar(text("select exists (select from products)"))
        if not is_there:
            with Stopwatch() as loading:
                fill(sessions, arguments.products)
            print(f"{arguments.products:,} products loaded in {loading.wall:.0f} s")
        generation = place.current()
        if generation is None or generation.position is None:
            with Stopwatch() as building:
                rebuild(sessions, place)
            size = sum(path.stat().st_size for path in place.folder.rglob("*") if path.is_file())
            print(f"The index made in {building.wall:.0f} s ({building.cpu:.0f} CPU s), {size / 1e6:.0f} MB")
        with sessions() as session:
            measure_queries(session, SearchIndex(place), arguments.queries)
        measure_site(sessions, data_dir, arguments.queries)


if __name__ == "__main__":
    main()
