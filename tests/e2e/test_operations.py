"""The operations console in a real browser: runs watched and settled, a candidate chosen, a schedule planned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
import sqlalchemy
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from aggregator.accounts.sign_in import invite
from aggregator.catalog.held_runs import accept_next
from aggregator.catalog.ingest import release_run, stage_offers
from aggregator.catalog.processes import note_process, note_queues
from aggregator.catalog.quarantine import list_quarantine
from aggregator.catalog.runs import RunTicket, open_run, write_log
from aggregator.catalog.schedules import get_schedule
from aggregator.catalog.stores import get_run, list_runs
from aggregator.db.migrate import migrate
from aggregator.db.models import OfferRow, StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.offers import RawOffer
from aggregator.domain.runs import CrawlCounts, LogLine
from aggregator.domain.stores import Page as StorePage
from aggregator.settings import Settings
from spiders.pages import select_page
from tests.databases import fresh_database, name_beside
from tests.e2e.conftest import free_port, running_web
from tests.integration.shop_rows import store_row
from tests.integration.test_add_store import CONTRADICTION

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
KNOWN = 40


@dataclass(frozen=True, slots=True)
class Console:
    """A site with stores, and nobody but the test to read them."""

    url: str
    sessions: Sessions


@pytest.fixture(scope="module")
def console(
    browser: Browser, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    with fresh_database(settings, name_beside(settings, "console")) as (settings, engine):
        settings = replace(settings, port=free_port())
        migrate(engine)
        sessions = sessionmaker(engine, expire_on_commit=False)
        with sessions.begin() as session:
            for slug in ("north", "south", "wild"):
                store_row(session, slug, platform="generic")
            note_process(session, "worker", kind="worker", host="here", pid=1, version="1")
            note_process(session, "clock", kind="clock", host="here", pid=2, version="1", is_leader=True)
            note_queues(session, {"crawling": 0})
        with running_web(settings, tmp_path_factory.mktemp("console") / "web.log") as address:
            yield Console(address, sessions)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, console: Console) -> Iterator[BrowserContext]:
    """An admin's browser."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    with console.sessions.begin() as session:
        token = invite(session, "ada@example.org", "admin")
    page = context.new_page()
    page.goto(f"{console.url}/login/link/{token}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/operations")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    page = signed_in.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Policy" in message.text else None)
    yield page
    page.close()
    assert problems == []


def kettles(price: str, count: int = KNOWN, start: int = 0) -> list[RawOffer]:
    return [
        RawOffer(
            external_id=str(number),
            url=f"https://shop.example/{number}",
            title=f"Kettle {number}",
            price=price,
            price_currency="EUR",
        )
        for number in range(start, start + count)
    ]


def begin(session: Session, slug: str) -> RunTicket:
    ticket = open_run(session, slug, trigger="operator", worker="here:1")
    assert ticket is not None
    return ticket


def read(sessions: Sessions, slug: str, price: str) -> str:
    """A whole run; its public id."""
    with sessions.begin() as session:
        ticket = begin(session, slug)
        stage_offers(session, ticket, kettles(price), CrawlCounts(requests=2, bytes_received=9_000))
        release_run(session, ticket, is_complete=True)
    return ticket.public_id


def prices(sessions: Sessions, slug: str) -> set[Decimal]:
    with sessions() as session:
        found = session.scalars(
            select(OfferRow.price)
            .join(StoreRow, StoreRow.id == OfferRow.store_id)
            .where(StoreRow.slug == slug)
        )
        return set(found)


