"""A store's offer rules: what a person said about how its prices are to be taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from aggregator.domain.normalization.currencies import read_currency
from aggregator.domain.offers import RawOffer

DECIMAL_MARKS = (".", ",")
_AMOUNTS = ("price", "list_price", "shipping_cost")
_DIGITS = re.compile(r"\d[\d.,'’\s]*")
# Thousands in threes; in India only the last.
_GROUPED = re.compile(r"\d+|\d{1,3}(?:[^\d]\d{2,3})*[^\d]\d{3}")
_FIELDS = {field.name for field in fields(RawOffer)} - {"raw", "reading"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRules:
    """`currency` is what every price is in, whatever is declared; `decimal_mark` parts off a fraction.

    `ignored` names reasons of refusal that nobody needs to see at this store.
    """

    currency: str | None = None
    decimal_mark: str | None = None
    ignored: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """From the store's row; what no rule knows is left out."""
        currency, mark = kept.get("currency"), kept.get("decimal_mark")
        return cls(
            currency=read_currency(currency) if isinstance(currency, str) else None,
            decimal_mark=mark if mark in DECIMAL_MARKS else None,
            ignored=tuple(str(reason) for reason in kept.get("ignored", ())),
        )

    def apply(self, raw: RawOffer) -> RawOffer:
        """The raw offer as these rules have it read."""
        changes: dict[str, Any] = {}
        if self.currency is not None:
            changes["price_currency"] = self.currency
        if self.decimal_mark is not None:
            for name in ("price", "list_price"):
                changes[name] = _with_decimal_mark(getattr(raw, name), self.decimal_mark)
        return replace(raw, **changes) if changes else raw


NO_RULES = OfferRules()


def _with_decimal_mark(value: Decimal | str | None, mark: str) -> Decimal | str | None:
    if not isinstance(value, str):
        return value
    numbers = _DIGITS.findall(value)
    if len(numbers) != 1:
        return value
    number = numbers[0].strip(" .,")
    whole, _, fraction = number.rpartition(mark) if mark in number else (number, "", "")
    if not _GROUPED.fullmatch(whole) or (mark in number and not fraction.isdecimal()):
        return value
    digits = re.sub(r"\D", "", whole)
    # A trailing zero keeps three digits of a fraction from being taken for thousands.
    amount = f"{digits}.{fraction}{'0' if len(fraction) == 3 else ''}" if fraction else digits
    return value.replace(number, amount)


def raw_offer_to_json(raw: RawOffer) -> dict[str, Any]:
    """What is kept of a raw offer, so that it can be read again; Decimals stay told apart from text."""
    kept = {
        name: value for name, value in asdict(raw).items() if name in _FIELDS and value not in (None, "", {})
    }
    return {
        name: {"decimal": str(value)} if isinstance(value, Decimal) else value for name, value in kept.items()
    }


def raw_offer_from_json(kept: Mapping[str, Any]) -> RawOffer | None:
    """The raw offer again; None where too little of it was kept."""
    values = {name: value for name, value in kept.items() if name in _FIELDS}
    if not {"external_id", "url", "title"} <= values.keys():
        return None
    for name in _AMOUNTS:
        if isinstance(values.get(name), Mapping):
            try:
                values[name] = Decimal(str(values[name].get("decimal")))
            except InvalidOperation:
                return None
    return RawOffer(**values)
