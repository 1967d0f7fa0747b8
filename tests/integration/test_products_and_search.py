"""Products made of offers, found again by search, shown on their page."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import Rate, keep_rates
from aggregator.catalog.match_links import MatchLink, keep_links
from aggregator.catalog.price_history import read_history
from aggregator.catalog.product_details import get_product_detail
from aggregator.catalog.products import OfferGroup, assign_offers
from aggregator.catalog.search import browse_home, search_products
from aggregator.db.models import OfferPriceRow, OfferProductRow, OfferRow, ProductRow, StoreRow
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.money import Money
from aggregator.domain.products import Evidence, MovedProduct, ProductDetail, SearchQuery
from tests.integration.shop_rows import CHECKED_AT, flat_shipping, offer_row, store_row


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


@pytest.fixture
def stores(session: Session) -> list[StoreRow]:
    return [
        store_row(session, "alpha"),
        store_row(session, "beta"),
        store_row(session, "gamma", shipping=None),
    ]


def product_of(session: Session, *offers: OfferRow) -> ProductRow:
    assign_offers(session, [OfferGroup(tuple(offer.id for offer in offers))], reason="test")
    product_id = session.scalar(select(OfferRow.product_id).where(OfferRow.id == offers[0].id))
    session.expire_all()
    product = session.get(ProductRow, product_id)
    assert product is not None
    return product


@pytest.fixture
def camera(session: Session, stores: list[StoreRow]) -> ProductRow:
    alpha, beta, gamma = stores
    return product_of(
        session,
        offer_row(
            session,
            alpha,
            None,
            "199.00",
            number=1,
            title="Sony DSC-W55 Digital Camera",
            brand="Sony",
            category="Cameras",
        ),
        offer_row(
            session,
            beta,
            None,
            "189.00",
            number=1,
            title="Sony CyberShot DSCW55 silver",
            brand="Sony",
            category="Cameras",
        ),
        offer_row(
            session,
            gamma,
            None,
            "150.00",
            number=1,
            title="Sony W55",
            category="Photo",
            availability="OutOfStock",
        ),
    )


@pytest.fixture
def kettle(session: Session, stores: list[StoreRow], camera: ProductRow) -> ProductRow:
    return product_of(
        session,
        offer_row(
            session,
            stores[0],
            None,
            "25.00",
            number=2,
            title="Bosch Kettle TWK 3A",
            brand="Bosch",
            category="Kitchen",
        ),
    )


def titles(session: Session, **query: object) -> list[str]:
    return [card.title for card in search_products(session, SearchQuery(**query)).products]


def test_a_product_is_described_by_its_offers(session: Session, camera: ProductRow) -> None:
    assert (camera.brand, camera.category, camera.offer_count, camera.store_count) == (
        "Sony",
        "Cameras",
        3,
        3,
    )
    assert (camera.lowest_price, camera.is_available) == (Decimal("189.0000"), True)
    assert camera.title in {"Sony DSC-W55 Digital Camera", "Sony CyberShot DSCW55 silver"}


@pytest.mark.parametrize("text", ["dsc-w55", "DSCW55", "dsc w55", "cyber", "sony camera", "  SONY  dígital "])
def test_any_stores_wording_finds_the_product(
    session: Session, camera: ProductRow, kettle: ProductRow, text: str
) -> None:
    assert titles(session, text=text) == [camera.title]


@pytest.mark.parametrize("text", ["sony kettle", "'; drop table products --", "zzz", "& | ! :*(", "\x00"])
def test_what_is_not_there_is_not_found_and_nothing_breaks(
    session: Session, camera: ProductRow, kettle: ProductRow, text: str
) -> None:
    found = search_products(session, SearchQuery(text=text))
    assert camera.public_id not in {card.id for card in found.products} or text in {"& | ! :*(", "\x00"}


def test_facets_count_what_a_further_choice_would_show(
    session: Session, camera: ProductRow, kettle: ProductRow
) -> None:
    page = search_products(session, SearchQuery(brands=("Bosch",)))
    counts = {
        facet.name: {value.value: (value.count, value.is_chosen) for value in facet.values}
        for facet in page.facets
    }
    assert page.total == 1
    assert counts["brand"] == {"Bosch": (1, True), "Sony": (1, False)}
    assert counts["category"] == {"appliances": (1, False), "kettles-and-toasters": (1, False)}
    assert counts["store"] == {"alpha": (1, False)}


def test_filters_narrow_and_several_values_widen(
    session: Session, camera: ProductRow, kettle: ProductRow
) -> None:
    assert titles(session, brands=("Sony", "Bosch"), sorting="price") == [kettle.title, camera.title]
    assert titles(session, stores=("beta",)) == [camera.title]
    assert titles(session, min_price=Decimal(30)) == [camera.title]
    assert titles(session, max_price=Decimal(30)) == [kettle.title]
    assert titles(session, categories=("kettles-and-toasters",), available_only=True) == [kettle.title]


@pytest.mark.parametrize("sorting", ["relevance", "price", "-price", "stores", "newest"])
def test_paging_by_key_shows_each_product_once(
    session: Session, stores: list[StoreRow], sorting: str
) -> None:
    for number in range(11):
        product_of(
            session,
            offer_row(
                session, stores[0], None, f"{10 + number % 3}.00", number=number, title=f"Lamp {number}"
            ),
        )
    seen: list[str] = []
    cursor = None
    for _ in range(10):
        page = search_products(session, SearchQuery(text="lamp", sorting=sorting, cursor=cursor, limit=4))
        seen += [card.title for card in page.products]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"Lamp {number}" for number in range(11))
    if sorting == "price":
        assert [title.split()[1] for title in seen[:4]] == ["0", "3", "6", "9"]


def _cursor(document: str) -> str:
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "=" * 5000,
        _cursor("[" * 20_000),
        _cursor("price 1 abcdefghjkmn"),
        _cursor("relevance 1e999999 abcdefghjkmn"),
        _cursor("relevance NaN abcdefghjkmn"),
        _cursor("relevance 1 7"),
        _cursor("relevance 1 abcdefghjkmn\n"),
    ],
)
def test_a_made_up_cursor_is_refused_with_the_remedy(session: Session, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="next"):
        search_products(session, SearchQuery(text="lamp", cursor=cursor))


def test_the_home_page_shows_what_most_stores_sell(
    session: Session, camera: ProductRow, kettle: ProductRow
) -> None:
    home = browse_home(session)
    assert [card.title for card in home.popular] == [camera.title, kettle.title]
    assert [card.title for card in home.recent] == [kettle.title, camera.title]
    assert {(category.value, category.count) for category in home.categories} == {
        ("cameras", 1),
        ("digital-cameras", 1),
        ("appliances", 1),
        ("kettles-and-toasters", 1),
    }


def detail_of(session: Session, product: ProductRow, assumed: str = "5.90") -> ProductDetail:
    detail = get_product_detail(session, product.public_id, assumed_shipping=Decimal(assumed))
    assert isinstance(detail, ProductDetail)
    return detail


def test_offers_come_cheapest_total_first_and_unknown_shipping_stays_unknown(
    session: Session, stores: list[StoreRow]
) -> None:
    product = product_of(
        session,
        offer_row(session, stores[0], None, "20.00", number=1, title="Cup"),
        offer_row(session, stores[1], None, "10.00", number=1, title="Cup", availability="OutOfStock"),
        offer_row(session, stores[2], None, "18.00", number=1, title="Cup"),
    )
    offers = detail_of(session, product).offers
    assert [(offer.store_slug, offer.total) for offer in offers] == [
        ("gamma", None),
        ("alpha", eur("24.90")),
        ("beta", eur("14.90")),
    ]
    assert detail_of(session, product, "9.00").offers[0].store_slug == "alpha"


def test_offers_of_other_currencies_are_ranked_by_the_kept_rates(
    session: Session, stores: list[StoreRow]
) -> None:
    keep_rates(session, [Rate("JPY", datetime.now(UTC).date(), Decimal(160))], "test")
    tokyo = store_row(session, "tokyo", currency="JPY", shipping=flat_shipping("480"))
    kuwait = store_row(session, "kuwait", currency="KWD", shipping=None)
    product = product_of(
        session,
        offer_row(session, stores[0], None, "20.00", number=1, title="Cup"),
        offer_row(session, stores[1], None, "10.00", number=1, title="Cup"),
        offer_row(session, tokyo, None, "2400", number=1, title="Cup", price_currency="JPY"),
        offer_row(session, kuwait, None, "1.000", number=1, title="Cup", price_currency="KWD"),
    )
    offers = detail_of(session, product).offers
    assert [offer.store_slug for offer in offers] == ["beta", "tokyo", "alpha", "kuwait"]
    assert offers[1].total == Money(Decimal(2880), "JPY")


def test_the_page_takes_the_same_number_of_queries_for_one_offer_and_for_forty(session: Session) -> None:
    def queries(offer_count: int) -> int:
        shops = [store_row(session, f"s{offer_count}-{number}") for number in range(offer_count)]
        product = product_of(
            session, *(offer_row(session, shop, None, "5.00", number=9, title="Pen") for shop in shops)
        )
        counted: list[str] = []
        connection = session.connection()
        listener = lambda *arguments: counted.append(arguments[2])  # noqa: E731  # removed by identity below
        event.listen(connection, "before_cursor_execute", listener)
        session.expunge_all()
        detail_of(session, product)
        event.remove(connection, "before_cursor_execute", listener)
        return len(counted)

    assert queries(1) == queries(40)


def test_the_evidence_of_a_link_is_on_the_page(session: Session, stores: list[StoreRow]) -> None:
    left = offer_row(session, stores[0], None, "20.00", number=1, title="Cup A1")
    right = offer_row(session, stores[1], None, "21.00", number=1, title="Cup A-1")
    evidence = (Evidence("model_code", "equal", 4.5, "Both name the model A1."),)
    keep_links(
        session,
        [
            MatchLink(
                offer_id=right.id,
                other_offer_id=left.id,
                probability=0.98,
                outcome="merged",
                evidence=evidence,
            )
        ],
        compared=[right.id],
        model_version="1",
    )
    offers = {offer.title: offer for offer in detail_of(session, product_of(session, left, right)).offers}
    (link,) = offers["Cup A-1"].links
    assert (link.other_title, link.probability, link.evidence) == ("Cup A1", 0.98, evidence)


def test_a_chart_has_each_stores_points(session: Session, camera: ProductRow) -> None:
    offer = session.scalar(select(OfferRow).where(OfferRow.external_id == "alpha-1"))
    assert offer is not None
    for hour, price in enumerate(("210.00", "199.00")):
        session.add(
            OfferPriceRow(
                offer_id=offer.id,
                recorded_at=CHECKED_AT.replace(hour=hour),
                price=Decimal(price),
                price_currency="EUR",
                price_kind="regular",
                availability="InStock",
            )
        )
    session.flush()
    (series,) = read_history(session, [camera.id], since=None)[camera.id]
    assert (series.store_name, [point.price for point in series.points]) == (
        "Alpha",
        [Decimal("210.0000"), Decimal("199.0000")],
    )


def test_variants_of_one_item_group_name_each_other(session: Session, stores: list[StoreRow]) -> None:
    red = product_of(
        session,
        offer_row(
            session,
            stores[0],
            None,
            "5.00",
            number=1,
            title="Mug",
            item_group_id="g",
            variant_attributes={"colour": "red"},
        ),
    )
    product_of(
        session,
        offer_row(
            session,
            stores[0],
            None,
            "6.00",
            number=2,
            title="Mug",
            item_group_id="g",
            variant_attributes={"colour": "blue"},
        ),
    )
    (variant,) = detail_of(session, red).variants
    assert (variant.attributes, variant.lowest_price) == ((("colour", "blue"),), eur("6.00"))


def test_a_merged_product_points_to_where_its_offers_went(
    session: Session, camera: ProductRow, kettle: ProductRow
) -> None:
    offers = session.scalars(select(OfferRow.id).where(OfferRow.product_id == kettle.id)).all()
    assign_offers(session, [OfferGroup(tuple(offers), camera.id)], reason="person")
    moved = get_product_detail(session, kettle.public_id, assumed_shipping=Decimal(0))
    assert moved == MovedProduct(camera.public_id, moved.slug)
    history = session.scalars(
        select(OfferProductRow.product_id)
        .where(OfferProductRow.offer_id.in_(offers))
        .order_by(OfferProductRow.assigned_at)
    ).all()
    assert history == [kettle.id, camera.id]


def test_a_product_whose_only_offer_is_worded_anew_keeps_its_address(
    session: Session, kettle: ProductRow
) -> None:
    offers = session.scalars(select(OfferRow.id).where(OfferRow.product_id == kettle.id)).all()
    assign_offers(session, [OfferGroup(tuple(offers))], reason="matched")
    assert set(session.scalars(select(OfferRow.product_id).where(OfferRow.id.in_(offers)))) == {kettle.id}
    assert detail_of(session, kettle).card.id == kettle.public_id


def test_an_unknown_product_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound, match="product"):
        get_product_detail(session, "nothing", assumed_shipping=Decimal(0))
