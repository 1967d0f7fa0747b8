"""From raw offers to the catalogue: staging, judgement, release."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from aggregator.catalog.ingest import IngestReport, release_run, settle_held_run, stage_offers
from aggregator.catalog.quarantine import list_quarantine
from aggregator.catalog.runs import RunTicket, due_stores, open_run
from aggregator.catalog.stores import NewStore, get_run, register_store
from aggregator.db.models import OfferPriceRow, OfferRow, RunRow, StagedOfferRow, StoreRow
from aggregator.domain.errors import Conflict, NotFound
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.runs import CrawlCounts


def raw(number: int, price: str = "10.00", **changes: Any) -> RawOffer:
    values: dict[str, Any] = {
        "external_id": f"sku-{number}",
        "url": f"https://shop.example/p/{number}",
        "title": f"Kettle {number}",
        "price": Decimal(price) if price.replace(".", "").isdigit() else price,
        "price_currency": "EUR",
        "availability": "InStock",
    }
    return RawOffer(**{**values, **changes})


@pytest.fixture
def store(session: Session) -> str:
    register_store(
        session,
        NewStore(url="https://shop.example/", platform="generic", name="Shop", slug="shop", currency="EUR"),
    )
    return "shop"


def begin(session: Session, slug: str) -> RunTicket:
    ticket = open_run(session, slug, trigger="command", worker="test")
    assert ticket is not None
    return ticket


def crawl(
    session: Session, slug: str, offers: Iterable[RawOffer | InvalidOffer], *, is_complete: bool = True
) -> IngestReport:
    ticket = begin(session, slug)
    stage_offers(session, ticket, offers, CrawlCounts(requests=1, bytes_received=100))
    return release_run(session, ticket, is_complete=is_complete)


def written(session: Session) -> set[tuple[int, str, str]]:
    """What an UPDATE would change: every offer's physical place and writer, and every price row."""
    offers = session.execute(text("select id, ctid::text, xmin::text from offers"))
    prices = session.execute(text("select offer_id, ctid::text, xmin::text from offer_prices"))
    return {tuple(row) for row in (*offers, *prices)}


def test_a_first_run_fills_the_catalogue_and_begins_the_history(session: Session, store: str) -> None:
    report = crawl(session, store, [raw(1), raw(2, "20.50")])
    assert (report.state, report.seen, report.new, report.changed, report.unchanged) == (
        "finished",
        2,
        2,
        0,
        0,
    )
    prices = session.scalars(select(OfferRow.price).order_by(OfferRow.external_id)).all()
    assert prices == [Decimal("10.0000"), Decimal("20.5000")]
    assert session.scalar(select(func.count()).select_from(OfferPriceRow)) == 2
    assert session.scalar(select(func.count()).select_from(StagedOfferRow)) == 0


def test_nothing_staged_is_seen_before_the_run_is_released(session: Session, store: str) -> None:
    stage_offers(session, begin(session, store), [raw(1)], CrawlCounts(requests=1, bytes_received=1))
    assert session.scalar(select(func.count()).select_from(OfferRow)) == 0


def test_a_recrawl_of_an_unchanged_store_writes_no_offer_and_no_price_row(
    session: Session, store: str
) -> None:
    crawl(session, store, [raw(number) for number in range(30)])
    before = written(session)
    checked_before = session.scalar(select(StoreRow.checked_at))
    report = crawl(session, store, [raw(number) for number in range(30)])
    assert (report.new, report.changed, report.unchanged, report.gone) == (0, 0, 30, 0)
    assert written(session) == before
    assert session.scalar(select(StoreRow.checked_at)) > checked_before


def test_a_changed_price_appends_one_history_row(session: Session, store: str) -> None:
    crawl(session, store, [raw(1), raw(2)])
    report = crawl(session, store, [raw(1, "9.00"), raw(2)])
    assert (report.changed, report.unchanged) == (1, 1)
    history = session.scalars(
        select(OfferPriceRow.price)
        .join(OfferRow, OfferRow.id == OfferPriceRow.offer_id)
        .where(OfferRow.external_id == "sku-1")
        .order_by(OfferPriceRow.recorded_at)
    ).all()
    assert history == [Decimal("10.0000"), Decimal("9.0000")]


def test_a_changed_picture_is_a_change_but_no_price_row(session: Session, store: str) -> None:
    crawl(session, store, [raw(1)])
    report = crawl(session, store, [raw(1, image_url="https://shop.example/i/1.png")])
    assert report.changed == 1
    assert session.scalar(select(func.count()).select_from(OfferPriceRow)) == 1


