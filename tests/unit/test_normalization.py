"""From what a store says to what the catalogue holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.money import Money
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.normalization.measures import read_pack_size
from aggregator.domain.normalization.names import clean_brand, clean_text, clean_url, fold
from aggregator.domain.normalization.prices import UnreadablePrice, read_price
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from aggregator.domain.vocabulary import (
    Availability,
    ItemCondition,
    PriceKind,
    read_availability,
    read_condition,
)


def raw(**changes: Any) -> RawOffer:
    values: dict[str, Any] = {
        "external_id": "1",
        "url": "https://shop.example/1",
        "title": "Kettle",
        "price": "19.99",
        "price_currency": "EUR",
    }
    return RawOffer(**{**values, **changes})


def read(**changes: Any) -> Offer:
    offer = normalize_offer(raw(**changes))
    assert isinstance(offer, Offer)
    return offer


def reason(**changes: Any) -> str:
    offer = normalize_offer(raw(**changes))
    assert isinstance(offer, InvalidOffer)
    return offer.reason


@pytest.mark.parametrize(
    ("text", "declared", "amount", "currency"),
    [
        ("19.99", "EUR", "19.99", "EUR"),
        ("1.299,00 €", None, "1299.00", "EUR"),
        ("15.00 EUR", None, "15.00", "EUR"),
        ("EUR 15.00", "EUR", "15.00", "EUR"),
        ("£1,099", None, "1099.00", "GBP"),
        ("12.50", "JPY", "12", "JPY"),
        ("$5", "CAD", "5.00", "CAD"),
        (Decimal("8.9995"), "KWD", "9.000", "KWD"),
        (Decimal("19.99"), " eur ", "19.99", "EUR"),
    ],
)
def test_prices_are_read_in_any_common_form(
    text: Any, declared: str | None, amount: str, currency: str
) -> None:
    assert read_price(text, declared)[0] == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("text", "declared", "why"),
    [
        ("$12", None, "no_currency"),
        ("10 - 20 EUR", None, "price_range"),
        ("10 EUR", "USD", "contradicting_currencies"),
        ("12", "QQQ", "unknown_currency"),
        ("call us", "EUR", "unreadable_price"),
        ("1e400", "EUR", "unreadable_price"),
        ("-3", "EUR", "impossible_price"),
        (Decimal("NaN"), "EUR", "impossible_price"),
        (Decimal("0.001"), "EUR", "no_price"),
        ("0.00", "EUR", "no_price"),
        ("", "EUR", "no_price"),
        (None, "EUR", "no_price"),
        (Decimal("1e12"), "EUR", "impossible_price"),
    ],
)
def test_a_price_is_never_guessed(text: Any, declared: str | None, why: str) -> None:
    with pytest.raises(UnreadablePrice) as caught:
        read_price(text, declared)
    assert caught.value.reason == why


def test_a_from_price_and_a_sale_price_say_so() -> None:
    assert read(price="ab 5,99 €").price_kind is PriceKind.FROM
    sale = read(list_price="29.99")
    assert (sale.price_kind, sale.list_price) == (PriceKind.SALE, Money(Decimal("29.99"), "EUR"))


def test_a_list_price_that_is_not_higher_is_no_discount() -> None:
    offer = read(list_price="19.99")
    assert (offer.price_kind, offer.list_price) == (PriceKind.REGULAR, None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"title": "  \x00 "}, "no_title"),
        ({"external_id": ""}, "no_id"),
        ({"url": "javascript:alert(1)"}, "bad_url"),
        ({"url": "//shop.example/1"}, "bad_url"),
        ({"url": "https://user:secret@shop.example/"}, "bad_url"),
        ({"url": "https://shop.example/" + "x" * 3000}, "bad_url"),
        ({"price": 12.5}, "malformed"),
        ({"price": ["12"]}, "malformed"),
        ({"variant_attributes": "red"}, "malformed"),
    ],
)
def test_an_offer_that_cannot_be_trusted_is_kept_aside_with_its_reason(
    changes: dict[str, Any], why: str
) -> None:
    assert reason(**changes) == why


@pytest.mark.parametrize(
    "changes",
    [
        {"gtin": "4006381333932"},
        {"image_url": "data:image/png;base64,xx"},
        {"availability": "perhaps"},
        {"item_condition": "shiny"},
        {"brand": "N/A"},
        {"stock_level": -1},
        {"shipping_cost": Decimal("NaN")},
    ],
)
def test_a_wrong_detail_does_not_cost_the_shopper_the_offer(changes: dict[str, Any]) -> None:
    offer = read(**changes)
    field = next(iter(changes))
    assert getattr(offer, field) in {None, ItemCondition.NEW}


@pytest.mark.parametrize(
    ("text", "availability"),
    [
        ("https://schema.org/InStock", Availability.IN_STOCK),
        ("http://schema.org/OutOfStock", Availability.OUT_OF_STOCK),
        ("in stock", Availability.IN_STOCK),
        ("in_stock", Availability.IN_STOCK),
        ("out of stock", Availability.OUT_OF_STOCK),
        ("preorder", Availability.PRE_ORDER),
        ("backorder", Availability.BACK_ORDER),
        (True, Availability.IN_STOCK),
        (False, Availability.OUT_OF_STOCK),
        ("maybe", None),
        (None, None),
    ],
)
def test_availability_is_read_in_schema_orgs_terms(
    text: str | bool | None, availability: Availability | None
) -> None:
    assert read_availability(text) is availability


def test_condition_is_read_in_schema_orgs_terms() -> None:
    assert read_condition("http://schema.org/UsedCondition") is ItemCondition.USED
    assert read_condition("refurbished") is ItemCondition.REFURBISHED


@pytest.mark.parametrize(
    ("title", "pieces"),
    [
        ("Batteries AA pack of 12", 12),
        ("Socks 6-Pack", 6),
        ("Wasser 6er-Pack", 6),
        ("Backpack 20 litres", 1),
        ("Packard Bell 12", 1),
        ("Kettle", 1),
    ],
)
def test_pack_sizes_are_read_from_titles(title: str, pieces: int) -> None:
    assert read_pack_size(title) == pieces


def test_text_is_one_safe_line() -> None:
    assert clean_text("a\x00b\n\tc  \u202ed\ud800") == "ab c d"
    assert clean_brand("  Unbranded ") is None
    assert fold("Größe ÉTÉ Straße") == "grosse ete strasse"


def test_addresses_lose_their_fragment_only() -> None:
    assert clean_url("https://shop.example/a?b=c#d") == "https://shop.example/a?b=c"
    assert clean_url("https://[bad/") is None
    assert (
        clean_url("https://shop.example/k?colour=Größe XL")
        == "https://shop.example/k?colour=Gr%C3%B6%C3%9Fe%20XL"
    )


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(RawOffer.__dataclass_fields__, _anything)))
def test_no_junk_of_any_type_makes_normalization_fail(junk: dict[str, Any]) -> None:
    assert isinstance(normalize_offer(raw(**junk)), Offer | InvalidOffer)
