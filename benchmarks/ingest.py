"""Ingestion of a million offers: its database part beside raw COPY and the ORM, and all of it from raw offers."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

import psutil
from sqlalchemy import event, text

from aggregator.catalog.bulk_loading import validate_foreign_keys
from aggregator.catalog.ingest import IngestReport, release_run, stage_offers
from aggregator.catalog.runs import RunTicket, beat, open_run
from aggregator.catalog.staging import OFFER_COLUMNS, begin_staging, copy_staged, encode_offers
from aggregator.catalog.stores import NewStore, register_store
from aggregator.db.models import OfferRow
from aggregator.db.session import Sessions
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import Offer, RawOffer
from aggregator.domain.runs import CrawlCounts
from benchmarks.scratch import Stopwatch, print_table, scratch_database

BATCH = 5_000
CHANGED = 20  # every twentieth offer asks another price
ORM_OFFERS = 10_000


def raw_offer(number: int, *, is_changed: bool = False) -> RawOffer:
    """An offer of a plausible width."""
    return RawOffer(
        external_id=f"sku-{number:07d}",
        url=f"https://shop.example/products/item-{number:07d}",
        title=f"Acme Kettle KT-{number % 9973:04d} 1.7 l stainless steel, series {number % 31}",
        price=Decimal(1000 + number % 90_000).scaleb(-2) + is_changed,
        price_currency="EUR",
        availability="InStock",
        brand="Acme",
        mpn=f"KT-{number % 9973:04d}",
        sku=f"sku-{number:07d}",
        category="Kitchen > Kettles",
        image_url=f"https://shop.example/images/{number:07d}.jpg",
        source="benchmark",
    )


def encoded(numbers: Iterable[int], *, is_changed: bool = False) -> bytes:
    """Offers as staging takes them."""
    offers = ((number, normalize_offer(raw_offer(number, is_changed=is_changed))) for number in numbers)
    return encode_offers((number, offer) for number, offer in offers if isinstance(offer, Offer))


def batches(count: int) -> tuple[list[bytes], list[bytes]]:
    """The offers in batches, and again with every twentieth price changed."""
    same, changed = [], []
    for start in range(0, count, BATCH):
        numbers = range(start, start + BATCH)
        lines = encoded(numbers).splitlines(keepends=True)
        same.append(b"".join(lines))
        lines[::CHANGED] = encoded(numbers[::CHANGED], is_changed=True).splitlines(keepends=True)
        changed.append(b"".join(lines))
    return same, changed


def begin(sessions: Sessions, slug: str) -> RunTicket:
    """A store's next run."""
    with sessions.begin() as session:
        ticket = open_run(session, slug, trigger="command", worker="bench")
    assert ticket is not None
    return ticket


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall seconds, and CPU seconds of this process and the whole database server together."""

    wall: float
    cpu: float


class Meter:
    """Measures a step; the server's own processes that ended meanwhile count, too."""

    def __init__(self, sessions: Sessions) -> None:
        with sessions() as session:
            backend = psutil.Process(session.scalar(text("select pg_backend_pid()")) or 0)
        self._server = backend.parent()

    def __enter__(self) -> Meter:
        self._wall, self._cpu = time.perf_counter(), self._spent()
        return self

    def __exit__(self, *_: object) -> None:
        self.cost = Cost(time.perf_counter() - self._wall, self._spent() - self._cpu)

    def _spent(self) -> float:
        assert self._server is not None
        ended = self._server.cpu_times()
        spent = time.process_time() + ended.children_user + ended.children_system
        for process in self._server.children():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent += times.user + times.system
        return spent


def database_part(sessions: Sessions, slug: str, parts: Sequence[bytes]) -> tuple[Cost, IngestReport]:
    """(what staging, judging and releasing costs of what is encoded already, the run's report)."""
    ticket = begin(sessions, slug)
    with Meter(sessions) as watch:
        for part in parts:
            with sessions.begin() as session:
                if beat(session, ticket, CrawlCounts(requests=1), staged=part.count(b"\n")) == 0:
                    begin_staging(session, ticket.run_id)
                copy_staged(session, ticket.run_id, part)
        with sessions.begin() as session:
            report = release_run(session, ticket, is_complete=True)
    return watch.cost, report