def test_only_a_complete_run_marks_offers_gone(session: Session, store: str) -> None:
    crawl(session, store, [raw(1), raw(2)])
    broken_off = crawl(session, store, [raw(1)], is_complete=False)
    assert (broken_off.state, broken_off.gone) == ("failed", 0)
    complete = crawl(session, store, [raw(1)])
    assert (complete.state, complete.gone) == ("finished", 1)
    gone = session.scalars(select(OfferRow.external_id).where(OfferRow.gone_at.is_not(None))).all()
    assert gone == ["sku-2"]


def test_an_offer_that_comes_back_is_the_same_offer(session: Session, store: str) -> None:
    crawl(session, store, [raw(1), raw(2)])
    first_id = session.scalar(select(OfferRow.public_id).where(OfferRow.external_id == "sku-2"))
    crawl(session, store, [raw(1)])
    report = crawl(session, store, [raw(1), raw(2)])
    assert (report.new, report.changed) == (0, 1)
    row = session.execute(
        select(OfferRow.public_id, OfferRow.gone_at).where(OfferRow.external_id == "sku-2")
    ).one()
    assert tuple(row) == (first_id, None)


def test_what_cannot_be_read_is_kept_counted_and_not_taken_for_gone(session: Session, store: str) -> None:
    crawl(session, store, [raw(1), raw(2)])
    checked = session.scalar(select(StoreRow.checked_at))
    report = crawl(session, store, [raw(1), raw(2, price="call us")])
    assert (report.seen, report.unchanged, report.quarantined, report.gone) == (2, 1, 1, 0)
    kept = list_quarantine(session, store_slug=store)
    assert [(offer.external_id, offer.reason) for offer in kept] == [("sku-2", "unreadable_price")]
    assert "call us" in kept[0].raw
    still = session.execute(
        text(
            "select c.checked_at from offer_checks c join offers o on o.id = c.offer_id where external_id = 'sku-2'"
        )
    ).scalar_one()
    assert still == checked


def test_a_key_listed_twice_with_another_price_is_counted_once_and_the_other_kept(
    session: Session, store: str
) -> None:
    report = crawl(session, store, [raw(1, "5.00"), raw(1, "6.00"), raw(2), raw(2)])
    assert (report.seen, report.new, report.quarantined) == (3, 2, 1)
    assert session.scalar(select(OfferRow.price).where(OfferRow.external_id == "sku-1")) == Decimal("6.0000")
    assert [offer.reason for offer in list_quarantine(session, store_slug=store)] == ["listed_twice"]


@pytest.mark.parametrize(
    ("poisoned", "word"),
    [
        ([raw(number, "1000.00") for number in range(40)], "tripled"),
        ([raw(number, "0.10") for number in range(40)], "third"),
        ([raw(number, price_currency="USD") for number in range(40)], "currency"),
        ([raw(number, availability="OutOfStock") for number in range(40)], "out of stock"),
        ([raw(number) for number in range(10)], "vanished"),
    ],
)
def test_a_poisoned_run_is_held_and_shoppers_see_nothing_of_it(
    session: Session, store: str, poisoned: list[RawOffer], word: str
) -> None:
    crawl(session, store, [raw(number) for number in range(40)])
    before = written(session)
    report = crawl(session, store, poisoned)
    assert (report.state, report.held, report.seen) == ("held", len(poisoned), len(poisoned))
    assert word in (report.problem or "")
    assert written(session) == before


def test_a_held_run_is_merged_or_thrown_away_by_a_person(session: Session, store: str) -> None:
    crawl(session, store, [raw(number) for number in range(40)])
    discarded = crawl(session, store, [raw(number, "1000.00") for number in range(40)])
    assert settle_held_run(session, discarded.run, accept=False).state == "cancelled"
    accepted = crawl(session, store, [raw(number, "1000.00") for number in range(40)])
    report = settle_held_run(session, accepted.run, accept=True)
    assert (report.state, report.changed, report.held) == ("finished", 40, 0)
    assert session.scalar(select(func.max(OfferRow.price))) == Decimal("1000.0000")
    with pytest.raises(Conflict):
        settle_held_run(session, accepted.run, accept=True)


