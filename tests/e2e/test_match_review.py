"""An operator settles doubtful pairs by keyboard, and every later linking obeys."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from aggregator.accounts.sign_in import invite
from aggregator.catalog.reviews import report_wrong_match
from aggregator.db.migrate import migrate
from aggregator.db.models import MatchReviewRow, MatchVerdictRow, OfferRow
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from matcher.linker import link_pending_offers
from matcher.relinking import relink_catalogue
from tests.databases import fresh_database, name_beside
from tests.e2e.conftest import free_port, running_web
from tests.integration.shop_rows import offer_row, store_row

SAMPLE = Path(__file__).parents[2] / "fixtures" / "matching" / "abt-buy-sample" / "offers.csv"
WORDS = {"s": "same", "n": "different", "v": "variant"}
TO_SETTLE = 20
# Enough for what is settled, skipped, undone, and left.
NEEDED = TO_SETTLE + 6


@dataclass(frozen=True, slots=True)
class ReviewDesk:
    """A site with doubtful pairs."""

    url: str
    sessions: Sessions


@pytest.fixture(scope="module")
def desk(
    browser: Browser, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReviewDesk]:
    with fresh_database(settings, name_beside(settings, "review")) as (settings, engine):
        settings = replace(settings, port=free_port())
        migrate(engine)
        sessions = sessionmaker(engine, expire_on_commit=False)
        with sessions.begin() as session:
            fill(session)
        link_pending_offers(sessions)
        with sessions.begin() as session:
            top_up(session)
        with running_web(settings, tmp_path_factory.mktemp("review") / "web.log") as address:
            yield ReviewDesk(address, sessions)


def fill(session: Session) -> None:
    """Real offers of two stores."""
    stores = {}
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            store = row["store"]
            stores[store] = stores.get(store) or store_row(session, store.replace(".", "-"), name=store)
            price = row.get("price") or "49.90"
            offer_row(session, stores[store], None, str(Decimal(price)), number=number, title=row["title"])


def top_up(session: Session) -> None:
    """However sure the model is of itself, people may doubt: what is missing in pairs is reported."""
    missing = NEEDED - len(session.scalars(select(MatchReviewRow.id)).all())
    products = session.execute(select(OfferRow.public_id, OfferRow.product_id).order_by(OfferRow.id)).all()
    alone = [row.public_id for row in {row.product_id: row for row in products}.values()]
    for left, right in list(zip(alone[::2], alone[1::2], strict=False))[: max(missing, 0)]:
        report_wrong_match(session, left, right)


@pytest.fixture
def operator(browser: Browser, desk: ReviewDesk) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    with desk.sessions.begin() as session:
        token = invite(session, "ada@example.org", "operator")
    page = context.new_page()
    page.goto(f"{desk.url}/login/link/{token}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/operations")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(operator: BrowserContext, desk: ReviewDesk) -> Iterator[Page]:
    page = operator.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Policy" in message.text else None)
    yield page
    assert problems == []


def pair_shown(page: Page) -> str:
    address = page.locator("form.pair-decide").get_attribute("action")
    assert address is not None
    return address.split("?")[0].rpartition("/")[2]


def press(page: Page, key: str) -> str:
    """Press a key at the pair that is shown and wait for the next one; returns the pair's id."""
    pair = pair_shown(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "pair => !document.querySelector(`form.pair-decide[action*='${pair}'], [aria-busy]`)",
        arg=pair,
    )
    return pair


def offers_of(session: Session, review_id: str) -> tuple[int, int]:
    left, right = session.execute(
        select(MatchReviewRow.left_offer_id, MatchReviewRow.right_offer_id).where(
            MatchReviewRow.public_id == review_id
        )
    ).one()
    return left, right


def public_id(session: Session, offer_id: int) -> str:
    return session.execute(select(OfferRow.public_id).where(OfferRow.id == offer_id)).scalar_one()