def test_a_run_is_watched_live_without_a_reload(page: Page, console: Console) -> None:
    with console.sessions.begin() as session:
        ticket = begin(session, "wild")
    page.goto(f"{console.url}/operations/runs/{ticket.public_id}")
    page.evaluate("window.wasHere = true")
    expect(page.get_by_role("status")).to_contain_text("Reading now")
    shown = page.locator(".story")
    for batch in range(2):
        counts = CrawlCounts(requests=10 * (batch + 1), bytes_received=70_000, pages=10, listed=40)
        with console.sessions.begin() as session:
            stage_offers(session, ticket, kettles("19.90", 10, 10 * batch), counts)
            write_log(
                session,
                ticket.run_id,
                [LogLine(at=ticket_time(session), level="info", message=f"batch {batch}")],
            )
        expect(shown).to_contain_text(f"{10 * (batch + 1)} requests, {10 * (batch + 1)} offers seen")
        expect(page.locator(".progress-line")).to_contain_text("25%" if batch == 0 else "50%")
        expect(page.locator(".log")).to_contain_text(f"batch {batch}")
    with console.sessions.begin() as session:
        release_run(session, ticket, is_complete=True)
    expect(page.get_by_role("status")).to_contain_text("Finished")
    expect(shown).to_contain_text("Every listing was read to its end")
    assert page.evaluate("window.wasHere") is True
    expect(page.locator("progress")).to_have_count(0)


def ticket_time(session: Session) -> object:
    return session.execute(sqlalchemy.text("select now()")).scalar_one()


def test_a_running_run_is_cancelled(page: Page, console: Console) -> None:
    with console.sessions.begin() as session:
        ticket = begin(session, "wild")
    page.goto(f"{console.url}/operations/runs/{ticket.public_id}")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Cancelled")
    with console.sessions() as session:
        assert get_run(session, ticket.public_id).state == "cancelled"


@pytest.mark.parametrize(
    ("slug", "button", "state", "expected"),
    [
        ("north", "Accept and show to shoppers", "Finished", "1990.00"),
        ("south", "Discard what it read", "Cancelled", "19.90"),
    ],
)
def test_a_held_run_is_settled_both_ways(
    page: Page, console: Console, slug: str, button: str, state: str, expected: str
) -> None:
    read(console.sessions, slug, "19.90")
    held = read(console.sessions, slug, "1990.00")
    assert prices(console.sessions, slug) == {Decimal("19.90")}
    page.goto(f"{console.url}/operations?show=attention")
    page.get_by_role("link", name="Runs", exact=True).first.click()
    page.get_by_role("link", name="Held for a person").click()
    page.locator(f"a[href='/operations/runs/{held}']").click()
    decision = page.get_by_role("region", name="Held back: nothing of this run is shown to shoppers")
    expect(decision).to_contain_text(str(KNOWN))
    changes = page.locator(".changes tbody tr").first
    expect(changes).to_contain_text("€19.90")
    expect(changes).to_contain_text("€1,990.00")
    decision.get_by_role("button", name=button).click()
    if state == "Finished":
        expect(decision).to_contain_text("a worker is letting its offers into the catalogue")
        with console.sessions.begin() as session:
            assert accept_next(session) is not None
    expect(page.get_by_role("heading", level=1)).to_contain_text(state)
    assert prices(console.sessions, slug) == {Decimal(expected)}
    page.goto(f"{console.url}/operations/audit?subject=run:{held}")
    expect(page.locator(".audit tbody tr")).to_have_count(1)
    expect(page.locator(".audit tbody tr")).to_contain_text("ada@example.org")


def test_a_candidate_of_an_ambiguous_offer_is_chosen_and_read_again(page: Page, console: Console) -> None:
    with console.sessions.begin() as session:
        store_row(session, "doubt", platform="generic")
        ticket = begin(session, "doubt")
        seen = StorePage("https://doubt.example/kettle", 200, {}, CONTRADICTION)
        offers = select_page(seen, ticket.store.reading_rules).to_raw_offers()
        stage_offers(session, ticket, offers, CrawlCounts(requests=1, bytes_received=1))
        release_run(session, ticket, is_complete=True)
    page.goto(f"{console.url}/operations/stores/doubt")
    page.get_by_role("link", name="The page contradicts itself").click()
    page.get_by_role("link", name="Kettle one litre").click()
    expect(page.locator(".candidates li")).to_have_count(2)
    page.get_by_role("button", name="Believe visible_text about the price").click()
    expect(page.locator(".notice-done")).to_contain_text("1 offer was read again and is shown to shoppers.")
    expect(page.locator("main")).to_contain_text("read again and released")
    assert prices(console.sessions, "doubt") == {Decimal("24.99")}
    with console.sessions() as session:
        assert list_quarantine(session, store_slug="doubt") == []
        assert len(list_runs(session, store_slug="doubt")) == 2
    page.goto(f"{console.url}/operations/stores/doubt/rules")
    expect(page.get_by_role("row", name="price")).to_contain_text("visible_text")


