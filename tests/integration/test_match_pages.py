"""What shoppers and operators see of matching: doubtful and related products, whose word it was, redirects."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from aggregator.catalog.match_links import MatchLink, OfferRelation, keep_links
from aggregator.catalog.verdicts import join_products, list_verdicts, record_verdict, withdraw_verdict
from aggregator.db.models import AccountRow, MatchReviewRow, OfferRow, ProductRow
from aggregator.db.session import Sessions
from aggregator.domain.products import Evidence
from matcher.linker import link_pending_offers
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.shop_rows import offer_row, store_row

EVIDENCE = (
    Evidence("brand", "equal", 1.5, "The same brand: Alfi."),
    Evidence("number", "conflict", -1.0, "Numbers differ."),
)


def offer_ids(sessions: Sessions, product: str) -> list[int]:
    with sessions() as session:
        return list(
            session.scalars(
                select(OfferRow.id)
                .join(ProductRow, ProductRow.id == OfferRow.product_id)
                .where(ProductRow.public_id == product)
                .order_by(OfferRow.id)
            )
        )


def doubt(sessions: Sessions, one: int, other: int) -> None:
    link = MatchLink(
        offer_id=one, other_offer_id=other, probability=0.7, outcome="doubtful", evidence=EVIDENCE
    )
    with sessions.begin() as session:
        keep_links(session, [link], compared=[one], model_version="test")


def test_shoppers_see_what_may_be_the_same_with_the_evidence_and_operators_decide(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    kettle, mug = (offer_ids(sessions, product)[0] for product in (shop_window.kettle, shop_window.mug))
    doubt(sessions, kettle, mug)
    page = browser.page(f"/products/{shop_window.kettle}-alfi-kettle-k-100")
    assert "May be the same product" in page
    assert f'href="/products/{shop_window.mug}-mug"' in page
    assert "Numbers differ." in page
    assert "/operations/matches" not in page
    document = browser.get(f"/api/v1/products/{shop_window.kettle}").get_json()
    assert [(one["id"], one["probability"]) for one in document["may_be_same"]] == [(shop_window.mug, 0.7)]
    browser.sign_in(sessions, "operator")
    page = browser.page(f"/products/{shop_window.kettle}-alfi-kettle-k-100")
    assert page.count("/operations/matches/") >= 2


def test_related_products_name_each_other_by_what_they_are(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    kettle, mug, lamp = (
        offer_ids(sessions, product)[0]
        for product in (shop_window.kettle, shop_window.mug, shop_window.lonely)
    )
    with sessions.begin() as session:
        relations = [OfferRelation(kettle, mug, "accessory"), OfferRelation(kettle, lamp, "variant")]
        keep_links(session, [], compared=[kettle], model_version="test", relations=relations)
    document = browser.get(f"/api/v1/products/{shop_window.kettle}").get_json()
    assert [(one["id"], one["relationship"]) for one in document["related"]] == [
        (shop_window.mug, "accessory")
    ]
    assert [one["id"] for one in document["variants"]] == [shop_window.lonely]
    assert "What it is for" in browser.page(f"/products/{shop_window.mug}-mug")
    with sessions.begin() as session:
        keep_links(session, [], compared=[mug], model_version="test")
    assert browser.get(f"/api/v1/products/{shop_window.mug}").get_json()["related"] == []


def test_a_persons_word_is_dated_for_all_and_signed_for_operators(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    browser.sign_in(sessions, "operator")
    with sessions.begin() as session:
        ada = session.scalar(select(AccountRow.id))
        session.execute(
            insert(MatchReviewRow).values(
                public_id="r1",
                left_offer_id=offer_ids(sessions, shop_window.kettle)[0],
                right_offer_id=offer_ids(sessions, shop_window.mug)[0],
                probability=0.5,
                evidence=[],
            )
        )
        join_products(session, shop_window.kettle, shop_window.mug, account_id=ada)
    link_pending_offers(sessions)
    link = browser.get(f"/products/{shop_window.kettle}")
    assert link.status_code == 301
    page = browser.page(link.headers["Location"])
    assert "ada@example.org said on" in page
    guest = Browser(browser.client.application)
    page = guest.page(link.headers["Location"])
    assert "A person looked at these two and said so" in page
    assert "ada@example.org" not in page


@pytest.mark.parametrize("address", ["/products/{id}", "/api/v1/products/{id}"])
def test_a_merged_products_address_redirects_while_the_merge_stands(
    browser: Browser, sessions: Sessions, address: str
) -> None:
    with sessions.begin() as session:
        pens = [
            offer_row(session, store_row(session, slug), None, "2", number=1, title=title).public_id
            for slug, title in (("north", "Red pen"), ("south", "Stift, rot"))
        ]
    link_pending_offers(sessions)
    with sessions() as session:
        rows = session.execute(select(ProductRow.public_id).order_by(ProductRow.id)).all()
    one, other = (row.public_id for row in rows)
    with sessions.begin() as session:
        record_verdict(session, *pens, "same", account_id=None)
    link_pending_offers(sessions)
    answer = browser.get(address.format(id=other))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (301, "no-cache")
    assert one in answer.headers["Location"]
    with sessions.begin() as session:
        (said,) = list_verdicts(session)
        withdraw_verdict(session, said.id, account_id=None)
    link_pending_offers(sessions)
    again = browser.get(address.format(id=other))
    assert again.status_code == 200 or other in again.headers["Location"]


def test_a_merge_that_people_excluded_is_refused_on_the_page(
    browser: Browser, shop_window: ShopWindow, sessions: Sessions
) -> None:
    browser.sign_in(sessions, "operator")
    with sessions.begin() as session:
        ids = dict(session.execute(select(OfferRow.id, OfferRow.public_id)).all())
        kettle, mug = (offer_ids(sessions, product) for product in (shop_window.kettle, shop_window.mug))
        record_verdict(session, ids[kettle[0]], ids[mug[0]], "different", account_id=None)
    answer = browser.post(
        f"/operations/matches/products/{shop_window.kettle}/join",
        other=f"http://localhost/products/{shop_window.mug}-mug",
    )
    assert answer.status_code == 409
    assert "people said the opposite before" in answer.text
    assert "the command line" in answer.text
    wrong = browser.post(f"/operations/matches/products/{shop_window.kettle}/join", other="no address!")
    assert wrong.status_code == 400
    itself = browser.post(f"/operations/matches/products/{shop_window.kettle}/join", other=shop_window.kettle)
    assert itself.status_code == 400
    alone = browser.post(f"/operations/matches/products/{shop_window.lonely}/part", offer="nothing")
    assert alone.status_code == 404


def test_hostile_titles_stay_text(browser: Browser, sessions: Sessions) -> None:
    title = f"<script>alert(1)</script> {'x' * 400}"
    with sessions.begin() as session:
        left, right = (
            offer_row(session, store_row(session, slug), None, "2", number=1, title=title, gtin=gtin).id
            for slug, gtin in (("north", "04006381333931"), ("south", "00036000291452"))
        )
    link_pending_offers(sessions)
    doubt(sessions, left, right)
    browser.sign_in(sessions, "operator")
    shown = browser.page("/operations/matches")
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert "<script>alert" not in browser.page("/operations/matches?q=%3Cscript%3Ealert&brand=%27%3B--")
