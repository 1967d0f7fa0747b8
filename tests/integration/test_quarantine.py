"""Quarantine: single leaps of price, rules, replays without a crawl, and what a person discards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from aggregator.catalog.ingest import IngestReport, release_run, settle_held_run, stage_offers
from aggregator.catalog.offer_rules import get_offer_rules, set_offer_rule
from aggregator.catalog.quarantine import (
    choose_candidate,
    discard_quarantined,
    get_quarantined,
    group_quarantine,
    list_quarantine,
    quarantined_by_store,
)
from aggregator.catalog.replays import replay_quarantine
from aggregator.catalog.run_details import get_run_detail
from aggregator.catalog.runs import open_run
from aggregator.db.models import OfferPriceRow, OfferRow, StoreRow
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.runs import CrawlCounts
from spiders.untrusted import refused
from tests.integration.shop_rows import offer_row, product_row, store_row
from tests.integration.shop_rows import raw_offer as raw


@pytest.fixture
def store(session: Session) -> StoreRow:
    return store_row(session, "shop", platform="generic", checked_at=None)


def crawl(
    session: Session, offers: Iterable[RawOffer | InvalidOffer], *, is_complete: bool = True
) -> IngestReport:
    ticket = open_run(session, "shop", trigger="command", worker="test")
    assert ticket is not None
    stage_offers(session, ticket, offers, CrawlCounts(requests=1))
    report = release_run(session, ticket, is_complete=is_complete)
    assert report.seen == report.new + report.changed + report.unchanged + report.held + report.quarantined
    return report


def price_of(session: Session, external_id: str) -> Decimal | None:
    return session.scalar(select(OfferRow.price).where(OfferRow.external_id == external_id))


def reasons(session: Session) -> dict[str, str]:
    return {offer.external_id: offer.reason for offer in list_quarantine(session, store_slug="shop")}


def forty(**changes: str) -> list[RawOffer]:
    return [raw(number, changes.get(f"sku_{number}", f"{10 + number}.00")) for number in range(40)]


@pytest.mark.parametrize(
    ("price", "is_doubted"),
    [
        ("1500.00", True),
        ("0.15", True),
        ("150.00", True),
        ("80.00", True),
        ("2.50", True),
        ("30.00", False),
        ("6.00", False),
    ],
)
def test_a_single_leap_is_held_alone_and_the_rest_is_released(
    session: Session, store: StoreRow, price: str, is_doubted: bool
) -> None:
    crawl(session, forty())
    report = crawl(session, forty(sku_5=price, sku_6="17.00"))
    assert report.state == "finished"
    assert price_of(session, "sku-6") == 17
    assert price_of(session, "sku-5") == (15 if is_doubted else Decimal(price))
    assert (report.changed, report.quarantined, report.gone) == ((1, 1, 0) if is_doubted else (2, 0, 0))
    assert reasons(session) == ({"sku-5": "price_jump"} if is_doubted else {})


def test_a_minority_of_poisoned_prices_reaches_nobody(session: Session, store: StoreRow) -> None:
    crawl(session, forty())
    report = crawl(session, forty(**{f"sku_{number}": f"{1000 + 100 * number}.00" for number in range(15)}))
    assert (report.state, report.changed, report.quarantined) == ("finished", 0, 15)
    assert session.scalar(select(OfferRow.price).order_by(OfferRow.price.desc()).limit(1)) == 49
    # What is not believed was not checked either: its age runs on.
    assert session.scalar(text("select count(*) from offer_checks")) == 15


def test_a_price_that_returns_from_a_sale_is_no_leap(session: Session, store: StoreRow) -> None:
    crawl(session, forty(sku_5="60.00"))
    crawl(session, forty(sku_5="13.00"))
    assert crawl(session, forty(sku_5="60.00")).quarantined == 0
    assert price_of(session, "sku-5") == 60


def test_a_slow_climb_within_thirty_days_is_a_leap_in_the_end(session: Session, store: StoreRow) -> None:
    for price in ("10.00", "25.00", "45.00"):
        crawl(session, forty(sku_5=price))
    assert price_of(session, "sku-5") == 45
    assert crawl(session, forty(sku_5="90.00")).quarantined == 1
    session.execute(update(OfferPriceRow).values(recorded_at=OfferPriceRow.recorded_at - timedelta(days=40)))
    assert crawl(session, forty(sku_5="90.00")).quarantined == 0


def test_a_leap_that_another_store_confirms_is_believed(session: Session, store: StoreRow) -> None:
    crawl(session, forty())
    product = product_row(session, "Kettle 5")
    offer_row(session, store_row(session, "other"), product, "95.00")
    session.execute(update(OfferRow).where(OfferRow.external_id == "sku-5").values(product_id=product.id))
    assert crawl(session, forty(sku_5="90.00")).quarantined == 0
    assert crawl(session, forty(sku_5="900.00")).quarantined == 1


def test_an_offer_in_another_currency_alone_is_held(session: Session, store: StoreRow) -> None:
    crawl(session, forty())
    offers = [*forty()[:5], raw(5, "15.00", price_currency="USD"), *forty()[6:]]
    assert crawl(session, offers).quarantined == 1
    assert reasons(session) == {"sku-5": "currency_change"}


def test_a_new_offer_far_from_the_same_product_elsewhere_is_held(session: Session, store: StoreRow) -> None:
    gtin = "04006381333931"
    product = product_row(
        session, "Kettle", gtin=gtin, lowest_price=Decimal("20"), lowest_price_currency="EUR"
    )
    offer_row(session, store_row(session, "other"), product, "20.00", gtin=gtin)
    report = crawl(session, [raw(1, "2000.00", gtin=gtin), raw(2)])
    assert (report.new, report.quarantined) == (1, 1)
    assert reasons(session) == {"sku-1": "price_jump"}


def gtin_of(number: int) -> str:
    body = f"0400638{number:06d}"
    odd, even = (sum(map(int, body[start::2])) for start in (0, 1))
    return f"{body}{-(3 * odd + even) % 10}"


def test_a_first_crawl_out_of_scale_with_other_stores_is_held_whole(
    session: Session, store: StoreRow
) -> None:
    other = store_row(session, "other")
    for number in range(10):
        known = {"gtin": gtin_of(number), "lowest_price": Decimal("20"), "lowest_price_currency": "EUR"}
        offer_row(session, other, product_row(session, f"Kettle {number}", **known), "20.00")
    report = crawl(session, [raw(number, "2000.00", gtin=gtin_of(number)) for number in range(10)])
    assert (report.state, report.held, report.new) == ("held", 10, 0)
    assert [anomaly.kind for anomaly in get_run_detail(session, report.run).anomalies] == ["price_scale"]


def test_an_accepted_leap_is_released_and_a_discarded_one_asked_about_no_more(
    session: Session, store: StoreRow
) -> None:
    crawl(session, forty())
    crawl(session, forty(sku_5="1500.00", sku_6="1600.00"))
    waiting = {offer.external_id: offer.id for offer in list_quarantine(session, store_slug="shop")}
    with pytest.raises(InvalidInput, match="doubted"):
        replay_quarantine(session, "shop", public_ids=[waiting["sku-5"]])
    assert replay_quarantine(session, "shop").run is None
    report = replay_quarantine(session, "shop", public_ids=[waiting["sku-5"]], vouched=True)
    assert report.run is not None
    assert (report.run.state, report.run.changed, report.run.quarantined) == ("finished", 1, 0)
    assert price_of(session, "sku-5") == 1500
    assert discard_quarantined(session, [waiting["sku-6"]]) == 1
    crawl(session, forty(sku_5="1500.00", sku_6="1600.00"))
    assert reasons(session) == {}
    assert price_of(session, "sku-6") == 16
    with pytest.raises(Conflict, match="replayed already"):
        replay_quarantine(session, "shop", public_ids=[waiting["sku-5"]], vouched=True)


def test_a_candidate_is_chosen_and_what_waits_is_read_by_it_without_a_crawl(
    session: Session, store: StoreRow
) -> None:
    def ambiguous(number: int) -> InvalidOffer:
        candidates = [
            {"field": "price", "value": "19.99", "source": "json_ld", "where": "script"},
            {"field": "price", "value": "24.99", "source": "visible_text", "where": ".price"},
        ]
        offer = raw(number, "24.99")
        return refused(
            "ambiguous",
            {"candidates": candidates},
            external_id=offer.external_id,
            title=offer.title,
            url=offer.url,
            offer=offer,
        )

    first = crawl(session, [ambiguous(1), ambiguous(2), raw(3)])
    assert (first.new, first.quarantined) == (1, 2)
    again = replay_quarantine(session, "shop")
    assert again.run is not None
    assert (again.replayed, again.run.quarantined) == (2, 2)
    waiting = list_quarantine(session, store_slug="shop")
    assert len(waiting) == 2
    assert [candidate.value for candidate in waiting[0].candidates] == ["19.99", "24.99"]
    choose_candidate(session, waiting[0].id, "price", "json_ld")
    report = replay_quarantine(session, "shop")
    assert report.run is not None
    assert (report.replayed, report.run.new, report.run.quarantined) == (2, 2, 0)
    assert price_of(session, "sku-1") == price_of(session, "sku-2") == Decimal("19.99")
    assert get_quarantined(session, waiting[0].id).state == "replayed"


@pytest.mark.parametrize(
    ("offer", "rule", "value", "price"),
    [
        (raw(1, price="1.299"), "decimal_mark", ",", "1299"),
        (raw(1, price="1.299"), "decimal_mark", ".", "1.30"),
        (raw(1, price="12.00", price_currency=None), "currency", "sek", "12"),
    ],
)
def test_a_rule_of_the_store_makes_what_waits_readable(
    session: Session, store: StoreRow, offer: RawOffer, rule: str, value: str, price: str
) -> None:
    session.execute(update(StoreRow).values(currency=None))
    offer.price = "1.299" if rule == "decimal_mark" else offer.price
    assert crawl(session, [offer]).quarantined == 1
    set_offer_rule(session, "shop", rule, value)
    report = replay_quarantine(session, "shop")
    assert report.run is not None
    assert report.run.new == 1
    assert price_of(session, "sku-1") == Decimal(price)
    set_offer_rule(session, "shop", rule, "")
    assert get_offer_rules(session, "shop").decimal_mark is None


@pytest.mark.parametrize(("rule", "value"), [("currency", "gold"), ("decimal_mark", ";"), ("colour", "red")])
def test_a_rule_that_says_nothing_is_refused(
    session: Session, store: StoreRow, rule: str, value: str
) -> None:
    with pytest.raises(InvalidInput):
        set_offer_rule(session, "shop", rule, value)


def test_an_ignored_reason_waits_for_nobody_but_is_counted(session: Session, store: StoreRow) -> None:
    set_offer_rule(session, "shop", "ignored", "no_price, needs_browser")
    report = crawl(session, [raw(1), raw(2, "0")])
    assert (report.new, report.quarantined) == (1, 1)
    assert group_quarantine(session) == []
    assert get_run_detail(session, report.run).rejected == {"no_price": 1}


def test_of_too_many_for_once_the_oldest_are_read_and_the_rest_waits(
    session: Session, store: StoreRow
) -> None:
    crawl(session, [replace(raw(number), price="1.299") for number in range(5)])
    set_offer_rule(session, "shop", "decimal_mark", ",")
    report = replay_quarantine(session, "shop", reason="ambiguous_price", at_most=3)
    assert (report.replayed, report.left, report.is_more) == (3, 0, True)
    assert set(reasons(session)) == {"sku-3", "sku-4"}
    report = replay_quarantine(session, "shop", reason="ambiguous_price", at_most=3)
    assert (report.replayed, report.is_more) == (2, False)


def test_chosen_offers_are_told_apart_by_their_stores(session: Session, store: StoreRow) -> None:
    crawl(session, [replace(raw(number), price="?") for number in range(2)])
    chosen = [offer.id for offer in list_quarantine(session)]
    assert quarantined_by_store(session, chosen).keys() == {"shop"}
    assert sorted(quarantined_by_store(session, chosen)["shop"]) == sorted(chosen)
    with pytest.raises(NotFound):
        quarantined_by_store(session, [*chosen, "nowhere"])


def test_what_kept_too_little_cannot_be_replayed(session: Session, store: StoreRow) -> None:
    crawl(
        session, [InvalidOffer(external_id="x", title="", url="", reason="needs_browser", detail="", raw={})]
    )
    report = replay_quarantine(session, "shop")
    assert (report.replayed, report.left, report.run) == (0, 1, None)
    assert [group.count for group in group_quarantine(session, store_slug="shop")] == [1]


def test_nothing_is_replayed_into_a_crawl(session: Session, store: StoreRow) -> None:
    crawl(session, [raw(1, "0", raw=asdict(raw(1)))])
    open_run(session, "shop", trigger="command", worker="test")
    with pytest.raises(Conflict, match="being crawled"):
        replay_quarantine(session, "shop")


def test_unknown_offers_and_stores_are_said_to_be_unknown(session: Session, store: StoreRow) -> None:
    with pytest.raises(NotFound):
        get_quarantined(session, "nowhere")
    with pytest.raises(NotFound):
        replay_quarantine(session, "nowhere")
    with pytest.raises(NotFound):
        discard_quarantined(session, ["nowhere"])
    with pytest.raises(NotFound):
        replay_quarantine(session, "shop", public_ids=["nowhere"])


def test_a_replay_leaves_the_schedule_and_a_held_run_as_they_are(session: Session, store: StoreRow) -> None:
    crawl(session, [*forty(), raw(50, "0")])
    held = crawl(session, [raw(number, "900.00") for number in range(40)])
    assert held.state == "held"
    due = session.scalar(select(StoreRow.next_crawl_at))
    set_offer_rule(session, "shop", "currency", "EUR")
    replay_quarantine(session, "shop")
    assert session.scalar(select(StoreRow.next_crawl_at)) == due
    assert settle_held_run(session, held.run, accept=True).state == "finished"
