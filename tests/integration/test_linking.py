"""The matcher at work on the catalogue: pending offers become products with their evidence."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aggregator.db.models import MatchLinkRow, MatchVerdictRow, OfferProductRow, OfferRow, ProductRow
from aggregator.db.session import Sessions
from matcher.linker import link_pending_offers
from tests.integration.shop_rows import offer_row, store_row

GTIN = "04006381333931"


def seed(session: Session) -> None:
    alpha, beta, gamma = (store_row(session, slug) for slug in ("alpha", "beta", "gamma"))
    offer_row(
        session,
        alpha,
        None,
        "199",
        number=1,
        title="Sony DSC-W55 Digital Camera",
        brand="Sony",
        mpn="DSC-W55",
    )
    offer_row(
        session, beta, None, "189", number=1, title="Sony DSCW55 camera silver", brand="Sony", mpn="DSCW55"
    )
    offer_row(session, alpha, None, "20", number=2, title="Pen red", gtin=GTIN)
    offer_row(session, beta, None, "21", number=2, title="Kugelschreiber, rot", gtin=GTIN)
    offer_row(
        session, gamma, None, "500", number=3, title="Bosch WAX32M40 Washing Machine 9kg", brand="Bosch"
    )


def products_by_offer(session: Session) -> dict[str, int | None]:
    rows = session.execute(select(OfferRow.external_id, OfferRow.product_id))
    return {row.external_id: row.product_id for row in rows}


def test_offers_of_one_product_meet_and_say_why(sessions: Sessions) -> None:
    with sessions.begin() as session:
        seed(session)
    report = link_pending_offers(sessions)
    assert (report.linked, report.products) == (5, 3)
    with sessions() as session:
        found = products_by_offer(session)
        assert found["alpha-1"] == found["beta-1"] != found["gamma-3"]
        assert found["alpha-2"] == found["beta-2"] != found["alpha-1"]
        evidence = session.scalars(
            select(MatchLinkRow.evidence)
            .join(OfferRow, OfferRow.id == MatchLinkRow.offer_id)
            .where(OfferRow.external_id == "alpha-2")
        ).one()
        assert "gtin" in {item["comparison"] for item in evidence}
        assert session.scalar(select(func.count()).select_from(OfferProductRow)) == 5


def test_linking_again_changes_nothing(sessions: Sessions) -> None:
    with sessions.begin() as session:
        seed(session)
    link_pending_offers(sessions)
    with sessions() as session:
        before = products_by_offer(session)
    assert link_pending_offers(sessions).linked == 0
    with sessions.begin() as session:
        for offer in session.scalars(select(OfferRow)):
            offer.match_state = "pending"
    report = link_pending_offers(sessions)
    with sessions() as session:
        assert (report.products, products_by_offer(session)) == (0, before)
        assert session.scalar(select(func.count()).select_from(ProductRow)) == 3


def test_a_later_offer_joins_the_product_that_is_there(sessions: Sessions) -> None:
    with sessions.begin() as session:
        seed(session)
    link_pending_offers(sessions)
    with sessions.begin() as session:
        offer_row(session, store_row(session, "delta"), None, "19", number=9, title="Stift", gtin=GTIN)
    report = link_pending_offers(sessions)
    with sessions() as session:
        found = products_by_offer(session)
        assert (report.linked, report.products, found["delta-9"]) == (1, 0, found["alpha-2"])
        product = session.get(ProductRow, found["delta-9"])
        assert product is not None
        assert (product.offer_count, product.store_count) == (3, 3)


def test_a_persons_verdict_holds_against_the_model(sessions: Sessions) -> None:
    with sessions.begin() as session:
        seed(session)
        ids = dict(session.execute(select(OfferRow.external_id, OfferRow.id)).all())
        session.add(
            MatchVerdictRow(left_offer_id=ids["alpha-1"], right_offer_id=ids["beta-1"], verdict="different")
        )
        session.add(
            MatchVerdictRow(left_offer_id=ids["alpha-2"], right_offer_id=ids["gamma-3"], verdict="same")
        )
    link_pending_offers(sessions)
    with sessions() as session:
        found = products_by_offer(session)
        assert found["alpha-1"] != found["beta-1"]
        assert found["alpha-2"] == found["gamma-3"]