def assert_obeyed(sessions: Sessions, expected: dict[tuple[int, int], str]) -> None:
    with sessions() as session:
        standing = {
            (row.left_offer_id, row.right_offer_id): row.verdict
            for row in session.scalars(select(MatchVerdictRow).where(MatchVerdictRow.withdrawn_at.is_(None)))
        }
        assert standing == expected
        product = dict(session.execute(select(OfferRow.id, OfferRow.product_id)).all())
    wrong = {
        pair: word
        for pair, word in expected.items()
        if (product[pair[0]] == product[pair[1]]) != (word == "same")
    }
    assert wrong == {}


def assert_accessible(page: Page) -> None:
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in results.response["violations"]
    ] == []


def test_twenty_pairs_by_keyboard_an_undo_a_contradiction_and_linkings_that_obey(
    page: Page, desk: ReviewDesk
) -> None:
    page.goto(f"{desk.url}/operations")
    page.locator("a[href='/operations/matches']").first.click()
    expect(page.get_by_role("heading", name="Are these the same product?")).to_be_visible()
    assert_accessible(page)
    page.evaluate("window.neverLeft = true")

    said: dict[str, str] = {}
    for turn in range(TO_SETTLE):
        key = "snnv"[turn % 4]
        said[press(page, key)] = WORDS[key]
        assert page.evaluate("document.activeElement.matches('[data-focus]')")
    skipped = press(page, "k")
    expect(page.locator(".pair-progress")).to_contain_text(f"you settled {TO_SETTLE} today")
    expect(page.locator(".pair-progress")).to_contain_text("1 of them skipped")

    undone = press(page, "s")
    page.keyboard.press("u")
    page.wait_for_url(f"**/{undone}")
    assert pair_shown(page) == undone
    expect(page.locator(".pair-progress")).to_contain_text(f"you settled {TO_SETTLE} today")

    # A chain: one pair is the same, one of the two is not the same as a third; so the other cannot be that third.
    one = next(pair for pair, word in said.items() if word == "same")
    with desk.sessions.begin() as session:
        expected = {offers_of(session, pair): word for pair, word in said.items()}
        a, b = offers_of(session, one)
        known = {offer for pair in expected for offer in pair}
        c = session.scalars(
            select(OfferRow.id).where(OfferRow.id.not_in(known)).order_by(OfferRow.id)
        ).first()
        assert c is not None
        a_id, b_id, c_id = (public_id(session, offer) for offer in (a, b, c))
        report_wrong_match(session, b_id, c_id, "these are two")
    page.goto(f"{desk.url}/operations/matches")
    expect(page.locator(".notice-warn")).to_contain_text("these are two")
    press(page, "n")
    expected[min(b, c), max(b, c)] = "different"
    with desk.sessions.begin() as session:
        report_wrong_match(session, a_id, c_id)
    page.goto(f"{desk.url}/operations/matches")
    page.keyboard.press("s")
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("people said the opposite before")
    expect(refused.get_by_role("listitem")).to_have_count(2)
    expect(refused).to_contain_text("ada@example.org")
    expect(page.locator("#refused")).to_be_focused()
    assert_accessible(page)
    page.keyboard.press("k")
    expect(refused).to_have_count(0)

    for relink in (
        lambda: link_pending_offers(desk.sessions),
        lambda: relink_catalogue(desk.sessions, dry_run=False),
    ):
        relink()
        assert_obeyed(desk.sessions, expected)
    assert relink_catalogue(desk.sessions, dry_run=True).moved == 0

    # Withdrawing one of the chain lets the word in, and the next linking obeys that one.
    page.goto(f"{desk.url}/operations/matches?q=")
    with desk.sessions.begin() as session:
        report_wrong_match(session, a_id, c_id)
    page.reload()
    page.keyboard.press("s")
    refused.get_by_role("listitem").filter(has_text="not the same").get_by_role("button").click()
    expect(refused).to_have_count(0)
    press(page, "s")
    del expected[min(b, c), max(b, c)]
    expected[min(a, c), max(a, c)] = "same"
    # What was withdrawn is asked again.
    expect(page.locator(".notice-warn")).to_contain_text("these are two")
    press(page, "s")
    expected[min(b, c), max(b, c)] = "same"
    link_pending_offers(desk.sessions)
    assert_obeyed(desk.sessions, expected)
    with desk.sessions() as session:
        assert offers_of(session, skipped) not in expected


