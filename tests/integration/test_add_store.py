"""Adding a store on the operations pages, and settling what its pages contradict themselves about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from aggregator.catalog.ingest import release_run, stage_offers
from aggregator.catalog.probes import (
    LOST_AFTER,
    begin_probe,
    due_probes,
    fail_probe,
    finish_probe,
    get_probe,
    leave_probe,
    request_probe,
)
from aggregator.catalog.quarantine import list_quarantine
from aggregator.catalog.reading_rules import believe_source, forget_rule, get_reading_rules
from aggregator.catalog.runs import due_stores, open_run
from aggregator.catalog.stores import get_store
from aggregator.db.models import AuditEntryRow, OfferRow, ProbeRow, QuarantinedOfferRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.runs import CrawlCounts
from aggregator.domain.stores import Page
from spiders.pages import select_page
from tests.integration.conftest import Browser
from tests.integration.shop_rows import store_row

FOUND: dict[str, Any] = {
    "platform": "merchant_feed",
    "confidence": 0.97,
    "signals": [{"what": "a product feed <b>with</b> Google's names", "where": "the address itself"}],
    "currency": "EUR",
    "country": None,
    "robots": "allowed",
    "hand_off": "product_link",
    "sources": [{"kind": "feed", "url": "https://shop.example/feed.xml"}],
    "requests": 3,
    "sample": [
        {"external_id": "1", "name": "Kettle", "brand": "Alfi", "mpn": None, "gtin": None, "price": "24.95",
         "currency": "EUR", "availability": "InStock", "url": "javascript:alert(1)", "item_group_id": None}
    ],
    "url": "https://shop.example",
    "name": "Müller & Töchter",
    "technologies": [],
    "options": {"feed_url": "https://shop.example/feed.xml"},
    "schedule": {"interval_seconds": 43_200, "requests_per_run": 1, "why": "a reading takes about 1 request"},
    "problem": None,
}  # fmt: skip
CONFIRMED = {
    "name": "Mueller", "slug": "mueller", "currency": "eur", "country": "de", "interval": "43200",
    "shipping_cost": "4,90", "free_from": "50", "min_order": "",
}  # fmt: skip


@pytest.fixture
def operator(browser: Browser, sessions: Sessions) -> Browser:
    browser.sign_in(sessions, "operator")
    return browser


def asked(operator: Browser, url: str = "shop.example") -> str:
    answer = operator.post("/operations/add", url=url)
    assert answer.status_code == 303
    return str(answer.headers["Location"]).rpartition("/")[2]


def found(sessions: Sessions, probe_id: str, result: Mapping[str, Any] = FOUND) -> None:
    with sessions.begin() as session:
        assert begin_probe(session, probe_id) == "shop.example"
        finish_probe(session, probe_id, result)


def test_an_address_is_asked_about_looked_at_confirmed_and_due(operator: Browser, sessions: Sessions) -> None:
    probe_id = asked(operator)
    page = operator.page(f"/operations/add/{probe_id}")
    assert "Waiting for a worker" in page
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    found(sessions, probe_id)

    page = operator.page(f"/operations/add/{probe_id}")
    assert "a product feed &lt;b&gt;with&lt;/b&gt; Google" in page
    assert "javascript:" not in page
    assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=", page)
    assert 'value="muller-tochter"' in page
    assert re.search(r'<option value="43200" selected>every 12 hr \(proposed\)</option>', page)

    answer = operator.post(f"/operations/add/{probe_id}", **CONFIRMED)
    assert answer.headers["Location"] == f"/operations/add/{probe_id}"
    assert "Added. A worker takes it" in operator.page(f"/operations/add/{probe_id}")
    with sessions.begin() as session:
        store = get_store(session, "mueller")
        assert (store.name, store.platform, store.currency, store.country) == (
            "Mueller",
            "merchant_feed",
            "EUR",
            "DE",
        )
        assert store.options == {"feed_url": "https://shop.example/feed.xml"}
        assert store.shipping is not None
        assert store.shipping.to_json()["tiers"] == [
            {"min_subtotal": "0", "cost": "4.90"},
            {"min_subtotal": "50", "cost": "0"},
        ]
        assert session.scalar(select(StoreRow.crawl_interval)) == 43_200
        assert due_stores(session) == ["mueller"]
        actions = session.scalars(select(AuditEntryRow.action).order_by(AuditEntryRow.id)).all()
        assert actions[-3:] == ["probe_requested", "store_added", "crawl_requested"]
        ticket = open_run(session, "mueller", trigger="schedule", worker="test")
        assert ticket is not None
    answer = operator.get(f"/operations/add/{probe_id}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/operations/runs/{ticket.public_id}")


def test_import_pressed_twice_adds_one_store(operator: Browser, sessions: Sessions) -> None:
    probe_id = asked(operator)
    found(sessions, probe_id)
    assert operator.post(f"/operations/add/{probe_id}", **CONFIRMED).status_code == 303
    again = operator.post(f"/operations/add/{probe_id}", **{**CONFIRMED, "slug": "other"})
    assert again.status_code == 303
    with sessions() as session:
        assert session.scalars(select(StoreRow.slug)).all() == ["mueller"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("currency", "EURO", "EURO is no currency"),
        ("country", "Germany", "Germany is no country"),
        ("shipping_cost", "free", "free is no amount"),
        ("shipping_cost", "", "say what sending costs"),
        ("slug", "a b", "is not a slug"),
        ("interval", "1", "choose how often"),
        ("option.color", "red", "has no option"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_is_kept(
    operator: Browser, sessions: Sessions, field: str, value: str, said: str
) -> None:
    probe_id = asked(operator)
    found(sessions, probe_id)
    answer = operator.post(f"/operations/add/{probe_id}", **{**CONFIRMED, "name": "My typing", field: value})
    assert answer.status_code == 400
    assert said in answer.text
    assert 'value="My typing"' in answer.text
    with sessions() as session:
        assert session.scalars(select(StoreRow)).all() == []


def test_adding_a_known_store_again_updates_it(operator: Browser, sessions: Sessions) -> None:
    for interval, name in (("43200", "Mueller"), ("86400", "Mueller & Co")):
        probe_id = asked(operator)
        found(sessions, probe_id)
        form = {**CONFIRMED, "interval": interval, "name": name}
        assert operator.post(f"/operations/add/{probe_id}", **form).status_code == 303
    with sessions() as session:
        row = session.scalars(select(StoreRow)).one()
        assert (row.name, row.crawl_interval) == ("Mueller & Co", 86_400)


def test_a_slug_of_another_store_is_refused(operator: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        store_row(session, "mueller")
    probe_id = asked(operator)
    found(sessions, probe_id)
    answer = operator.post(f"/operations/add/{probe_id}", **CONFIRMED)
    assert answer.status_code == 400
    assert "is taken by" in answer.text


def test_a_secret_option_is_sealed_and_shown_nowhere(operator: Browser, sessions: Sessions) -> None:
    probe_id = asked(operator)
    found(sessions, probe_id, {**FOUND, "platform": "shopify", "options": {}})
    assert 'type="password"' in operator.page(f"/operations/add/{probe_id}")
    form = {**CONFIRMED, "option.storefront_token": "token-7"}
    assert operator.post(f"/operations/add/{probe_id}", **form).status_code == 303
    with sessions() as session:
        row = session.scalars(select(StoreRow)).one()
        assert list(row.secret_options) == ["storefront_token"]
        assert "token-7" not in str((row.secret_options, row.options, row.detection))


def test_what_cannot_be_read_is_said_and_cannot_be_imported(operator: Browser, sessions: Sessions) -> None:
    probe_id = asked(operator)
    found(sessions, probe_id, {**FOUND, "platform": "unknown", "problem": "asks to sign in", "sample": []})
    page = operator.page(f"/operations/add/{probe_id}")
    assert "cannot be read" in page
    assert "asks to sign in" in page
    assert "Import and read it now" not in page
    operator.post(f"/operations/add/{probe_id}", **CONFIRMED)
    with sessions() as session:
        assert session.scalars(select(StoreRow)).all() == []


@pytest.mark.parametrize(
    "url", ["", "ftp://shop.example", "https://user:pass@shop.example", "file:///etc/passwd"]
)
def test_what_is_no_address_is_refused_at_once(operator: Browser, sessions: Sessions, url: str) -> None:
    answer = operator.post("/operations/add", url=url)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    with sessions() as session:
        assert session.scalars(select(ProbeRow)).all() == []


def test_only_operators_add_stores(browser: Browser, sessions: Sessions) -> None:
    assert browser.post("/operations/add", url="shop.example").status_code == 403
    assert browser.get("/operations/add").status_code == 303
    browser.sign_in(sessions, "shopper")
    assert browser.get("/operations/add").status_code == 403
    assert browser.post("/operations/add", url="shop.example").status_code == 403


def test_a_probe_is_asked_for_once_and_again_only_when_it_is_lost(session: Session) -> None:
    probe_id = request_probe(session, "https://shop.example")
    assert request_probe(session, "https://shop.example") == probe_id
    assert due_probes(session) == [probe_id]
    assert due_probes(session) == []
    session.execute(update(ProbeRow).values(sent_at=datetime.now(UTC) - timedelta(minutes=1)))
    assert due_probes(session) == [probe_id], "the message was lost"
    assert begin_probe(session, probe_id) == "https://shop.example"
    assert begin_probe(session, probe_id) is None, "another worker has it"
    session.execute(update(ProbeRow).values(sent_at=None))
    assert due_probes(session) == []
    session.execute(update(ProbeRow).values(started_at=datetime.now(UTC) - 2 * LOST_AFTER))
    assert due_probes(session) == [probe_id], "its worker died"
    leave_probe(session, probe_id)
    assert begin_probe(session, probe_id) == "https://shop.example"
    fail_probe(session, probe_id, "broken\nin two")
    probe = get_probe(session, probe_id)
    assert (probe.state, probe.problem, probe.is_readable) == ("failed", "broken in two", False)
    with pytest.raises(NotFound):
        get_probe(session, "none")


CANDIDATES = [
    {"field": "price", "value": "19.99", "source": "json_ld", "where": "offers.price"},
    {"field": "price", "value": "24.99", "source": "visible_text", "where": "p.price"},
    {"field": "price"},
    "nonsense",
]


def ambiguous_offer(session: Session, slug: str) -> None:
    store = store_row(session, slug)
    ticket = open_run(session, slug, trigger="command", worker="test")
    assert ticket is not None
    values = {
        "external_id": "1",
        "title": "Kettle",
        "url": "https://s.example/1",
        "reason": "ambiguous",
        "detail": "two prices",
        "raw": {"candidates": CANDIDATES},
    }
    session.execute(insert(QuarantinedOfferRow).values(store_id=store.id, run_id=ticket.run_id, **values))


def test_a_person_chooses_whom_to_believe_and_takes_it_back(session: Session) -> None:
    ambiguous_offer(session, "north")
    offer = list_quarantine(session, store_slug="north")[0]
    assert [(one.value, one.source) for one in offer.candidates] == [
        ("19.99", "json_ld"),
        ("24.99", "visible_text"),
    ]
    believe_source(session, "north", "price", "visible_text")
    assert get_store(session, "north").reading_rules == {"price": "visible_text"}
    believe_source(session, "north", "price", "json_ld")
    assert get_reading_rules(session, "north") == {"price": "json_ld"}
    entries = session.execute(
        select(AuditEntryRow.action, AuditEntryRow.detail).order_by(AuditEntryRow.id)
    ).all()
    assert entries[-1] == ("reading_rule_set", {"field": "price", "source": "json_ld"})
    forget_rule(session, "north", "price")
    assert get_reading_rules(session, "north") == {}


CONTRADICTION = """<!doctype html><html lang="en"><head><title>Kettle one litre | Shop</title>
<script type="application/ld+json">{"@context": "https://schema.org", "@type": "Product", "name": "Kettle one litre",
"sku": "K-1", "offers": {"@type": "Offer", "price": "19.99", "priceCurrency": "EUR"}}</script></head>
<body><main><h1>Kettle one litre</h1><p class="price">€24.99</p><button>Add to cart</button></main></body></html>"""


def test_a_page_that_contradicts_itself_is_read_by_the_rule_that_a_person_made(session: Session) -> None:
    page = Page("https://north.example/kettle", 200, {}, CONTRADICTION)
    store_row(session, "north")
    ticket = open_run(session, "north", trigger="command", worker="test")
    assert ticket is not None
    offers = select_page(page, ticket.store.reading_rules).to_raw_offers()
    stage_offers(session, ticket, offers, CrawlCounts(requests=1, bytes_received=1))
    report = release_run(session, ticket, is_complete=True)
    assert (report.seen, report.quarantined) == (1, 1)
    shown = list_quarantine(session, store_slug="north")[0].candidates
    assert {(one.field, one.source) for one in shown} == {("price", "json_ld"), ("price", "visible_text")}

    believe_source(session, "north", "price", "visible_text")
    ticket = open_run(session, "north", trigger="command", worker="test")
    assert ticket is not None
    offers = select_page(page, ticket.store.reading_rules).to_raw_offers()
    stage_offers(session, ticket, offers, CrawlCounts(requests=1, bytes_received=1))
    assert release_run(session, ticket, is_complete=True).new == 1
    assert session.scalar(select(OfferRow.price)) == Decimal("24.99")
    assert list_quarantine(session, store_slug="north") == []


@pytest.mark.parametrize(("field", "source"), [("price", "magic"), ("name", "json_ld"), ("", "")])
def test_only_a_shown_candidate_can_be_believed(session: Session, field: str, source: str) -> None:
    ambiguous_offer(session, "north")
    with pytest.raises(InvalidInput, match="no ambiguous offer"):
        believe_source(session, "north", field, source)
    with pytest.raises(NotFound):
        believe_source(session, "south", "price", "json_ld")


def test_the_choice_is_a_button_on_the_offers_page(operator: Browser, sessions: Sessions) -> None:
    with sessions.begin() as session:
        ambiguous_offer(session, "north")
        offer = list_quarantine(session, store_slug="north")[0].id
    address = f"/operations/quarantine/{offer}"
    assert operator.page(address).count("Believe this source") == 2
    answer = operator.post(f"{address}/choose", field="price", source="visible_text")
    assert (answer.status_code, answer.headers["Location"]) == (303, address)
    page = operator.page(address)
    assert "From now on, the price is taken from visible_text." in page
    assert "visible_text" in operator.page("/operations/stores/north/rules")
    assert operator.post("/operations/stores/north/rules", field="price", source="").status_code == 303
    with sessions() as session:
        assert get_reading_rules(session, "north") == {}