def test_a_schedule_is_planned_across_both_changes_of_the_clocks(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/operations/stores/south")
    page.get_by_role("link", name="Schedule").click()
    page.get_by_label("at times of the clock").check()
    page.get_by_label("Cron expression").fill("30 2 * * *")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Show the times after").fill("2027-03-27")
    shown = page.locator(".next-times li")
    expect(shown.nth(1)).to_contain_text("Sun, 28 Mar 2027, 03:00 CEST")
    expect(shown.nth(1)).to_contain_text("01:00 UTC")
    expect(shown.nth(2)).to_contain_text("Mon, 29 Mar 2027, 02:30 CEST")
    page.get_by_label("Show the times after").fill("2027-10-30")
    expect(shown.nth(1)).to_contain_text("Sun, 31 Oct 2027, 02:30 CEST")
    expect(shown.nth(2)).to_contain_text("Mon, 1 Nov 2027, 02:30 CET")
    page.get_by_label("Cron expression").fill("30 25 * * *")
    expect(page.locator("#next-times")).to_contain_text("is no hour")
    page.get_by_label("Cron expression").fill("30 2 * * *")
    expect(shown).to_have_count(5)
    page.get_by_role("button", name="Save the schedule").click()
    expect(page.locator(".facts-list")).to_contain_text("cron 30 2 * * *, Europe/Berlin")
    with console.sessions() as session:
        schedule, _seed = get_schedule(session, "south")
    assert schedule.to_json() == {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}


def test_without_scripts_a_schedule_shows_its_times_at_a_press(
    browser: Browser, signed_in: BrowserContext, console: Console
) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=signed_in.storage_state())
    plain = context.new_page()
    plain.goto(f"{console.url}/operations/stores/north/schedule")
    plain.get_by_label("at times of the clock").check()
    plain.get_by_label("Cron expression").fill("0 12 1 1 *")
    plain.get_by_role("button", name="Show the next times").click()
    expect(plain.locator(".next-times li").first).to_contain_text("Jan 1")
    context.close()


def test_keys_lead_through_the_console(page: Page, console: Console) -> None:
    page.goto(f"{console.url}/operations")
    page.keyboard.press("j")
    expect(page.locator("[data-row]").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Name, address or platform")).to_be_focused()
    page.keyboard.type("gr")
    expect(page.get_by_label("Name, address or platform")).to_have_value("gr")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_text("next and previous row")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/operations/runs")


def test_every_page_of_the_console_is_accessible_and_fits_a_phone(page: Page, console: Console) -> None:
    with console.sessions() as session:
        run = list_runs(session, limit=1)[0].id
    addresses = [
        "", "/runs", f"/runs/{run}", f"/runs/{run}/log", "/stores/north", "/stores/north/settings",
        "/stores/north/schedule", "/stores/north/rules", "/stores/north/remove", "/stores/import", "/quarantine",
        "/quarantine?state=replayed", "/alarms", "/workers", "/audit", "/people", "/add",
    ]  # fmt: skip
    found = []
    for address in addresses:
        for width, scheme in ((1440, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
            answer = page.goto(f"{console.url}/operations{address}")
            assert answer is not None
            assert answer.status == 200, address
            violations = Axe().run(page, options=AXE).response["violations"]
            found += [(address, width, violation["id"]) for violation in violations]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append((address, width, "scrolls sideways"))
    assert found == []