def test_keys_never_act_while_somebody_types_and_can_be_switched_off(page: Page, desk: ReviewDesk) -> None:
    page.goto(f"{desk.url}/operations/matches")
    pair = pair_shown(page)
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Words in a title").press_sequentially("snv")
    assert pair_shown(page) == pair
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("?")
    switch = page.get_by_label("Use no keys in this browser")
    switch.check()
    page.keyboard.press("n")
    page.reload()
    expect(switch).to_be_checked()
    page.keyboard.press("n")
    assert pair_shown(page) == pair
    with desk.sessions() as session:
        review = session.scalars(select(MatchReviewRow).where(MatchReviewRow.public_id == pair)).one()
        assert review.settled_at is None


def test_without_scripts_buttons_do_the_same(
    browser: Browser, operator: BrowserContext, desk: ReviewDesk
) -> None:
    context = browser.new_context(
        java_script_enabled=False,
        storage_state=operator.storage_state(),
        viewport={"width": 390, "height": 844},
    )
    page = context.new_page()
    page.goto(f"{desk.url}/operations/matches")
    pair = pair_shown(page)
    page.get_by_role("button", name="Not the same").click()
    assert pair_shown(page) != pair
    page.get_by_role("button", name="Undo").click()
    assert pair_shown(page) == pair
    page.goto(f"{desk.url}/operations/matches/verdicts")
    expect(page.get_by_role("table")).to_contain_text("withdrawn by ada@example.org")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_an_operator_parts_and_merges_on_the_products_page(page: Page, desk: ReviewDesk) -> None:
    with desk.sessions() as session:
        rows = session.execute(select(OfferRow.public_id, OfferRow.product_id).order_by(OfferRow.id)).all()
        by_product: dict[int, list[str]] = {}
        for row in rows:
            by_product.setdefault(row.product_id, []).append(row.public_id)
        said = {
            offer
            for pair in session.execute(select(MatchVerdictRow.left_offer_id, MatchVerdictRow.right_offer_id))
            for offer in pair
        }
        untouched = {
            row.public_id for row in session.scalars(select(OfferRow).where(OfferRow.id.not_in(said)))
        }
    offers = next(ids for ids in by_product.values() if len(ids) == 2 and untouched.issuperset(ids))
    address = product_address(desk, offers[0])
    page.goto(f"{desk.url}{address}")
    assert_accessible(page)
    page.get_by_role("button", name="Another product").last.click()
    expect(page.get_by_role("status")).to_contain_text("put in order within seconds")
    link_pending_offers(desk.sessions)
    parted = [product_address(desk, offer) for offer in offers]
    assert len(set(parted)) == 2
    assert address in parted
    page.goto(f"{desk.url}{address}")
    page.get_by_label("Same product as").fill(f"{desk.url}{next(one for one in parted if one != address)}")
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("alert")).to_contain_text("people said the opposite before")
    page.get_by_role("button", name="Withdraw").click()
    page.get_by_label("Same product as").fill(f"{desk.url}{next(one for one in parted if one != address)}")
    page.get_by_role("button", name="Merge").click()
    link_pending_offers(desk.sessions)
    assert {product_address(desk, offer) for offer in offers} == {address}
    answer = page.goto(f"{desk.url}{next(one for one in parted if one != address)}")
    assert answer is not None
    assert answer.url.startswith(f"{desk.url}{address}")
    page.get_by_text("100% sure").first.click()
    expect(page.locator(".evidence")).to_contain_text("ada@example.org said on")


def product_address(desk: ReviewDesk, offer_id: str) -> str:
    """The product's address without its readable part."""
    with desk.sessions() as session:
        found = session.execute(
            sqlalchemy.text(
                "select p.public_id from products p join offers o on o.product_id = p.id where o.public_id = :id"
            ),
            {"id": offer_id},
        ).scalar_one()
    return f"/products/{found}"
