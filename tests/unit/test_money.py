"""Exact amounts in their currency's own decimals."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import format_currency

from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import Money, currency_exponent


@pytest.mark.parametrize(
    ("currency", "exponent"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("ISK", 0), ("HUF", 2)]
)
def test_decimals_are_those_of_iso_4217(currency: str, exponent: int) -> None:
    assert currency_exponent(currency) == exponent


@pytest.mark.parametrize("code", ["EURO", "eur", "XXX", "XAU", "", "€"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(InvalidInput, match="ISO 4217"):
        currency_exponent(code)


def test_minor_units_go_both_ways() -> None:
    assert Money.from_minor(1105, "EUR") == Money(Decimal("11.05"), "EUR")
    assert Money.from_minor(890000, "KRW", exponent=2) == Money(Decimal("8900"), "KRW")
    assert Money(Decimal("1.234"), "KWD").minor_units() == 1234
    with pytest.raises(InvalidInput, match="more decimals"):
        Money(Decimal("1.234"), "EUR").minor_units()


def test_amounts_are_shown_by_locale_and_carried_plainly() -> None:
    price = Money(Decimal("1299.5"), "EUR")
    assert price.plain() == "1299.50"
    assert price.shown("de") == "1.299,50\xa0€"
    assert price.shown("en") == "€1,299.50"
    assert Money(Decimal("1.5"), "KWD").plain() == "1.500"


def test_currencies_are_never_mixed() -> None:
    with pytest.raises(InvalidInput, match="without a rate"):
        Money(Decimal(1), "EUR") + Money(Decimal(1), "USD")


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity"), 1.5])
def test_an_amount_is_a_finite_decimal(amount: Decimal) -> None:
    with pytest.raises(InvalidInput):
        Money(amount, "EUR")


@pytest.mark.parametrize("locale", ["en", "en_IN", "de", "de_CH", "fr", "es", "pl", "hi", "ar", "fa", "ja"])
@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD", "CHF", "INR"])
def test_amounts_are_shown_as_cldr_has_it(locale: str, currency: str) -> None:
    for text in (
        "0",
        "0.005",
        "1",
        "9.99",
        "999.995",
        "1000",
        "1234.5",
        "10000",
        "123456789.129",
        "-5",
        "1e15",
    ):
        amount = Decimal(text)
        assert Money(amount, currency).shown(locale) == format_currency(amount, currency, locale=locale)
