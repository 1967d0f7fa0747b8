"""Prices as stores write them.

Measured on 322 price texts of real shops, price-parser alone read amount and symbol right in all of them, so both
stay its own. Here is what it leaves open: ranges, "from", per-unit prices, "12,-", three-decimal currencies, and
which currency a symbol stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from babel.numbers import get_currency_precision
from price_parser import Price

from aggregator.domain.money import CURRENCIES, Money, currency_exponent
from aggregator.domain.normalization.currencies import read_currency

_LONGEST = 200
_PLAIN = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")
_THREE_DECIMALS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_RANGE = re.compile(r"\d\s*(?:-|–|—|bis|to)\s*\D{0,4}\d", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"\d[eE][+-]?\d")
_FROM = re.compile(
    r"^\W*(?:from|starting (?:at|from)|as low as|ab|desde|a partir de|à partir de|dès|vanaf|od|už od|već od|już od|"
    r"da|a partire da|fra|från|alkaen|от|від|από)\b",
    re.IGNORECASE,
)
_NO_FRACTION = re.compile(r"(\d)\s*[,.:]\s*(?:-|–|—)+(?!\d)")
_CENTS = re.compile(r"(\d{1,2})\s*¢")
_MEASURE = r"(?:\d+\s*)?(?:kg|g|l|ml|cl|m|m²|m2|lb|oz|gal|кг|л|liter|litre|kilo)\b\.?"
_UNIT_PRICE = re.compile(
    r"[(\[]?\s*[^\d\s()\[\]]{0,4}\s?\d[\d.,' ]{0,14}\s?[^\d\s/()]{0,4}\s*(?:/|\bper\b|\bpro\b|\bje\b|\bza\b|\bpar\b)\s*"
    + _MEASURE
    + r"\s*[)\]]?",
    re.IGNORECASE,
)
_WHOLE_IN_PRACTICE = frozenset("AMD CDF COP CRC HUF IDR KHR MNT MWK TWD TZS UZS".split())
HIGHEST = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class UnreadablePrice(Exception):
    """Why a price was not read: a short reason in snake_case, and the text."""

    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class PriceWords:
    """A text taken apart: the amount, the currency as written there, and the ISO code if that is certain."""

    amount: Decimal | None
    symbol: str | None
    currency: str | None


def read_price_words(text: str | None, hint: str | None = None, *, country: str | None = None) -> PriceWords:
    """The first amount of a text and its currency; `hint` is text near it where the currency may stand.

    Whatever else the text says is not judged here: see read_price.
    """
    words = " ".join(text.split())[:_LONGEST] if text else None
    nearby = " ".join(hint.split())[:_LONGEST] if hint else None
    if words is not None and "¢" in words and (cents := _CENTS.fullmatch(words)):
        return PriceWords(Decimal(cents[1]) / 100, "¢", None)
    try:
        parsed = Price.fromstring(None if words is None else _NO_FRACTION.sub(r"\1", words), nearby)
    except (ValueError, ArithmeticError):
        return PriceWords(None, None, None)
    amount, symbol = parsed.amount, parsed.currency
    currency = _named(words, symbol) or _named(nearby, symbol) or read_currency(symbol, country)
    number = (parsed.amount_text or "").strip()
    if (
        amount is not None
        and currency is not None
        and currency_exponent(currency) == 3
        and not _is_whole_in_practice(currency)
        and _THREE_DECIMALS.fullmatch(number)
    ):
        amount = Decimal(number.replace(",", "."))
    return PriceWords(amount, symbol, currency)


def _named(text: str | None, symbol: str | None) -> str | None:
    """The ISO code in the text, where it is what names the currency."""
    if text is None:
        return None
    if symbol is not None and re.fullmatch(r"[A-Za-z]{3}", symbol):
        return read_currency(symbol)
    codes = {code for code in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text) if code in CURRENCIES}
    return codes.pop() if len(codes) == 1 else None


def read_amount(value: Decimal | str) -> tuple[Decimal, str | None, bool]:
    """(amount, currency named in the text or None, whether it is a "from" price). Raises UnreadablePrice."""
    if isinstance(value, Decimal):
        return value, None, False
    text = " ".join(value.split())[:_LONGEST]
    if _PLAIN.fullmatch(text):
        return Decimal(text), None, False
    if _SCIENTIFIC.search(text):
        raise UnreadablePrice("unreadable_price", text)
    text = _without_unit_price(text)
    if _RANGE.search(text):
        raise UnreadablePrice("price_range", text)
    read = read_price_words(text)
    if read.amount is None:
        raise UnreadablePrice("unreadable_price", text)
    amount = -read.amount if re.match(r"\W*-\s*\d", text) else read.amount
    return amount, read.currency, bool(_FROM.match(text))


def _without_unit_price(text: str) -> str:
    """The text less its price per kilogram or litre; raises UnreadablePrice where it has no other."""
    if not re.search(r"/|\b(?:per|pro|je|za|par)\b", text):
        return text
    rest = _UNIT_PRICE.sub(" ", text)
    if rest != text and not re.search(r"\d", rest):
        raise UnreadablePrice("unit_price", text)
    return rest


def read_price(value: Decimal | str | None, currency: str | None) -> tuple[Money, bool]:
    """(the price in its currency's decimals, whether it is a "from" price). Raises UnreadablePrice.

    `currency` is what the source or the store declares; a currency named in the text contradicting it
    makes the price unreadable rather than guessed, and so does a bare "1.299" in a currency of cents, which
    may be a thousand or a little more than one.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise UnreadablePrice("no_price", "")
    try:
        amount, named, is_from = read_amount(value)
    except InvalidOperation as error:
        raise UnreadablePrice("unreadable_price", str(value)[:100]) from error
    declared = currency.strip().upper() if currency else None
    if declared and named and declared != named:
        raise UnreadablePrice("contradicting_currencies", f"{value} in {declared}")
    code = declared or named
    if code is None:
        raise UnreadablePrice("no_currency", str(value)[:100])
    if code not in CURRENCIES:
        raise UnreadablePrice("unknown_currency", code[:20])
    if isinstance(value, str) and _THREE_DECIMALS.fullmatch(value.strip()):
        amount = _thousands_or_decimals(value.strip(), code)
    if not amount.is_finite() or not 0 < amount <= HIGHEST:
        raise UnreadablePrice("no_price" if amount == 0 else "impossible_price", str(value)[:100])
    money = Money(amount, code).rounded()
    if not money.amount:
        raise UnreadablePrice("no_price", str(value)[:100])
    return money, is_from


def _is_whole_in_practice(currency: str) -> bool:
    """Whether prices are written without a fraction, whatever ISO 4217 says of its subunits (CLDR, and usage)."""
    return currency in _WHOLE_IN_PRACTICE or get_currency_precision(currency) == 0


def _thousands_or_decimals(text: str, currency: str) -> Decimal:
    if _is_whole_in_practice(currency) or ("," in text and currency_exponent(currency) != 3):
        return Decimal(text.replace(",", "").replace(".", ""))
    if currency_exponent(currency) == 3:
        return Decimal(text.replace(",", "."))
    raise UnreadablePrice("ambiguous_price", text)