def raw_copy(sessions: Sessions, parts: Sequence[bytes]) -> Cost:
    """What it costs to COPY the same columns into a logged table without an index, in one transaction."""
    with sessions.begin() as session:
        session.execute(
            text(f"create table raw_copy as select 1::bigint as position, {_COLUMNS} from offers limit 0")
        )
    with Meter(sessions) as watch, sessions.begin() as session:
        connection = session.connection().connection.driver_connection
        assert connection is not None
        with (
            connection.cursor() as cursor,
            cursor.copy(f"copy raw_copy (position, {_COLUMNS}) from stdin") as copy,
        ):
            for part in parts:
                copy.write(part)
    with sessions.begin() as session:
        session.execute(text("drop table raw_copy"))
    return watch.cost


_COLUMNS = ", ".join(OFFER_COLUMNS)


def orm(sessions: Sessions) -> float:
    """Offers a second of SQLAlchemy's add_all, which writes no history, judges nothing and knows no staging."""
    with sessions.begin() as session:
        store_id = session.scalar(text("select id from stores where slug = 'orm'"))
        session.execute(text("delete from offers where store_id = :id"), {"id": store_id})
    raw = [raw_offer(number) for number in range(ORM_OFFERS)]
    with Stopwatch() as watch, sessions.begin() as session:
        session.add_all(
            OfferRow(
                store_id=store_id,
                external_id=offer.external_id,
                url=offer.url,
                title=offer.title,
                brand=offer.brand,
                mpn=offer.mpn,
                sku=offer.sku,
                category=offer.category,
                image_url=offer.image_url,
                price=offer.price,
                price_currency="EUR",
                digest=b"",
                first_seen_at=text("now()"),
                changed_at=text("now()"),
            )
            for offer in raw
        )
    return ORM_OFFERS / watch.wall


def from_raw(sessions: Sessions, count: int) -> tuple[float, float]:
    """(offers a second, offers a second of this process's CPU) from raw offers to a released run of a new store."""
    ticket = begin(sessions, "raw")
    raw = [[raw_offer(number) for number in range(start, start + BATCH)] for start in range(0, count, BATCH)]
    with Stopwatch() as watch:
        for part in raw:
            with sessions.begin() as session:
                stage_offers(session, ticket, part, CrawlCounts(requests=1))
        with sessions.begin() as session:
            release_run(session, ticket, is_complete=True)
    return count / watch.wall, count / watch.cpu


STEPS = (
    "first load of an empty catalogue",
    "merge into a filled table",
    "unchanged re-crawl",
    "re-crawl, 5 % changed",
)
FLOORS = (0.25, 0.07, 0.20, 0.20)


def one_round(sessions: Sessions, same: Sequence[bytes], changed: Sequence[bytes]) -> list[Cost]:
    """What raw COPY, each step and the late validation of foreign keys cost, on tables emptied before."""
    with sessions.begin() as session:
        session.execute(text("truncate offers, runs, offer_checks restart identity cascade"))
    _settle(sessions)
    costs = [raw_copy(sessions, same)]
    for slug, parts, expected in (
        ("first", same, ("new", 1.0)),
        ("second", same, ("new", 1.0)),
        ("first", same, ("unchanged", 1.0)),
        ("first", changed, ("changed", 1 / CHANGED)),
    ):
        _settle(sessions)
        cost, report = database_part(sessions, slug, parts)
        assert report.state == "finished", report.problem
        name, share = expected
        assert getattr(report, name) == int(report.seen * share), report
        costs.append(cost)
        if len(costs) == 2:
            with Meter(sessions) as watch, sessions.begin() as session:
                validate_foreign_keys(session)
    return [*costs, watch.cost]


def _settle(sessions: Sessions) -> None:
    """What one step leaves to be written must not be counted to the next."""
    with sessions.kw["bind"].connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum (analyze) offers, offer_prices"))


