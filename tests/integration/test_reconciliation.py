"""The books: what runs counted against what the tables hold, and that one wrong number is found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.ingest import release_run, stage_offers
from aggregator.catalog.reconciliation import reconcile
from aggregator.catalog.runs import open_run
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.runs import CrawlCounts
from tests.integration.shop_rows import store_row
from workers.soak_faults import STORE_FAULTS, Plan
from workers.soak_memory import memory_of


def read(session: Session, slug: str, prices: dict[str, str]) -> None:
    ticket = open_run(session, slug, trigger="command", worker="test")
    assert ticket is not None
    offers: list[RawOffer | InvalidOffer] = [
        RawOffer(
            external_id=key, url=f"https://s.example/{key}", title=key, price=price, price_currency="EUR"
        )
        for key, price in prices.items()
    ]
    stage_offers(session, ticket, offers, CrawlCounts(requests=1))
    release_run(session, ticket, is_complete=True)


@pytest.fixture
def read_twice(session: Session) -> Session:
    store_row(session, "shop", checked_at=datetime.now(UTC))
    prices = {f"k{number}": f"{number}.50" for number in range(1, 31)}
    read(session, "shop", prices)
    read(session, "shop", {**prices, "k1": "1.40", "k2": "no price"})
    return session


def test_books_that_are_right(read_twice: Session) -> None:
    books = reconcile(read_twice)
    assert (books.is_right, books.contradictions) == (True, ())
    assert (books.runs, books.seen, books.new, books.changed, books.unchanged, books.quarantined) == (
        2, 60, 30, 1, 28, 1,
    )  # fmt: skip
    assert (books.current_offers, books.gone_offers, books.gone) == (30, 0, 0)


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("update runs set unchanged = unchanged + 1", "a run's seen"),
        ("delete from quarantined_offers", "a run's quarantined"),
        ("delete from offers where external_id = 'k7'", "a store's offers"),
        ("update offers set price = 850 where external_id = 'k8'", "an offer's last recorded price"),
    ],
)
def test_one_wrong_number_is_found(read_twice: Session, damage: str, rule: str) -> None:
    read_twice.execute(text(damage))
    found = reconcile(read_twice).contradictions
    assert [contradiction.rule.startswith(rule) for contradiction in found] == [True]


def test_the_same_seed_makes_the_same_faults() -> None:
    def faults(seed: int) -> list[tuple[int, str]]:
        plan = Plan(seed, 10)
        return [(number, fault.name) for number, fault in (plan.next_store_fault() for _ in range(30))]

    assert faults(7) == faults(7) != faults(8)
    assert {name for _, name in faults(7)[: len(STORE_FAULTS)]} == {fault.name for fault in STORE_FAULTS}


def test_memory_that_grows_is_not_flat() -> None:
    flat = memory_of([(5.0 * step, 200.0 + step % 3) for step in range(200)])
    grows = memory_of([(5.0 * step, 200.0 + 0.1 * step) for step in range(200)])
    assert flat.is_flat
    assert flat.slope == pytest.approx(0, abs=2)
    assert not grows.is_flat
    assert grows.slope == pytest.approx(72)
    assert memory_of([(0.0, 10.0), (5.0, 90.0)]).slope is None
