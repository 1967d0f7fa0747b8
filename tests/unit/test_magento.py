"""What Magento stores say, from documented answers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from aggregator.domain.errors import FetchRefused, UnreadableAnswer
from aggregator.domain.money import Money
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.vocabulary import Availability, PriceKind
from spiders.adapters import magento
from tests.unit.store_answers import (
    Shop,
    Site,
    by_path,
    drained,
    line,
    normalized,
    page,
    posted,
    saved,
    store,
)


def shop(products: Any | None = None) -> Shop:
    def answer(request: httpx.Request) -> Any:
        query = posted(request)["query"]
        return (
            saved("magento/settings.json")
            if "storeConfig" in query
            else products or saved("magento/products.json")
        )

    return Shop(answer)


def read() -> list[RawOffer | InvalidOffer]:
    return list(magento.MagentoSource().fetch_offers(store("magento"), shop().fetcher()))


def test_a_simple_product_is_an_offer_with_its_reduced_price() -> None:
    (offer,) = normalized(read()[:1])
    assert (offer.external_id, offer.title, offer.url) == (
        "PT-100", "Camping Stove Duo", "https://shop.example/camping-stove-duo.html",
    )  # fmt: skip
    assert (offer.price, offer.list_price) == (Money(Decimal("49.95"), "EUR"), Money(Decimal("59.95"), "EUR"))
    assert (offer.price_kind, offer.availability, offer.gtin) == (
        PriceKind.SALE, Availability.IN_STOCK, "09521234567899",
    )  # fmt: skip


def test_the_variants_of_a_configurable_product_are_offers_of_one_group() -> None:
    small, medium = normalized(read()[1:3])
    assert (small.external_id, small.title, small.price) == (
        "PT-200-S-RED", "Trail Jacket Red S", Money(Decimal("119.00"), "EUR"),
    )  # fmt: skip
    assert (medium.external_id, medium.availability) == ("PT-200-M-RED", Availability.OUT_OF_STOCK)
    assert small.item_group_id == medium.item_group_id == "PT-200"
    assert small.url == medium.url == "https://shop.example/trail-jacket.html"


def test_a_bundle_is_from_its_lowest_price_and_a_group_sells_nothing_itself() -> None:
    bundle, group, nameless = read()[3:]
    assert normalized([bundle])[0].price_kind == PriceKind.FROM
    assert isinstance(group, InvalidOffer)
    assert isinstance(nameless, InvalidOffer)
    assert (group.reason, nameless.reason) == ("grouped_product", "no_id")


def test_an_error_of_the_api_ends_the_walk_with_its_words() -> None:
    answer = {"errors": [{"message": 'Field "products" argument is missing'}]}
    with pytest.raises(UnreadableAnswer, match="argument is missing"):
        list(magento.MagentoSource().fetch_offers(store("magento"), Shop(lambda request: answer).fetcher()))


def test_a_catalogue_deeper_than_the_search_pages_is_read_in_bands_of_price() -> None:
    def answer(request: httpx.Request) -> Any:
        asked = posted(request)
        if "storeConfig" in asked["query"]:
            return saved("magento/settings.json")
        band = asked["variables"]["filter"]["price"]
        low, high = Decimal(band["from"]), Decimal(band.get("to", "1000000"))
        prices = [Decimal(1), Decimal(7), Decimal(3000)]
        if "total_count" in asked["query"]:
            inside = sum(low <= price <= high for price in prices)
            return {"data": {"products": {"total_count": inside * 6000}}}
        items = [
            {
                "sku": f"A{price}",
                "name": "A",
                "price_range": {"minimum_price": {"final_price": {"value": int(price)}}},
            }
            for price in prices
            if low <= price <= high
        ]
        return {"data": {"products": {"items": items, "page_info": {"total_pages": 1}}}}

    offers, error = drained(magento.MagentoSource().fetch_offers(store("magento"), Shop(answer).fetcher()))
    assert error is None
    assert sorted(offer.external_id for offer in offers) == ["A1", "A3000", "A7"]


def test_the_store_view_is_asked_for_by_its_header() -> None:
    asked = shop()
    list(magento.MagentoSource().fetch_offers(store("magento", store_view="de"), asked.fetcher()))
    assert {request.headers["store"] for request in asked.requests} == {"de"}


def test_a_variant_is_checked_with_the_product_it_belongs_to() -> None:
    asked = shop()
    lines = [line("PT-200-S-RED", listed_sku="PT-200"), line("PT-999")]
    found = magento.check_offers(store("magento"), lines, asked.fetcher())
    assert posted(asked.requests[0])["variables"]["filter"] == {"sku": {"in": ["PT-200", "PT-999"]}}
    assert [(state.external_id, state.price, state.problem) for state in found] == [
        ("PT-200-S-RED", Money(Decimal("119.00"), "EUR"), None),
        ("PT-999", None, "is no longer listed"),
    ]


def test_it_is_recognised_by_its_marks_and_its_own_catalogue_only() -> None:
    home = page(
        "/", '<script type="text/x-magento-init">{}</script><link href="/static/version17/frontend/x.css">'
    )

    answers = {"POST /graphql": page("/graphql", json.dumps(saved("magento/settings.json")))}
    found = magento.detect(Site(home, answers))
    assert (found.confidence, found.currency, found.name) == (0.97, "EUR", "Pfad & Tal")
    assert magento.detect(Site(home)).confidence < 0.6
    elsewhere = Site(page("/", "<h1>Moving from Magento to us</h1>"), answers)
    assert (magento.detect(elsewhere).confidence, elsewhere.asked) == (0, [])


def test_a_closed_catalogue_says_so() -> None:
    closed = by_path({"/graphql": httpx.Response(403, text="no")})
    with pytest.raises(FetchRefused):
        list(magento.MagentoSource().fetch_offers(store("magento"), closed.fetcher()))
