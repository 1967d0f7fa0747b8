"""Prices in every notation, and the currencies they name."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.normalization.currencies import country_currency, read_currency
from aggregator.domain.normalization.prices import (
    PriceWords,
    UnreadablePrice,
    read_price,
    read_price_words,
)


@pytest.mark.parametrize(
    ("text", "declared", "amount"),
    [
        ("1.299", "JPY", "1299"),
        ("129.900", "COP", "129900.00"),
        ("1.299", "HUF", "1299.00"),
        ("1.299", "KWD", "1.299"),
        ("KD 1.299", None, "1.299"),
        ("1.299 €", None, "1299.00"),
        ("1,299", "EUR", "1299.00"),
        ("12,-", "EUR", "12.00"),
        ("12.— CHF", None, "12.00"),
        ("kr 1\u202f299:-", "SEK", "1299.00"),
        ("1'234.56 CHF", None, "1234.56"),
        ("₹1,23,456.78", None, "123456.78"),
        ("99¢", "USD", "0.99"),
        ("3,00 € (1,99 €/kg)", None, "3.00"),
        ("€3.00 (€1.99 per 100 g)", None, "3.00"),
        ("40.00/each", "USD", "40.00"),
    ],
)
def test_reads_the_notations_of_the_world(text: str, declared: str | None, amount: str) -> None:
    assert read_price(text, declared)[0].plain() == amount


@pytest.mark.parametrize(
    ("text", "declared", "reason"),
    [
        ("1.299", "EUR", "ambiguous_price"),
        ("£1.99/kg", "GBP", "unit_price"),
        ("4.99 € / 500 ml", None, "unit_price"),
        ("$10 - $20", "USD", "price_range"),
        ("kr 100", None, "no_currency"),
        ("$5", None, "no_currency"),
        ("5 €", "USD", "contradicting_currencies"),
        ("call us", "USD", "unreadable_price"),
    ],
)
def test_refuses_what_may_be_another_price(text: str, declared: str | None, reason: str) -> None:
    with pytest.raises(UnreadablePrice) as caught:
        read_price(text, declared)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "country", "currency"),
    [
        ("US$", None, "USD"),
        ("eur", None, "EUR"),
        ("zł", None, "PLN"),
        ("руб.", None, "RUB"),
        ("грн", None, "UAH"),
        ("ر.س.\u200f", None, "SAR"),
        ("$", None, None),
        ("$", "CA", "CAD"),
        ("$", "DE", None),
        ("kr", "SE", "SEK"),
        ("kr.", "DK", "DKK"),
        ("¥", "CN", "CNY"),
        ("Rs", "PK", "PKR"),
        ("doubloons", None, None),
        (None, "US", None),
    ],
)
def test_a_shared_symbol_needs_its_country(
    text: str | None, country: str | None, currency: str | None
) -> None:
    assert read_currency(text, country) == currency


def test_the_country_tells_todays_legal_tender() -> None:
    found = [country_currency(country) for country in ("de", "HR", "US", "CH", "XX", None)]
    assert found == ["EUR", "EUR", "USD", "CHF", None, None]


def test_a_currency_may_stand_beside_the_amount() -> None:
    assert read_price_words("5 799,00", "Pris NOK 1 999,00") == PriceWords(Decimal("5799.00"), "NOK", "NOK")
    assert read_price_words("$ 22.00", None, country="AU") == PriceWords(Decimal("22.00"), "$", "AUD")
    assert read_price_words(None, "Kč") == PriceWords(None, "Kč", "CZK")


@given(st.text(max_size=300), st.sampled_from([None, "EUR", "KWD", "JPY", "nonsense"]))
def test_any_text_is_a_positive_price_or_refused(text: str, declared: str | None) -> None:
    with suppress(UnreadablePrice):
        assert read_price(text, declared)[0].amount > 0