def test_a_held_run_does_not_take_the_catalogue_back_behind_a_newer_one(session: Session, store: str) -> None:
    crawl(session, store, [raw(number) for number in range(40)])
    held = crawl(session, store, [raw(number, "1000.00") for number in range(40)])
    crawl(session, store, [raw(number, "6.00") for number in range(40)])
    before = written(session)
    with pytest.raises(Conflict, match=f"run {held.run} is not held"):
        settle_held_run(session, held.run, accept=True)
    assert written(session) == before
    assert "replaced by a newer reading" in (get_run(session, held.run).problem or "")


def test_a_run_that_got_nothing_leaves_a_held_one_to_be_settled(session: Session, store: str) -> None:
    crawl(session, store, [raw(number) for number in range(40)])
    held = crawl(session, store, [raw(number, "1000.00") for number in range(40)])
    assert crawl(session, store, [], is_complete=False).state == "failed"
    assert settle_held_run(session, held.run, accept=True).changed == 40


def test_of_a_store_that_is_held_each_time_only_the_newest_reading_waits(
    session: Session, store: str
) -> None:
    crawl(session, store, [raw(number) for number in range(40)])
    runs = [crawl(session, store, [raw(number, "1000.00") for number in range(40)]).run for _ in range(3)]
    assert [get_run(session, run).state for run in runs] == ["cancelled", "cancelled", "held"]
    assert session.scalar(select(func.count()).select_from(StagedOfferRow)) == 40


def test_an_unknown_run_cannot_be_settled(session: Session) -> None:
    with pytest.raises(NotFound, match="no such run: nowhere"):
        settle_held_run(session, "nowhere", accept=False)


def test_a_store_is_read_by_one_run_at_a_time(session: Session, store: str) -> None:
    begin(session, store)
    with pytest.raises(Conflict, match="crawled already"):
        open_run(session, store, trigger="command", worker="other")
    assert open_run(session, store, trigger="schedule", worker="other", only_if_due=True) is None


def test_a_dead_run_is_taken_up_and_its_old_reader_is_fenced_off(session: Session, store: str) -> None:
    dead = begin(session, store)
    stage_offers(session, dead, [raw(1), raw(2)], CrawlCounts(requests=1, bytes_received=1))
    session.execute(update(RunRow).values(heartbeat_at=datetime.now(UTC) - timedelta(minutes=5)))
    assert due_stores(session) == [store]
    taken_up = open_run(session, store, trigger="schedule", worker="other", only_if_due=True)
    assert taken_up is not None
    assert (taken_up.public_id, taken_up.attempt) == (dead.public_id, dead.attempt + 1)
    with pytest.raises(Conflict):
        stage_offers(session, dead, [raw(3)], CrawlCounts(requests=2, bytes_received=2))
    stage_offers(session, taken_up, [raw(1)], CrawlCounts(requests=1, bytes_received=1))
    report = release_run(session, taken_up, is_complete=True)
    assert (report.seen, report.new) == (1, 1)


def test_a_due_store_is_asked_for_once_until_its_run_begins(session: Session, store: str) -> None:
    assert due_stores(session) == [store]
    assert due_stores(session) == []
    begin(session, store)
    assert due_stores(session) == []


@pytest.mark.parametrize(
    "nasty",
    [
        raw(1, title="a\x00b\ud800 \u202eevil"),
        raw(1, title="back\\slash\ttab \\N"),
        raw(1, category="\\."),
        raw(1, variant_attributes={"Größe": 'a"b\\c'}),
        raw(1, stock_level=10**30),
        raw(1, handoff={"link": "x" * 5000}),
    ],
)
def test_hostile_text_is_stored_harmlessly(session: Session, store: str, nasty: RawOffer) -> None:
    report = crawl(session, store, [nasty])
    assert report.new == 1
    title = session.scalar(select(OfferRow.title))
    assert title is not None
    assert not {"\x00", "\ud800", "\u202e"} & set(title)


@pytest.mark.parametrize(
    "price", [Decimal("NaN"), Decimal("Infinity"), "1e400", "-5", "", None, Decimal("1e30")]
)
def test_an_impossible_price_never_reaches_the_catalogue(session: Session, store: str, price: Any) -> None:
    report = crawl(
        session,
        store,
        [
            RawOffer(
                external_id="1",
                url="https://shop.example/1",
                title="Kettle",
                price=price,
                price_currency="EUR",
            )
        ],
    )
    assert (report.new, report.quarantined) == (0, 1)
