"""A catalogue linked by its index on disk: the same products, whatever happened to the index meanwhile."""

from __future__ import annotations

import csv
import shutil
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, text

from aggregator.catalog.verdicts import record_verdict
from aggregator.db.models import OfferRow, ProductRow, StoreRow
from aggregator.db.session import Sessions
from matcher.catalogue_index import IndexPlace, scored_by_index
from matcher.linker import link_pending_offers
from matcher.model import MatchModel, probability_of
from tests.integration.shop_rows import offer_row, store_row

SAMPLE = Path(__file__).parents[2] / "fixtures" / "matching" / "abt-buy-sample" / "offers.csv"


@pytest.fixture
def place(tmp_path: Path) -> IndexPlace:
    return IndexPlace(tmp_path / "index", least_offers=50)


@pytest.fixture
def catalogue(sessions: Sessions) -> None:
    """A linked catalogue of real offers of two stores; the last ten of the file are still to come."""
    add(sessions, rows()[:-10])
    link_pending_offers(sessions)


def rows() -> list[dict[str, str]]:
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        return [{**row, "number": str(number)} for number, row in enumerate(csv.DictReader(file))]


def add(sessions: Sessions, found: list[dict[str, str]]) -> None:
    with sessions.begin() as session:
        stores = {row.slug: row for row in session.scalars(select(StoreRow))}
        for row in found:
            slug = row["store"].replace(".", "-")
            stores[slug] = stores.get(slug) or store_row(session, slug)
            price = str(Decimal(row.get("price") or "49.90"))
            offer_row(session, stores[slug], None, price, number=int(row["number"]), title=row["title"])


def groups(sessions: Sessions) -> set[frozenset[str]]:
    with sessions() as session:
        found: dict[int, set[str]] = {}
        for offer in session.scalars(select(OfferRow).where(OfferRow.gone_at.is_(None))):
            assert offer.product_id is not None
            found.setdefault(offer.product_id, set()).add(offer.external_id)
    return {frozenset(group) for group in found.values()}


def products(sessions: Sessions) -> dict[str, str]:
    with sessions() as session:
        found = session.execute(
            select(OfferRow.external_id, ProductRow.public_id).join(
                ProductRow, ProductRow.id == OfferRow.product_id
            )
        )
        return {row[0]: row[1] for row in found}


@pytest.mark.usefixtures("catalogue")
def test_new_offers_find_their_products_by_the_index_and_nothing_else_moves(
    sessions: Sessions, place: IndexPlace
) -> None:
    before = products(sessions)
    add(sessions, rows()[-10:-5])
    assert link_pending_offers(sessions, index=place).linked == 5
    add(sessions, rows()[-5:])
    assert link_pending_offers(sessions, index=place).linked == 5
    assert link_pending_offers(sessions, index=place).linked == 0
    after = products(sessions)
    assert {offer: after[offer] for offer in before} == before
    assert len(after) == len(before) + 10


@pytest.mark.usefixtures("catalogue")
def test_a_pair_is_judged_beside_its_neighbours_alone(sessions: Sessions, place: IndexPlace) -> None:
    model = MatchModel.load()
    with sessions() as session:
        ids = {row.external_id: row.public_id for row in session.scalars(select(OfferRow))}
    pair = next(sorted(group) for group in sorted(groups(sessions), key=sorted) if len(group) == 2)
    named = ids[pair[0]], ids[pair[1]]
    assert scored_by_index(sessions, place, model, named) is None
    add(sessions, rows()[-10:])
    link_pending_offers(sessions, index=place)
    scoring = scored_by_index(sessions, place, model, named)
    assert scoring is not None
    at = [index for index, record in enumerate(scoring.catalogue.records) if record.offer_id in named]
    assert len(at) == 2
    assert probability_of(scoring.scores_of(np.array(at[:1]), np.array(at[1:])))[0] > 0.5
    assert scored_by_index(sessions, place, model, (named[0], "nobody")) is None


@pytest.mark.usefixtures("catalogue")
def test_verdicts_part_and_join_by_the_index_too(sessions: Sessions, place: IndexPlace) -> None:
    add(sessions, rows()[-10:-5])
    link_pending_offers(sessions, index=place)
    pair = next(sorted(group) for group in sorted(groups(sessions), key=sorted) if len(group) == 2)
    with sessions.begin() as session:
        ids = {row.external_id: row.public_id for row in session.scalars(select(OfferRow))}
        record_verdict(session, ids[pair[0]], ids[pair[1]], "different", account_id=None)
    link_pending_offers(sessions, index=place)
    assert frozenset(pair) not in groups(sessions)
    alone = sorted(
        next(iter(group)) for group in groups(sessions) if len(group) == 1 and not group & set(pair)
    )
    with sessions.begin() as session:
        record_verdict(session, ids[alone[0]], ids[alone[1]], "same", account_id=None)
    link_pending_offers(sessions, index=place)
    assert any({alone[0], alone[1]} <= group for group in groups(sessions))


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    "harm",
    [
        "lost",
        *(pytest.param(harm, marks=pytest.mark.prove) for harm in ("none", "damaged", "behind", "gone")),
    ],
)
def test_an_index_out_of_step_does_no_harm(sessions: Sessions, place: IndexPlace, harm: str) -> None:
    add(sessions, rows()[-10:-5])
    link_pending_offers(sessions, index=place)
    match harm:
        case "lost":
            shutil.rmtree(place.folder)
        case "damaged":
            next(place.folder.glob("statistics-*")).write_bytes(b"{")
        case "behind":
            # Another machine, with an index of its own, linked meanwhile.
            with sessions.begin() as session:
                session.execute(text("update offers set match_state = 'pending' where id % 7 = 0"))
            add(sessions, rows()[-5:-3])
            link_pending_offers(sessions)
        case "gone":
            with sessions.begin() as session:
                session.execute(text("update offers set gone_at = now() where id % 7 = 0"))
    before = products(sessions)
    add(sessions, rows()[-3:])
    assert link_pending_offers(sessions, index=place).linked == 3
    after = products(sessions)
    assert {offer: after[offer] for offer in before} == before
    assert len(after) == len(before) + 3
