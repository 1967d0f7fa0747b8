"""Search by the index: orders and pages, while products come and go."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import Rate, keep_rates
from aggregator.catalog.product_summaries import refresh_products
from aggregator.db.session import Sessions
from aggregator.domain.products import SORTINGS
from tests.integration.search_world import SearchWorld, search_world
from tests.integration.shop_rows import flat_shipping


@pytest.fixture
def world(sessions: Sessions, tmp_path: Path) -> SearchWorld:
    world = search_world(sessions, tmp_path)
    world.store("wild", shipping=None)
    return world


def test_the_lowest_total_assumes_what_is_unknown_and_says_so(world: SearchWorld) -> None:
    world.product({"title": "Bosch kettle", "price": "25.00", "store": "wild"})
    cheap = world.product({"title": "Bosch mug", "brand": "Bosch", "price": "24.00"})
    world.sync()
    page = world.search("bosch", sorting="total", assumed_shipping=Decimal("2.00"))
    assert [card.title for card in page.products] == ["Bosch kettle", "Bosch mug"]
    assert [(total.amount, is_assumed) for total, is_assumed in page.totals.values()] == [
        (Decimal("27.00"), True),
        (Decimal("28.90"), False),
    ]
    page = world.search("bosch", sorting="total", assumed_shipping=Decimal("5.90"))
    assert page.products[0].id == cheap


def test_prices_of_all_currencies_are_compared_by_the_kept_rates(sessions: Sessions, tmp_path: Path) -> None:
    world = search_world(sessions, tmp_path)
    today = datetime.now(UTC).date()
    with sessions.begin() as session:
        keep_rates(session, [Rate("JPY", today, Decimal(160))], "test")
    for slug, currency in (("tokyo", "JPY"), ("kuwait", "KWD")):
        world.store(slug, currency=currency, shipping=None)
    world.product({"title": "Lamp dear", "price": "30.00"})
    world.product({"title": "Lamp yen", "price": "3200", "price_currency": "JPY", "store": "tokyo"})
    world.product({"title": "Lamp cheap", "price": "10.00"})
    world.product({"title": "Lamp dinar", "price": "5.000", "price_currency": "KWD", "store": "kuwait"})
    rising = ["Lamp cheap", "Lamp yen", "Lamp dear", "Lamp dinar"]
    for is_indexed in (False, True):
        if is_indexed:
            world.sync()
        assert world.titles("lamp", sorting="price") == rising
        assert world.titles("lamp", sorting="-price") == [*rising[2::-1], "Lamp dinar"]
        assert world.titles("lamp", min_price=Decimal(15), max_price=Decimal(25)) == ["Lamp yen"]
    page = world.search("lamp", sorting="total", assumed_shipping=Decimal(4))
    assert [card.title for card in page.products] == rising
    assert page.totals.keys() == {page.products[0].id, page.products[2].id}, "in the site's currency alone"
    with sessions.begin() as session:
        keep_rates(session, [Rate("JPY", today, Decimal(100))], "test")
    assert world.sync().products == 1
    assert world.titles("lamp", sorting="price") == ["Lamp cheap", "Lamp dear", "Lamp yen", "Lamp dinar"]


def test_shipping_counts_as_it_is_to_the_sites_country(sessions: Sessions, tmp_path: Path) -> None:
    world = search_world(sessions, tmp_path)
    world.store("far", country="DE", shipping_by_country={"AT": flat_shipping("12.00")})
    world.product({"title": "Vase", "price": "60.00", "store": "far"})
    world.sync()
    for country, total in ((None, "64.90"), ("AT", "72.00")):
        world.place.country = country
        assert world.sync().done == ("current" if country is None else "rebuilt")
        ((amount, is_assumed),) = world.search("vase").totals.values()
        assert (amount.amount, is_assumed) == (Decimal(total), False)


def test_what_costs_less_for_its_content_comes_first(world: SearchWorld) -> None:
    for title, price in (
        ("Olive oil 500 ml", "5.00"),
        ("Olive oil 2 l", "8.00"),
        ("Olive oil fridge 90 l", "9.00"),
    ):
        world.product(
            {"title": title, "price": price, "category": title[:9] if "fridge" not in title else "Fridges"}
        )
    world.sync()
    # The litres of a fridge are not what is bought.
    assert world.titles("olive oil", sorting="unit") == [
        "Olive oil 2 l",
        "Olive oil 500 ml",
        "Olive oil fridge 90 l",
    ]


@pytest.mark.parametrize(
    ("words", "sorting"),
    [("", "relevance"), ("", "total"), *(("lamp", sorting) for sorting in SORTINGS)],
)
def test_paging_by_key_shows_each_product_once_while_others_come_and_change(
    sessions: Sessions, tmp_path: Path, sorting: str, words: str
) -> None:
    world = search_world(sessions, tmp_path)
    world.store("wild", shipping=None)
    for number in range(11):
        world.product(
            {
                "title": f"Lamp {number}",
                "price": f"{10 + number % 3}.00",
                "store": "wild" if number % 2 else "alpha",
            }
        )
    world.sync()
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        page = world.search(words, sorting=sorting, cursor=cursor, limit=4, assumed_shipping=Decimal(3))
        seen += [card.title for card in page.products]
        cursor, pages = page.next_cursor, pages + 1
        if pages == 1:
            # Comes after what was seen in every order, or before it, and moves nothing.
            world.product({"title": "Desk", "price": "5.00"})
            world.sync()
    lamps = [title for title in seen if title != "Desk"]
    assert sorted(lamps) == sorted(f"Lamp {number}" for number in range(11))
    assert len(seen) == len(set(seen))


def test_paging_goes_on_after_a_product_that_is_gone(sessions: Sessions, tmp_path: Path) -> None:
    world = search_world(sessions, tmp_path)
    for number in range(9):
        world.product({"title": f"Lamp {number}" + " extra" * number})
    world.sync()
    page = world.search("lamp", limit=3)
    shown = [card.title for card in page.products]
    with world.sessions.begin() as session:
        _sell_no_more(session, shown[-1])
    world.sync()
    following = [card.title for card in world.search("lamp", limit=9, cursor=page.next_cursor).products]
    assert len(following) == 6
    assert not set(following) & set(shown)


def _sell_no_more(session: Session, title: str) -> None:
    ids = session.scalars(
        text("update offers set gone_at = now() where title = :title returning product_id"), {"title": title}
    ).all()
    refresh_products(session, ids)


def test_shipping_rules_count_in_the_total(sessions: Sessions, tmp_path: Path) -> None:
    world = search_world(sessions, tmp_path)
    world.store("free", shipping=flat_shipping("4.90", free_from="50"))
    world.product(
        {"title": "Vase", "price": "60.00", "store": "free"},
        {"title": "Vase", "price": "59.00", "store": "alpha"},
    )
    world.sync()
    page = world.search("vase")
    assert [(total.amount, assumed) for total, assumed in page.totals.values()] == [(Decimal("60.00"), False)]
