"""What an offer itself says of its delivery: weight, deposit, and what sending costs and takes by country."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_OPTIONS = 60
_MOST_DAYS = 365
_MOST_AMOUNT = Decimal(100_000)
_SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOption:
    """One way to send it; amounts are in the offer's currency, `most_days` are working days from the order on.

    `country` None is the store's own country. `free_from` is the order's subtotal from which it costs nothing.
    """

    country: str | None = None
    cost: Decimal | None = None
    free_from: Decimal | None = None
    most_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTerms:
    """What one offer says of its delivery: `weight` in kilograms, `deposit` for each that is bought."""

    weight: Decimal | None = None
    deposit: Decimal | None = None
    options: tuple[DeliveryOption, ...] = ()

    def to_country(self, country: str | None, home: str | None) -> tuple[DeliveryOption, ...]:
        """The ways to that country; those for the store's own country where that is it, or none is known."""
        if not self.options:
            return ()
        is_home = country is None or home is None or country == home
        return tuple(
            option for option in self.options if option.country == country or (is_home and not option.country)
        )

    def to_json(self) -> dict[str, Any] | None:
        """What is said, amounts as strings; None where nothing is."""
        said: dict[str, Any] = {}
        if self.weight is not None:
            said["weight"] = str(self.weight)
        if self.deposit is not None:
            said["deposit"] = str(self.deposit)
        if self.options:
            said["options"] = [_option_json(option) for option in self.options]
        return said or None

    @classmethod
    def read(cls, document: object) -> DeliveryTerms:
        """From the form of `to_json`, however damaged: what cannot be read is left out, since it is a store's word."""
        if not isinstance(document, Mapping):
            return cls()
        listed = document.get("options")
        options = [_read_option(each) for each in listed] if isinstance(listed, list) else []
        distinct = dict.fromkeys(option for option in options if option is not None)
        weight = _amount(document.get("weight"))
        deposit = _amount(document.get("deposit"))
        return cls(
            weight=weight if weight else None,
            deposit=deposit if deposit else None,
            options=tuple(distinct)[:MOST_OPTIONS],
        )


def latest_arrival(ordered: date, working_days: int) -> date:
    """The day by which so many working days (Monday to Friday; holidays are not known) have passed."""
    day = ordered
    for _ in range(working_days):
        day += timedelta(days=1)
        while day.weekday() >= _SATURDAY:
            day += timedelta(days=1)
    return day


def _option_json(option: DeliveryOption) -> dict[str, Any]:
    fields = {
        "country": option.country,
        "cost": None if option.cost is None else str(option.cost),
        "free_from": None if option.free_from is None else str(option.free_from),
        "most_days": option.most_days,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _read_option(document: object) -> DeliveryOption | None:
    if not isinstance(document, Mapping):
        return None
    country = document.get("country")
    if country is not None and not (isinstance(country, str) and re.fullmatch(r"[A-Z]{2}", country)):
        return None
    days = document.get("most_days")
    is_days = isinstance(days, int) and not isinstance(days, bool) and 0 <= days <= _MOST_DAYS
    option = DeliveryOption(
        country=country,
        cost=_amount(document.get("cost")),
        free_from=_amount(document.get("free_from")),
        most_days=days if is_days else None,
    )
    return None if option.cost is None and option.most_days is None else option


def _amount(given: object) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        return None
    try:
        amount = Decimal(given)
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount < _MOST_AMOUNT:
        return None
    return abs(amount.quantize(Decimal("0.0001"))).normalize() + 0
