"""What offers say of their delivery, read from feeds and markup, and kept through normalization."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from scrapy.http import HtmlResponse

from aggregator.domain.delivery import DeliveryOption, DeliveryTerms, latest_arrival
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import Offer, RawOffer
from aggregator.domain.taxes import standard_vat_factor
from spiders.adapters.merchant_feed import listed_item
from spiders.pages import select_page
from spiders.pages.schema_org_delivery import kilograms

ROW = {"id": "1", "title": "Crate of lemonade", "link": "/p/1", "price": "12.00 EUR"}


def of_feed(**more: object) -> RawOffer:
    return listed_item({**ROW, **more}, "https://shop.example/feed.xml", country="DE")


def terms(raw: RawOffer) -> DeliveryTerms:
    offer = normalize_offer(replace(raw, price_currency="EUR"))
    assert isinstance(offer, Offer)
    return DeliveryTerms.read(offer.delivery)


def test_a_feed_tells_cost_and_days_by_country() -> None:
    groups = [
        {"country": "DE", "price": "4.90 EUR", "max_handling_time": "1", "max_transit_time": "3"},
        {"country": "AT", "price": "9.90 EUR"},
        {"country": "DE", "region": "Helgoland", "price": "29.90 EUR"},
        {"country": "Switzerland", "price": "0 EUR"},
        {"country": "CH", "price": "5.00 CHF"},
    ]
    read = terms(
        of_feed(shipping=groups, free_shipping_threshold={"country": "DE", "price_threshold": "50 EUR"})
    )
    assert read.options == (
        DeliveryOption(country="DE", cost=Decimal("4.9"), free_from=Decimal(50), most_days=4),
        DeliveryOption(country="AT", cost=Decimal("9.9")),
    )


def test_a_text_feed_tells_the_price_before_its_times() -> None:
    raw = of_feed(shipping="DE::Standard:4.90 EUR:0:1:1:2,DE::Express:14.90 EUR:0:0:1:1")
    assert [(each.cost, each.most_days) for each in terms(raw).options] == [
        (Decimal("4.9"), 3),
        (Decimal("14.9"), 1),
    ]


def test_one_price_for_the_stores_country_is_its_shipping_cost() -> None:
    assert of_feed(shipping="DE::Standard:4.90 EUR:0:1:1:2").shipping_cost == Decimal("4.90")
    assert of_feed(shipping="DE:::4.90 EUR,DE:::9.90 EUR").shipping_cost is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("1.5 kg", "1.5"),
        ("750g", "0.75"),
        ("2 lb", "0.90718474"),
        ("heavy", None),
        ("1 stone", None),
        ("", None),
    ],
)
def test_reads_a_weight_in_kilograms(words: str, expected: str | None) -> None:
    assert kilograms(words) == (None if expected is None else Decimal(expected))


def test_a_feed_tells_weight_and_deposit() -> None:
    read = terms(of_feed(shipping_weight="10.2 kg", pfand="3.42 EUR"))
    assert (read.weight, read.deposit) == (Decimal("10.2"), Decimal("3.42"))


def test_nothing_said_is_nothing_kept() -> None:
    offer = normalize_offer(of_feed())
    assert isinstance(offer, Offer)
    assert offer.delivery is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        "free",
        {"options": "free"},
        {"options": [None, 1, {"country": "Germany", "cost": "1"}, {"cost": "-1"}, {"cost": "NaN"}]},
        {"weight": "Infinity", "deposit": "-3", "options": [{"country": "DE"}]},
        {"options": [{"cost": True, "most_days": True}]},
        {"options": [{"cost": "1e99"}, {"most_days": 10**9}]},
    ],
)
def test_what_a_store_says_in_no_form_is_left_out(document: object) -> None:
    assert DeliveryTerms.read(document) == DeliveryTerms()


def test_terms_are_written_and_read_again() -> None:
    option = DeliveryOption(country="DE", cost=Decimal("4.90"), free_from=Decimal(50), most_days=3)
    given = DeliveryTerms(weight=Decimal("1.25"), deposit=Decimal("0.25"), options=(option,))
    assert DeliveryTerms.read(given.to_json()) == given
    assert DeliveryTerms().to_json() is None


def test_ways_for_no_country_are_for_the_stores_own() -> None:
    home, austria = DeliveryOption(cost=Decimal(4)), DeliveryOption(country="AT", cost=Decimal(9))
    said = DeliveryTerms(options=(home, austria))
    assert said.to_country("DE", "DE") == (home,)
    assert said.to_country("AT", "DE") == (austria,)
    assert said.to_country("CH", "DE") == ()
    assert said.to_country("DE", None) == (home,)


PAGE = """<script type="application/ld+json">{"@context":"https://schema.org","@type":"Product","name":"Kettle",
"weight":{"@type":"QuantitativeValue","value":"1250","unitCode":"GRM"},"offers":{"@type":"Offer","price":"20.00",
"priceCurrency":"EUR","shippingDetails":[%s]}}</script>"""
GERMANY = """{"@type":"OfferShippingDetails","shippingRate":{"@type":"MonetaryAmount","value":"3.95","currency":"EUR"},
"shippingDestination":[{"@type":"DefinedRegion","addressCountry":["DE","AT"]}],"deliveryTime":{
"@type":"ShippingDeliveryTime","handlingTime":{"@type":"QuantitativeValue","minValue":0,"maxValue":1,"unitCode":"DAY"},
"transitTime":{"@type":"QuantitativeValue","minValue":24,"maxValue":72,"unitCode":"HUR"}}}"""
NOT_THERE = """{"@type":"OfferShippingDetails","doesNotShip":true,"shippingRate":{"value":1,"currency":"EUR"},
"shippingDestination":{"addressCountry":"CH"}}"""


def of_page(details: str) -> DeliveryTerms:
    html = f"<html><body>{PAGE % details}</body></html>"
    page = HtmlResponse("https://shop.example/p/1", body=html.encode(), encoding="utf-8")
    (raw,) = select_page(page).to_raw_offers()
    assert isinstance(raw, RawOffer)
    return terms(raw)


def test_markup_tells_weight_cost_and_days_by_country() -> None:
    read = of_page(f"{GERMANY},{NOT_THERE}")
    assert read.weight == Decimal("1.25")
    assert read.options == (
        DeliveryOption(country="DE", cost=Decimal("3.95"), most_days=4),
        DeliveryOption(country="AT", cost=Decimal("3.95"), most_days=4),
    )


def test_a_transit_that_is_not_told_is_no_time() -> None:
    details = (
        '{"@type":"OfferShippingDetails","deliveryTime":{"handlingTime":{"maxValue":1,"unitCode":"DAY"}}}'
    )
    assert of_page(details).options == ()


@pytest.mark.parametrize(
    ("ordered", "days", "arrives"),
    [
        (date(2026, 11, 20), 1, date(2026, 11, 23)),  # a Friday's parcel comes on Monday
        (date(2026, 11, 20), 0, date(2026, 11, 20)),
        (date(2026, 11, 21), 1, date(2026, 11, 23)),
        (date(2026, 11, 18), 5, date(2026, 11, 25)),
    ],
)
def test_working_days_skip_the_weekend(ordered: date, days: int, arrives: date) -> None:
    assert latest_arrival(ordered, days) == arrives


def test_value_added_tax_is_known_for_europe_alone() -> None:
    assert standard_vat_factor("DE") == Decimal("1.19")
    assert standard_vat_factor("US") is None
    assert standard_vat_factor(None) is None
