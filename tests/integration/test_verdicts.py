"""People's words: kept, refused where they contradict, withdrawn, obeyed by every linking."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from aggregator.accounts.sign_in import invite
from aggregator.catalog.product_details import get_product_detail
from aggregator.catalog.reviews import find_next_review, get_queue_state, report_wrong_match, skip_review
from aggregator.catalog.verdicts import (
    get_verdicts,
    join_products,
    list_verdicts,
    part_offer,
    record_verdict,
    undo_last,
    withdraw_verdict,
)
from aggregator.db.models import (
    AccountRow,
    AuditEntryRow,
    MatchReviewRow,
    MatchVerdictRow,
    OfferRow,
    ProductRow,
)
from aggregator.db.session import Sessions
from aggregator.domain.errors import ContradictedVerdict, InvalidInput, NotFound
from aggregator.domain.matches import PairFilter
from aggregator.domain.products import MovedProduct
from matcher.linker import link_pending_offers
from matcher.relinking import relink_catalogue
from tests.integration.shop_rows import offer_row, store_row

GTIN = "04006381333931"
CAMERA = "Sony DSC-W55 Digital Camera"


def an_account(session: Session, email: str = "ada@example.org") -> int:
    invite(session, email, "operator")
    account_id = session.scalar(select(AccountRow.id).where(AccountRow.email == email))
    assert account_id is not None
    return account_id


def four_offers(session: Session) -> list[str]:
    """Public ids of four offers of one camera, each at a store of its own."""
    return [
        offer_row(
            session,
            store_row(session, slug),
            None,
            "199",
            number=1,
            title=CAMERA,
            brand="Sony",
            mpn="DSC-W55",
        ).public_id
        for slug in ("alpha", "beta", "gamma", "delta")
    ]


def product_of(session: Session, offer_id: str) -> str:
    return session.execute(
        select(ProductRow.public_id)
        .join(OfferRow, OfferRow.product_id == ProductRow.id)
        .where(OfferRow.public_id == offer_id)
    ).scalar_one()


def places(sessions: Sessions) -> dict[str, str]:
    with sessions() as session:
        rows = session.execute(
            select(OfferRow.public_id, ProductRow.public_id).join(
                ProductRow, ProductRow.id == OfferRow.product_id
            )
        )
        return {row[0]: row[1] for row in rows}


def stamps(sessions: Sessions) -> list[tuple[str, ...]]:
    """The version of every row that a linking may write."""
    tables = ("offers", "offer_products", "products", "match_links", "match_reviews", "offer_relations")
    with sessions() as session:
        return [
            tuple(session.scalars(text(f"select t.xmin::text || t.ctid::text from {table} t order by 1")))
            for table in tables
        ]


def test_a_contradiction_is_refused_with_its_chain_until_one_is_withdrawn(session: Session) -> None:
    account_id = an_account(session)
    a, b, c, d = four_offers(session)
    first = record_verdict(session, a, b, "same", account_id=account_id)
    second = record_verdict(session, c, b, "same", account_id=account_id)
    record_verdict(session, c, d, "variant", account_id=account_id)
    with pytest.raises(ContradictedVerdict) as refused:
        record_verdict(session, c, a, "different", account_id=account_id)
    assert set(refused.value.chain) == {first, second}
    assert [view.by for view in get_verdicts(session, refused.value.chain)] == ["ada@example.org"] * 2
    with pytest.raises(ContradictedVerdict) as refused:
        record_verdict(session, a, d, "same", account_id=account_id)
    assert len(refused.value.chain) == 3
    withdraw_verdict(session, first, account_id=account_id)
    withdraw_verdict(session, first, account_id=account_id)
    record_verdict(session, c, a, "different", account_id=account_id)
    views = list_verdicts(session, words="dsc")
    assert [(view.word, view.withdrawn_by) for view in views] == [
        ("different", None),
        ("variant", None),
        ("same", None),
        ("same", "ada@example.org"),
    ]
    actions = session.scalars(select(AuditEntryRow.action).where(AuditEntryRow.subject == f"verdict:{first}"))
    assert sorted(actions) == ["verdict_said", "verdict_withdrawn"]


def test_the_same_word_twice_is_one_and_a_variant_may_replace_a_different(session: Session) -> None:
    a, b, *_ = four_offers(session)
    said = record_verdict(session, a, b, "different", account_id=None)
    assert record_verdict(session, b, a, "different", account_id=None) == said
    record_verdict(session, a, b, "variant", account_id=None)
    standing = session.scalars(select(MatchVerdictRow.verdict).where(MatchVerdictRow.withdrawn_at.is_(None)))
    assert list(standing) == ["variant"]
    with pytest.raises(ContradictedVerdict):
        record_verdict(session, a, b, "same", account_id=None)
    with pytest.raises(InvalidInput, match="one and the same"):
        record_verdict(session, a, a, "same", account_id=None)
    with pytest.raises(NotFound):
        record_verdict(session, a, "nobody", "same", account_id=None)


def test_an_offer_parted_from_its_product_leaves_it_and_undo_brings_it_back(sessions: Sessions) -> None:
    with sessions.begin() as session:
        account_id = an_account(session)
        a, b, c, d = four_offers(session)
    link_pending_offers(sessions)
    before = places(sessions)
    assert len(set(before.values())) == 1
    with sessions.begin() as session:
        part_offer(session, before[a], d, account_id=account_id)
    link_pending_offers(sessions)
    after = places(sessions)
    assert {after[a], after[b], after[c]} == {before[a]} != {after[d]}
    relink_catalogue(sessions, dry_run=False)
    assert places(sessions) == after
    with sessions.begin() as session:
        undo_last(session, account_id)
    link_pending_offers(sessions)
    assert places(sessions) == before
    with sessions() as session:
        moved = get_product_detail(session, after[d], assumed_shipping=Decimal(0))
        assert isinstance(moved, MovedProduct)
        assert moved.id == before[a]


def test_products_keep_their_ids_through_merge_split_and_merge(sessions: Sessions) -> None:
    with sessions.begin() as session:
        account_id = an_account(session)
        camera = four_offers(session)
        pen = offer_row(session, store_row(session, "pens"), None, "2", number=7, title="Red pen").public_id
    link_pending_offers(sessions)
    apart = places(sessions)
    one, other = apart[camera[0]], apart[pen]
    assert one != other
    for _ in range(2):
        with sessions.begin() as session:
            join_products(session, other, one, account_id=account_id)
        link_pending_offers(sessions)
        assert set(places(sessions).values()) == {one}
        with sessions() as session:
            assert isinstance(get_product_detail(session, other, assumed_shipping=Decimal(0)), MovedProduct)
        with sessions.begin() as session:
            undo_last(session, account_id)
        link_pending_offers(sessions)
        assert places(sessions) == apart
        with sessions() as session:
            assert not isinstance(
                get_product_detail(session, other, assumed_shipping=Decimal(0)), MovedProduct
            )


def test_gone_offers_follow_their_product_and_come_back_with_it(sessions: Sessions) -> None:
    with sessions.begin() as session:
        camera = four_offers(session)
        store = store_row(session, "pens")
        pen = offer_row(session, store, None, "2", number=7, title="Red pen", gtin=GTIN).public_id
        offer_row(session, store_row(session, "ink"), None, "2", number=8, title="Stift, rot", gtin=GTIN)
    link_pending_offers(sessions)
    before = places(sessions)
    gone = next(offer for offer, product in before.items() if product == before[pen] and offer != pen)
    with sessions.begin() as session:
        session.execute(text("update offers set gone_at = now() where public_id = :id"), {"id": gone})
        join_products(session, before[pen], before[camera[0]], account_id=None)
    link_pending_offers(sessions)
    assert places(sessions)[gone] == before[camera[0]]
    with sessions.begin() as session:
        (verdict,) = list_verdicts(session)
        withdraw_verdict(session, verdict.id, account_id=None)
    link_pending_offers(sessions)
    assert places(sessions) == before


def test_a_full_linking_changes_nothing_where_nothing_changed(sessions: Sessions) -> None:
    with sessions.begin() as session:
        four_offers(session)
        offer_row(session, store_row(session, "pens"), None, "2", number=7, title="Red pen")
    link_pending_offers(sessions)
    relink_catalogue(sessions, dry_run=False)
    before = stamps(sessions)
    report = relink_catalogue(sessions, dry_run=False)
    assert (report.moved, report.new, report.merged, report.split, report.sample) == (0, 0, 0, 0, ())
    assert report.drift.f1 == 1
    assert stamps(sessions) == before


def test_a_dry_run_tells_what_a_full_linking_would_change_and_changes_nothing(sessions: Sessions) -> None:
    with sessions.begin() as session:
        a, *_, d = four_offers(session)
    link_pending_offers(sessions)
    with sessions.begin() as session:
        session.execute(
            text(
                "update offers set title = 'Kenwood kettle', brand = 'Kenwood', mpn = 'K9' where public_id = :id"
            ),
            {"id": d},
        )
    before = stamps(sessions)
    foreseen = relink_catalogue(sessions, dry_run=True)
    assert stamps(sessions) == before
    assert (foreseen.split, foreseen.moved, foreseen.new, foreseen.merged) == (1, 1, 1, 0)
    assert foreseen.drift.precision == 0.5
    (change,) = foreseen.sample
    with sessions() as session:
        own = product_of(session, a)
    assert (change.kind, change.products[0][0], change.products[1]) == ("split", own, ("new", ""))
    done = relink_catalogue(sessions, dry_run=False)
    assert (done.moved, done.new) == (1, 1)
    assert relink_catalogue(sessions, dry_run=True).moved == 0


def review_row(session: Session, left: str, right: str, **values: object) -> str:
    ids = sorted(session.scalars(select(OfferRow.id).where(OfferRow.public_id.in_((left, right)))))
    row = MatchReviewRow(left_offer_id=ids[0], right_offer_id=ids[1], probability=0.6, evidence=[], **values)
    session.add(row)
    session.flush()
    return row.public_id


def test_the_queue_goes_by_value_what_was_reported_first_and_what_was_skipped_last(session: Session) -> None:
    account_id = an_account(session)
    offers = [
        offer_row(
            session,
            store_row(session, f"s{number}"),
            None,
            "5",
            number=number,
            title=f"Cup {number}",
            brand=f"B{number % 2}",
        )
        for number in range(6)
    ]
    products = [ProductRow(title=offer.title, updated_at=offer.changed_at) for offer in offers]
    session.add_all(products)
    session.flush()
    for offer, product in zip(offers, products, strict=True):
        offer.product_id = product.id
    ids = [offer.public_id for offer in offers]
    low = review_row(session, ids[0], ids[1], value=1.0)
    high = review_row(session, ids[2], ids[3], value=2.0)

    def next_id(**wanted: str) -> str | None:
        found = find_next_review(session, PairFilter(**wanted))
        return found.id if found else None

    assert next_id() == high
    assert next_id(store="s1") == low
    assert next_id(text="cup 0") == low
    assert next_id(text="cu_") is None
    assert next_id(brand="B1") == high
    skip_review(session, high, account_id=account_id)
    assert next_id() == low
    assert undo_last(session, account_id) == high
    assert next_id() == high
    report_wrong_match(session, ids[4], ids[5], "one is blue")
    reported = find_next_review(session, PairFilter())
    assert reported is not None
    assert (reported.report, {reported.left.id, reported.right.id}) == ("one is blue", {ids[4], ids[5]})
    record_verdict(session, ids[4], ids[5], "different", account_id=account_id)
    assert next_id() == high
    state = get_queue_state(session, PairFilter(), account_id)
    assert (state.open, state.skipped, state.settled_today) == (2, 0, 1)
    report_wrong_match(session, ids[4], ids[5], "again")
    assert next_id() == high
