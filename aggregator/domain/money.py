"""Money: exact amounts with an ISO 4217 currency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

from babel import Locale
from babel.numbers import format_currency, list_currencies

from aggregator.domain.errors import InvalidInput

# ISO 4217 (list one) minor units that are not 2. CLDR's digits, which Babel knows, are how prices are
# *shown* and differ for several currencies, so they cannot stand in for these.
_EXPONENTS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_NOT_MONEY = frozenset(
    "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX XFO XFU XRE CHE CHW COU MXV USN USS".split()
)
# What carts count in, and what prices of all currencies are compared in.
SITE_CURRENCY = "EUR"
CURRENCIES: frozenset[str] = frozenset(list_currencies()) - _NOT_MONEY


@cache
def _locale(name: str) -> Locale:
    return Locale.parse(name)


def currency_exponent(currency: str) -> int:
    """Decimals of a currency per ISO 4217: 2 for EUR, 0 for JPY, 3 for KWD. Raises InvalidInput."""
    if currency not in CURRENCIES:
        raise InvalidInput(f"{currency!r} is not an ISO 4217 currency", remedy="use a code such as EUR")
    return _EXPONENTS.get(currency, 2)


def _by_rule(amount: Decimal, currency: str, locale: str) -> str:
    return str(format_currency(amount, currency, locale=_locale(locale)))


@dataclass(frozen=True, slots=True)
class _Wording:
    """What stands around and between the digits of a currency's amounts in a locale."""

    before: str
    after: str
    between: dict[int, str]
    decimals: int

    def of(self, amount: Decimal) -> str:
        return f"{self.before}{f'{amount:,.{self.decimals}f}'.translate(self.between)}{self.after}"


_LARGEST_SIMPLE = Decimal(10) ** 12
_SAMPLES = tuple(
    map(Decimal, ("0", "0.05", "0.125", "7.5", "999.995", "1234.5", "12345.25", "9876543210.99"))
)


@cache
def _wording(currency: str, locale: str) -> _Wording | None:
    """CLDR's rules, followed once: a page shows a hundred amounts, and Babel takes them up for each anew.

    None where samples come out otherwise: other digits, groups that are not of three.
    """
    symbols = _locale(locale).number_symbols.get("latn", {})
    decimal, group = symbols.get("decimal", "."), symbols.get("group", ",")
    found = re.fullmatch(rf"(\D*)0(?:{re.escape(decimal)}(0+))?(\D*)", _by_rule(Decimal(0), currency, locale))
    if found is None:
        return None
    wording = _Wording(found[1], found[3], {ord(","): group, ord("."): decimal}, len(found[2] or ""))
    is_right = all(wording.of(one) == _by_rule(one, currency, locale) for one in _SAMPLES)
    return wording if is_right else None


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount in major units ("19.99" euros) and its ISO 4217 code."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite():
            raise InvalidInput(f"{self.amount!r} is not an amount of money")
        currency_exponent(self.currency)

    @classmethod
    def from_minor(cls, minor_units: int, currency: str, exponent: int | None = None) -> Money:
        """From whole minor units; `exponent` overrides ISO 4217 where a source declares its own."""
        digits = currency_exponent(currency) if exponent is None else exponent
        return cls(Decimal(minor_units).scaleb(-digits), currency).rounded()

    def rounded(self) -> Money:
        """The amount in the currency's own decimals, half to even."""
        quantum = Decimal(1).scaleb(-currency_exponent(self.currency))
        return Money(self.amount.quantize(quantum, ROUND_HALF_EVEN), self.currency)

    def minor_units(self) -> int:
        """Whole minor units; raises InvalidInput where the amount has a fraction of one."""
        minor = self.amount.scaleb(currency_exponent(self.currency))
        if minor != minor.to_integral_value():
            raise InvalidInput(f"{self.amount} has more decimals than {self.currency} has")
        return int(minor)

    def plain(self) -> str:
        """The amount as the interfaces carry it: "19.99", in the currency's decimals."""
        return format(self.rounded().amount, "f")

    def shown(self, locale: str = "en") -> str:
        """The amount as a person of that locale reads it, with its currency."""
        wording = _wording(self.currency, locale)
        if wording is not None and 0 <= self.amount < _LARGEST_SIMPLE:
            return wording.of(self.amount)
        return _by_rule(self.amount, self.currency, locale)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, quantity: int) -> Money:
        return Money(self.amount * quantity, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise InvalidInput(f"cannot add {other.currency} to {self.currency} without a rate")
        return other.amount
