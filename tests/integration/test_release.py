"""Releases beyond the ordinary: an empty catalogue, staged rows lost, parts of a store gone wrong; retention."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from aggregator.catalog.bulk_loading import SMALLEST_BULK, bulk_loading, validate_foreign_keys
from aggregator.catalog.ingest import IngestReport, release_run, settle_held_run, stage_offers
from aggregator.catalog.retention import Retention, forget_old
from aggregator.catalog.run_details import get_run_detail, get_run_log
from aggregator.catalog.runs import MOST_LOG_LINES, open_run, write_log
from aggregator.catalog.staging import drop_abandoned_staging, staging_table
from aggregator.db.models import OfferPriceRow, OfferRow, RunLogRow, RunRow, StoreRow
from aggregator.domain.errors import Conflict
from aggregator.domain.offers import RawOffer
from aggregator.domain.runs import CrawlCounts, LogLine
from tests.integration.shop_rows import offer_row, store_row
from tests.integration.shop_rows import raw_offer as raw

DEFINITIONS = """
    select indexdef from pg_indexes where tablename in ('offers', 'offer_prices')
    union all
    select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
    where conrelid in ('offers'::regclass, 'offer_prices'::regclass) and contype <> 'n'
    order by 1
"""


@pytest.fixture
def store(session: Session) -> StoreRow:
    return store_row(session, "shop", platform="generic", checked_at=None)


def crawl(session: Session, offers: Iterable[RawOffer], *, is_complete: bool = True) -> IngestReport:
    ticket = open_run(session, "shop", trigger="command", worker="test")
    assert ticket is not None
    stage_offers(session, ticket, offers, CrawlCounts(requests=1))
    report = release_run(session, ticket, is_complete=is_complete)
    assert report.seen == report.new + report.changed + report.unchanged + report.held + report.quarantined
    return report


def test_an_empty_catalogue_is_filled_without_indexes_and_has_them_all_afterwards(
    session: Session, store: StoreRow
) -> None:
    before = session.scalars(text(DEFINITIONS)).all()
    with bulk_loading(session, rows=SMALLEST_BULK) as is_bulk:
        assert is_bulk
        assert len(session.scalars(text(DEFINITIONS)).all()) < len(before) - 4
        offer = offer_row(session, store, None, "5.00", number=1)
    # Foreign keys hold at once, even before the rows that were there are looked at.
    with pytest.raises(IntegrityError, match="fk_offers_store_id"), session.begin_nested():
        session.execute(update(OfferRow).where(OfferRow.id == offer.id).values(store_id=-1))
    assert validate_foreign_keys(session) == 3
    assert validate_foreign_keys(session) == 0
    assert session.scalars(text(DEFINITIONS)).all() == before
    with bulk_loading(session, rows=SMALLEST_BULK) as is_bulk:
        assert not is_bulk


def test_few_offers_and_read_tables_are_filled_in_the_ordinary_way(
    session: Session, engine: Engine, store: StoreRow
) -> None:
    with bulk_loading(session, rows=SMALLEST_BULK - 1) as is_bulk:
        assert not is_bulk
    with engine.begin() as reader:
        reader.execute(text("lock table offers in access share mode"))
        with bulk_loading(session, rows=SMALLEST_BULK) as is_bulk:
            assert not is_bulk
    assert crawl(session, [raw(1)]).new == 1


def test_a_large_first_crawl_equals_a_small_one(session: Session, store: StoreRow) -> None:
    count = SMALLEST_BULK + 5
    report = crawl(session, (raw(number, f"{1 + number % 500}.00") for number in range(count)))
    assert (report.state, report.new) == ("finished", count)
    checked = session.execute(
        select(
            func.count(), func.count(OfferRow.public_id.distinct()), func.min(func.length(OfferRow.public_id))
        )
    ).one()
    assert tuple(checked) == (count, count, 20)
    odd = text(
        "select count(*) from offers o full join offer_prices p on p.offer_id = o.id"
        " where p.price is distinct from o.price"
    )
    assert session.scalar(odd) == 0
    # The ids of later offers go on behind them.
    again = crawl(session, (raw(number, f"{1 + number % 500}.00") for number in range(count + 1)))
    assert (again.new, again.unchanged) == (1, count)


def test_a_run_whose_staged_offers_were_lost_is_given_up_and_the_store_read_again(
    session: Session, store: StoreRow
) -> None:
    crawl(session, [raw(number) for number in range(30)])
    ticket = open_run(session, "shop", trigger="command", worker="test")
    assert ticket is not None
    stage_offers(session, ticket, [raw(number) for number in range(30)], CrawlCounts())
    session.execute(text(f"truncate {staging_table(ticket.run_id)}"))
    report = release_run(session, ticket, is_complete=True)
    assert (report.state, report.seen, report.gone) == ("failed", 0, 0)
    assert "crashed" in (report.problem or "")
    assert session.scalar(select(func.count()).where(OfferRow.gone_at.is_(None))) == 30
    due = session.scalar(select(StoreRow.next_crawl_at))
    assert due is not None
    assert due <= datetime.now(UTC) + timedelta(seconds=1)


def test_a_held_run_that_was_lost_can_only_be_discarded(session: Session, store: StoreRow) -> None:
    crawl(session, [raw(number) for number in range(40)])
    held = crawl(session, [raw(number, "900.00") for number in range(40)])
    run_id = session.scalar(select(RunRow.id).where(RunRow.public_id == held.run))
    assert run_id is not None
    session.execute(text(f"truncate {staging_table(run_id)}"))
    with pytest.raises(Conflict, match="lost"):
        settle_held_run(session, held.run, accept=True)
    assert settle_held_run(session, held.run, accept=False).state == "cancelled"


@pytest.mark.parametrize(
    ("field", "values"),
    [("source", ("json_ld", "visible_text")), ("category", ("Kitchen > Kettles", "Garden > Chairs"))],
)
def test_a_part_of_a_store_gone_wrong_holds_the_run(
    session: Session, store: StoreRow, field: str, values: tuple[str, str]
) -> None:
    def offers(price: str) -> list[RawOffer]:
        return [
            replace(raw(number, "10.00" if number < 70 else price), **{field: values[number >= 70]})
            for number in range(100)
        ]

    crawl(session, offers("10.00"))
    report = crawl(session, offers("39.00"))
    (anomaly,) = get_run_detail(session, report.run).anomalies
    assert (report.state, anomaly.kind, anomaly.part) == ("held", "prices_moved", values[1].split(" > ")[0])
    assert anomaly.figures == {"known": 30, "risen": 30}


def test_many_prices_that_become_one_hold_the_run(session: Session, store: StoreRow) -> None:
    crawl(session, [raw(number, f"{40 + number}.00") for number in range(40)])
    report = crawl(
        session, [raw(number, "49.00" if number < 30 else f"{40 + number}.00") for number in range(40)]
    )
    assert report.state == "held"
    assert "the same 49.0000 EUR" in (report.problem or "")


def test_what_can_hardly_be_read_any_more_holds_the_run(session: Session, store: StoreRow) -> None:
    crawl(session, [raw(number) for number in range(40)])
    broken = [replace(raw(number), price="call us") for number in range(25)]
    report = crawl(session, [*broken, *(raw(number) for number in range(25, 40))])
    assert (report.state, report.held, report.quarantined) == ("held", 15, 25)
    assert "only 15 of 40" in (report.problem or "")


def test_a_small_store_that_vanishes_altogether_is_held(session: Session, store: StoreRow) -> None:
    crawl(session, [raw(number) for number in range(4)])
    assert crawl(session, []).state == "held"
    assert crawl(session, [raw(number) for number in range(3)]).gone == 1


def test_a_store_may_have_limits_of_its_own(session: Session, store: StoreRow) -> None:
    crawl(session, [raw(number) for number in range(40)])
    store.judgement_limits = {"vanished": 0.9, "nonsense": 1, "moved": "x"}
    session.flush()
    report = crawl(session, [raw(number) for number in range(10)])
    assert (report.state, report.gone) == ("finished", 30)


def test_a_run_tells_what_it_changed_and_what_it_refused(session: Session, store: StoreRow) -> None:
    crawl(session, [raw(number) for number in range(30)])
    offers = [raw(number) for number in range(27)]
    report = crawl(
        session,
        [
            *offers[3:],
            raw(0, "12.00"),
            raw(1, "8.00"),
            raw(2, availability="OutOfStock"),
            raw(90),
            replace(raw(27), price=None),
            replace(raw(28), price="ask"),
        ],
    )
    detail = get_run_detail(session, report.run)
    assert detail.difference is not None
    assert (detail.difference.risen, detail.difference.fallen, detail.difference.sold_out) == (1, 1, 1)
    first = detail.difference.samples[0]
    assert (first.external_id, first.before, first.after) == ("sku-1", 10, 8)
    assert detail.rejected == {"no_price": 1, "unreadable_price": 1}
    assert (detail.run.new, detail.run.gone) == (1, 1)
    assert detail.before is not None
    assert (detail.before.seen, detail.progress) == (30, 1.0)
    assert "2 quarantined, 1 gone" in detail.log[-1].message
    assert detail.counts.stage_seconds["releasing"] >= 0


def test_progress_is_estimated_from_the_listing_or_the_run_before(session: Session, store: StoreRow) -> None:
    crawl(session, [raw(number) for number in range(40)])
    ticket = open_run(session, "shop", trigger="command", worker="test")
    assert ticket is not None
    stage_offers(session, ticket, [raw(number) for number in range(10)], CrawlCounts())
    assert get_run_detail(session, ticket.public_id).progress == 0.25
    stage_offers(session, ticket, [raw(50)], CrawlCounts(listed=22, pages=11))
    assert get_run_detail(session, ticket.public_id).progress == 0.5


def test_a_log_is_bounded_but_keeps_its_warnings(session: Session, store: StoreRow) -> None:
    report = crawl(session, [raw(1)])
    run_id = session.scalar(select(RunRow.id))
    assert run_id is not None
    now = datetime.now(UTC)
    write_log(session, run_id, [LogLine(at=now, level="info", message=f"line {n}\x00") for n in range(1500)])
    write_log(session, run_id, [LogLine(at=now, level="warning", message="late", data={"a": float("nan")})])
    lines = get_run_log(session, report.run, limit=5000)
    assert len(lines) == MOST_LOG_LINES + 1
    assert lines[-1].message == "late"
    assert get_run_detail(session, report.run).log_lines == 1502


def test_old_prices_are_forgotten_but_for_the_one_that_held(session: Session, store: StoreRow) -> None:
    for price in ("10.00", "11.00", "12.00", "13.00"):
        crawl(session, [raw(1, price)])
    now = datetime.now(UTC)
    ages = (400, 300, 200, 10)
    for recorded_at, age in zip(
        session.scalars(select(OfferPriceRow.recorded_at).order_by(OfferPriceRow.recorded_at)).all(),
        ages,
        strict=True,
    ):
        session.execute(
            update(OfferPriceRow)
            .where(OfferPriceRow.recorded_at == recorded_at)
            .values(recorded_at=now - timedelta(days=age))
        )
    deleted = forget_old(session, now=now, retention=Retention(prices=100))
    assert deleted["offer_prices"] == 2
    kept = session.scalars(select(OfferPriceRow.price).order_by(OfferPriceRow.recorded_at)).all()
    assert kept == [12, 13]


def test_a_run_that_nobody_settled_and_what_it_staged_are_forgotten(
    session: Session, store: StoreRow
) -> None:
    while drop_abandoned_staging(session):  # what other tests have left
        pass
    crawl(session, [raw(number) for number in range(40)])
    held = crawl(session, [raw(number, "900.00") for number in range(40)])
    session.execute(
        update(RunRow)
        .where(RunRow.public_id == held.run)
        .values(started_at=datetime.now(UTC) - timedelta(days=80))
    )
    session.execute(update(RunLogRow).values(at=datetime.now(UTC) - timedelta(days=31)))
    # That of the run before, which is released; the held one's stays.
    assert forget_old(session)["staged_offers"] == 1
    assert forget_old(session)["staged_offers"] == 0
    deleted = forget_old(session, retention=Retention(runs=70))
    assert (deleted["staged_offers"], deleted["runs"]) == (1, 1)
    assert session.scalar(select(func.count()).select_from(RunLogRow)) == 0
