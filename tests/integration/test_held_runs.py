"""A held run that a person accepts in the console is merged by a worker, in that person's name."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from aggregator.accounts.staff import list_staff
from aggregator.catalog.held_runs import accept_next, accepting_is_due, ask_to_accept
from aggregator.catalog.ingest import IngestReport, release_run, settle_held_run, stage_offers
from aggregator.catalog.run_details import get_run_log
from aggregator.catalog.runs import open_run
from aggregator.catalog.staging import staging_table
from aggregator.catalog.stores import get_run
from aggregator.db.models import AuditEntryRow, OfferRow, RunRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import Conflict, NotFound
from aggregator.domain.offers import RawOffer
from aggregator.domain.runs import CrawlCounts
from tests.integration.conftest import Browser
from tests.integration.shop_rows import store_row

KNOWN = 30


@pytest.fixture
def held(session: Session) -> str:
    """A run whose prices are a hundred times those that are known."""
    store_row(session, "shop")
    assert crawl(session, "5.00").state == "finished"
    report = crawl(session, "500.00")
    assert report.state == "held"
    return report.run


def crawl(session: Session, price: str) -> IngestReport:
    ticket = open_run(session, "shop", trigger="command", worker="test")
    assert ticket is not None
    stage_offers(
        session,
        ticket,
        [
            RawOffer(
                external_id=str(number),
                url=f"https://shop.example/{number}",
                title=f"Kettle {number}",
                price=price,
                price_currency="EUR",
            )
            for number in range(KNOWN)
        ],
        CrawlCounts(requests=1),
    )
    return release_run(session, ticket, is_complete=True)


def prices(session: Session) -> set[Decimal]:
    return set(session.scalars(select(OfferRow.price)))


def test_asking_changes_nothing_and_a_worker_accepts_once(session: Session, held: str) -> None:
    ask_to_accept(session, held)
    ask_to_accept(session, held)
    assert get_run(session, held).is_being_accepted
    assert prices(session) == {Decimal("5.0000")}
    report = accept_next(session)
    assert report is not None
    assert (report.run, report.state, report.changed) == (held, "finished", KNOWN)
    assert prices(session) == {Decimal("500.0000")}
    assert not get_run(session, held).is_being_accepted
    assert accept_next(session) is None


def test_the_queue_is_asked_once_a_minute(session: Session, held: str) -> None:
    assert not accepting_is_due(session)
    ask_to_accept(session, held)
    assert accepting_is_due(session)
    assert not accepting_is_due(session)
    session.execute(text("update runs set accept_sent_at = accept_sent_at - interval '61 seconds'"))
    assert accepting_is_due(session)


def test_discarding_takes_it_back_while_nobody_has_begun(session: Session, held: str) -> None:
    ask_to_accept(session, held)
    assert settle_held_run(session, held, accept=False).state == "cancelled"
    assert accept_next(session) is None
    assert not accepting_is_due(session)
    assert prices(session) == {Decimal("5.0000")}
    with pytest.raises(Conflict):
        ask_to_accept(session, held)


def test_what_is_lost_meanwhile_stays_held_and_its_log_says_why(session: Session, held: str) -> None:
    ask_to_accept(session, held)
    run = session.scalars(select(RunRow).where(RunRow.public_id == held)).one()
    session.execute(text(f"truncate {staging_table(run.id)}"))
    assert accept_next(session) is None
    assert get_run(session, held).state == "held"
    assert not get_run(session, held).is_being_accepted
    last = get_run_log(session, held)[-1]
    assert (last.level, last.message.startswith("It was not accepted:")) == ("error", True)
    with pytest.raises(Conflict):
        ask_to_accept(session, held)


def test_the_catalogue_does_not_go_back_behind_a_run_released_meanwhile(session: Session, held: str) -> None:
    ask_to_accept(session, held)
    assert crawl(session, "6.00").state == "finished"
    assert accept_next(session) is None
    assert prices(session) == {Decimal("6.0000")}
    assert "a newer run of this store was released since" in get_run_log(session, held)[-1].message


def test_a_run_that_does_not_exist_cannot_be_accepted(session: Session) -> None:
    with pytest.raises(NotFound):
        ask_to_accept(session, "nowhere")


def test_the_console_asks_and_the_person_stands_in_the_audit_log(
    browser: Browser, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        store_row(session, "shop")
        crawl(session, "5.00")
        held = crawl(session, "500.00").run
    browser.sign_in(sessions, "operator")
    assert browser.post(f"/operations/runs/{held}/settle", verdict="accept").status_code == 303
    shown = browser.page(f"/operations/runs/{held}")
    assert "a worker is letting its offers into the catalogue" in shown
    assert "Accept and show to shoppers" not in shown
    with sessions.begin() as session:
        assert prices(session) == {Decimal("5.0000")}
        assert accept_next(session) is not None
    with sessions() as session:
        entry = session.scalars(select(AuditEntryRow).where(AuditEntryRow.action == "run_accepted")).one()
        assert entry.account_id is not None
        assert [member.email for member in list_staff(session)] == ["ada@example.org"]
    assert "Finished" in browser.page(f"/operations/runs/{held}")
