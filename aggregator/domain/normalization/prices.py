"""Prices as stores write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from price_parser import Price

from aggregator.domain.money import CURRENCIES, Money

# Only symbols that mean one currency everywhere; "$", "kr" and "¥" need the store's country.
_SYMBOLS = {"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₪": "ILS", "zł": "PLN"}
_PLAIN = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")
_RANGE = re.compile(r"\d\s*(?:-|–|—|bis|to)\s*\D{0,4}\d", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"\d[eE][+-]?\d")
_FROM = re.compile(r"^\W*(?:from|ab|desde|à partir de|vanaf|od|da)\b", re.IGNORECASE)
HIGHEST = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class UnreadablePrice(Exception):
    """Why a price was not read: a short reason in snake_case, and the text."""

    reason: str
    text: str


def read_amount(value: Decimal | str) -> tuple[Decimal, str | None, bool]:
    """(amount, currency named in the text or None, whether it is a "from" price). Raises UnreadablePrice."""
    if isinstance(value, Decimal):
        return value, None, False
    text = " ".join(value.split())[:100]
    if _PLAIN.fullmatch(text):
        return Decimal(text), None, False
    if _SCIENTIFIC.search(text):
        raise UnreadablePrice("unreadable_price", text)
    if _RANGE.search(text):
        raise UnreadablePrice("price_range", text)
    parsed = Price.fromstring(text)
    if parsed.amount is None:
        raise UnreadablePrice("unreadable_price", text)
    amount = -parsed.amount if re.match(r"\W*-\s*\d", text) else parsed.amount
    return amount, _currency_in(text, parsed.currency), bool(_FROM.match(text))


def _currency_in(text: str, symbol: str | None) -> str | None:
    for code in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text):
        if code in CURRENCIES:
            return str(code)
    return _SYMBOLS.get(symbol or "")


def read_price(value: Decimal | str | None, currency: str | None) -> tuple[Money, bool]:
    """(the price in its currency's decimals, whether it is a "from" price). Raises UnreadablePrice.

    `currency` is what the source or the store declares; a currency named in the text contradicting it
    makes the price unreadable rather than guessed.
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
    if not amount.is_finite() or not 0 < amount <= HIGHEST:
        raise UnreadablePrice("no_price" if amount == 0 else "impossible_price", str(value)[:100])
    money = Money(amount, code).rounded()
    if not money.amount:
        raise UnreadablePrice("no_price", str(value)[:100])
    return money, is_from