def show_statements(sessions: Sessions) -> None:
    """Print what takes long, for whoever wants to make it faster: wall and CPU seconds."""
    engine = sessions.kw["bind"]
    meters: dict[int, Meter | None] = {}

    @event.listens_for(engine, "before_cursor_execute")
    def begin_clock(connection, cursor, statement, parameters, context, many):  # type: ignore[no-untyped-def]  # SQLAlchemy's own signature
        if not meters:
            meters[0] = None  # the meter's own statement is not measured
            meters[0] = Meter(sessions)
        if meters[0] is not None:
            context.began = meters[0].__enter__()

    @event.listens_for(engine, "after_cursor_execute")
    def tell(connection, cursor, statement, parameters, context, many):  # type: ignore[no-untyped-def]  # SQLAlchemy's own signature
        if not hasattr(context, "began"):
            return
        context.began.__exit__()
        cost = context.began.cost
        if cost.cpu > 0.05:
            print(f"{cost.wall:8.2f} s {cost.cpu:8.2f} s  {' '.join(statement.split())[:110]}", flush=True)


def results(rounds: Sequence[Sequence[Cost]], count: int, orm_rate: float) -> Iterator[tuple[object, ...]]:
    """Rows of the table: medians over the rounds; each ratio is to raw COPY of its own round."""
    rate = count / statistics.median(costs[0].wall for costs in rounds)
    yield "raw COPY, logged, no index", f"{rate:,.0f}", "1.00", "1.00", "", f"{rate / orm_rate:.0f}"
    for number, (name, floor) in enumerate(zip(STEPS, FLOORS, strict=True), 1):
        wall = statistics.median(costs[0].wall / costs[number].wall for costs in rounds)
        cpu = statistics.median(costs[0].cpu / costs[number].cpu for costs in rounds)
        rate = count / statistics.median(costs[number].wall for costs in rounds)
        yield name, f"{rate:,.0f}", f"{wall:.3f}", f"{cpu:.3f}", f"{floor:.2f}", f"{rate / orm_rate:.0f}"
    later = [
        tuple(getattr(costs[1], by) + getattr(costs[-1], by) for by in ("wall", "cpu")) for costs in rounds
    ]
    wall = statistics.median(costs[0].wall / both[0] for costs, both in zip(rounds, later, strict=True))
    cpu = statistics.median(costs[0].cpu / both[1] for costs, both in zip(rounds, later, strict=True))
    rate = count / statistics.median(both[0] for both in later)
    name = "first load, and upkeep's later look at its foreign keys"
    yield name, f"{rate:,.0f}", f"{wall:.3f}", f"{cpu:.3f}", "", f"{rate / orm_rate:.0f}"
    yield f"SQLAlchemy add_all ({ORM_OFFERS:,} offers)", f"{orm_rate:,.0f}", "", "", "", "1"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--statements", action="store_true", help="print the statements that take long")
    arguments = parser.parse_args()
    count = arguments.offers // BATCH * BATCH
    same, changed = batches(count)
    with scratch_database() as sessions:
        with sessions.begin() as session:
            for slug in ("first", "second", "raw", "orm"):
                url = f"https://{slug}.example"
                register_store(
                    session, NewStore(url=url, platform="generic", name=slug, slug=slug, currency="EUR")
                )
        if arguments.statements:
            show_statements(sessions)
        rounds, orm_rates = [], []
        for _ in range(arguments.rounds):
            rounds.append(one_round(sessions, same, changed))
            print(
                "round:",
                *(f"{cost.wall:.2f} s/{cost.cpu:.2f} s" for cost in rounds[-1]),
                file=sys.stderr,
                flush=True,
            )
            orm_rates.append(orm(sessions))
        wall_rate, cpu_rate = from_raw(sessions, min(count, 200_000))
    print_table(
        f"Ingestion of {count:,} offers, database part, median of {arguments.rounds}",
        ("step", "offers/s", "× raw COPY", "× raw COPY, CPU", "at least", "× add_all"),
        list(results(rounds, count, statistics.median(orm_rates))),
        note="Offers, price history and indexes; staging and release included. CPU is of client and server together.",
    )
    print_table(
        "From RawOffer, normalized, staged and released",
        ("what", "offers/s", "at least"),
        [
            ("wall time, database included", f"{wall_rate:,.0f}", ""),
            ("a CPU-second of the reading process", f"{cpu_rate:,.0f}", "8,000"),
        ],
    )


if __name__ == "__main__":
    main()
