"""Search by the index: what finds a product, facets, orders, pages, spelling."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import sessionmaker

from aggregator.catalog.search import browse_home, find_identified, search_products, suggest
from aggregator.domain.errors import InvalidInput
from aggregator.domain.products import FacetValue, SearchQuery
from tests.integration.search_world import SearchWorld, search_world

HEADPHONES = "Sony WH-1000XM4 Wireless Headphones Black"
KETTLE = "Bosch Wasserkocher TWK 3A 1,7 l"
TELEVISION = 'Samsung QE55Q60 55" QLED Television'


@pytest.fixture(scope="module")
def world(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchWorld]:
    """Nothing here changes it."""
    sessions = sessionmaker(engine, expire_on_commit=False)
    world = search_world(sessions, tmp_path_factory.mktemp("search"))
    world.store("wild", shipping=None)
    world.product(
        {
            "title": HEADPHONES,
            "brand": "Sony",
            "mpn": "WH1000XM4",
            "price": "300.00",
            "gtin": "04548736112070",
        },
        {
            "title": "Sony wireless WH1000 XM4B Noise Cancelling",
            "brand": "Sony",
            "store": "beta",
            "price": "280.00",
        },
    )
    world.product({"title": KETTLE, "brand": "Bosch", "price": "25.00", "store": "wild"})
    world.product({"title": TELEVISION, "brand": "Samsung", "mpn": "QE55Q60", "price": "700.00"})
    world.product(
        {"title": "Sony Bravia 40 inch TV", "brand": "SONY", "price": "400.00", "availability": "OutOfStock"}
    )
    assert world.sync().done == "rebuilt"
    yield world
    with engine.begin() as connection:
        connection.execute(text("truncate stores, products cascade"))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        *((text, HEADPHONES) for text in (
            "wh-1000xm4", "WH 1000 XM4", "wh1000xm4", "1000xm4 sony", "noise cancelling", "xm4b", "sony headphone",
            "head phones", "kopfhörer", "4548736112070", "EAN 4548736112070",
        )),
        ("kettle bosch", KETTLE),
        *((text, TELEVISION) for text in ("samsung tv 55 inch", "samsung 55 zoll fernseher", "QE55", "samsu")),
    ],
)  # fmt: skip
def test_every_wording_code_and_other_name_finds_the_product(
    world: SearchWorld, text: str, title: str
) -> None:
    page = world.search(text)
    assert (page.products[0].title, page.repaired) == (title, None)


@pytest.mark.parametrize(
    ("text", "title", "shown"),
    [
        ("samsng televsion", TELEVISION, "samsung television"),
        ("xony haedphones", HEADPHONES, "sony headphones"),
        ("sony wireles blakc", HEADPHONES, "sony wireless black"),
        ("bosch wasserkochr", KETTLE, "bosch wasserkocher"),
    ],
)
def test_wrong_letters_are_forgiven_and_said_so(
    world: SearchWorld, text: str, title: str, shown: str
) -> None:
    page = world.search(text)
    assert (page.products[0].title, page.repaired) == (title, shown)
    assert world.search(text, as_typed=True).total == 0


def test_digits_are_never_changed(world: SearchWorld) -> None:
    assert world.titles("wh1000xm5") == []


@pytest.mark.parametrize(
    "text",
    ["'; drop table products --", "zzzzzzzz", "& | ! :*(", "\x00", "\ud800", "a" * 200, '+-"^~*?', "مرحبا"],
)
def test_no_query_breaks_anything(world: SearchWorld, text: str) -> None:
    assert world.search(text).total in {0, 4}


def test_an_identifier_stands_for_its_one_product(world: SearchWorld) -> None:
    with world.sessions() as session:
        for text in ("4548736112070", "ean: 4548736112070", "wh-1000xm4", "QE55Q60"):
            found = find_identified(session, text, world.index)
            assert found is not None, text
            assert found.title == (TELEVISION if text == "QE55Q60" else HEADPHONES)
        for text in ("sony", "wh 1000xm4 black", "4548736112071", "55"):
            assert find_identified(session, text, world.index) is None, text


def test_facets_count_what_a_further_choice_would_show(world: SearchWorld) -> None:
    page = world.search(brands=("Bosch",))
    counts = {
        (facet.about or facet.name): {value.value: value.count for value in facet.values}
        for facet in page.facets
    }
    assert page.total == 1
    assert counts["brand"] == {"Bosch": 1, "Sony": 2, "Samsung": 1}
    assert counts["store"] == {"wild": 1}
    assert counts["price"] == {"20-50": 1}
    assert counts["condition"] == {"NewCondition": 1}
    screens = next(facet for facet in world.search("sony").facets if facet.name == "brand")
    assert [(value.value, value.count) for value in screens.values] == [("Sony", 2)]
    assert world.search().available == 3


@pytest.mark.parametrize("is_indexed", [True, False])
def test_a_brand_is_one_however_it_is_written(world: SearchWorld, is_indexed: bool) -> None:
    query = SearchQuery(brands=("SONY",))
    with world.sessions() as session:
        page = search_products(session, query, world.index if is_indexed else None)
    assert (page.is_indexed, page.total) == (is_indexed, 2)
    brands = next(facet for facet in page.facets if facet.name == "brand")
    # Taken out again by the spelling that it was chosen by.
    assert brands.values[0] == FacetValue("SONY", "Sony", 2, is_chosen=True)


def test_filters_narrow_and_several_values_widen(world: SearchWorld) -> None:
    assert set(world.titles(brands=("Bosch", "Samsung"))) == {KETTLE, TELEVISION}
    assert world.titles(stores=("beta",)) == [HEADPHONES]
    assert world.titles(stores=("nowhere",)) == []
    assert world.titles(min_price=Decimal(300), available_only=True) == [TELEVISION]
    assert world.titles(max_price=Decimal(25)) == [KETTLE]
    sizes = {"attributes": ("screen_size:55 inch", "screen_size:40 inch")}
    assert len(world.titles(**sizes)) == 2
    assert world.titles("tv", **sizes, categories=("televisions",), brands=("Samsung",)) == [TELEVISION]
    assert world.titles(conditions=("UsedCondition",)) == []


def test_what_is_sold_out_comes_last_in_orders_by_price(world: SearchWorld) -> None:
    for sorting in ("price", "total"):
        assert world.titles(sorting=sorting)[-1] == "Sony Bravia 40 inch TV"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "=" * 5000,
        "cHJpY2UhMQ",
        "cmVsZXZhbmNlITEhLi4hMQ",
        "cmVsZXZhbmNlITk5OTk5OTk5OTk5OTk5OTk5OTk5",
    ],
)
def test_a_made_up_cursor_is_refused_with_the_remedy(world: SearchWorld, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="next"):
        world.search("sony", cursor=cursor)


def test_suggestions_complete_the_last_word(world: SearchWorld) -> None:
    with world.sessions() as session:
        assert [card.title for card in suggest(session, "samsung tele", world.index).products] == [TELEVISION]
        assert [card.title for card in suggest(session, "wh-1000x", world.index).products] == [HEADPHONES]
        assert suggest(session, "samsng tv", world.index).products[0].title == TELEVISION
        assert "televisions" in {value.value for value in suggest(session, "son", world.index).categories}
        assert suggest(session, "&", world.index).products == ()


def test_the_home_page_shows_what_most_stores_sell(world: SearchWorld) -> None:
    with world.sessions() as session:
        home = browse_home(session, world.index)
    assert home.popular[0].title == HEADPHONES
    assert home.recent[0].title == TELEVISION
    assert {category.value for category in home.categories} >= {"headphones", "televisions"}
