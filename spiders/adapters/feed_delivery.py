"""What a row of a product feed says of delivery: ways to send by country, free shipping, weight and deposit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spiders.pages.schema_org_delivery import kilograms
from spiders.untrusted import mapping, text, whole

ReadPrice = Callable[[str | None], tuple[Decimal | str | None, str | None]]
_MOST_GROUPS = 200
_DEPOSITS = ("deposit", "deposit_amount", "pfand", "pfandbetrag")


@dataclass(frozen=True, slots=True)
class ShippingGroup:
    """One `shipping` of a row; `days` are the most of handling and transit together, where both are told."""

    country: str | None
    region: str | None
    price: str | None
    days: int | None


def shipping_groups(value: Any) -> Iterator[ShippingGroup]:
    """The groups of a row's `shipping`: objects, or texts as country:region:service:price:times, by comma."""
    for group in _listed(value):
        if isinstance(group, str):
            parts = ([field.strip() for field in part.split(":")] for part in group.split(",")[:_MOST_GROUPS])
            yield from (_from_text(fields) for fields in parts if len(fields) < 2 or _is_place(fields[0]))
        elif mapping(group).get("price") and _is_place(mapping(group).get("country")):
            named = mapping(group)
            yield ShippingGroup(
                _country(named.get("country")),
                text(named.get("region")) or text(named.get("postal_code")),
                str(named["price"]),
                _days(named.get("max_handling_time"), named.get("max_transit_time")),
            )


def read_delivery(
    row: Mapping[str, Any], currency: str | None, read_price: ReadPrice
) -> dict[str, Any] | None:
    """Weight, deposit and ways to send by country, as `DeliveryTerms` reads them; None for nothing said.

    What holds for a region alone is left out.
    """
    said: dict[str, Any] = {}
    weight = kilograms((text(_first(row.get("shipping_weight"))) or "")[:40])
    if weight is not None:
        said["weight"] = str(weight)
    for name in _DEPOSITS:
        deposit = _amount(text(_first(row.get(name))), currency, read_price)
        if deposit is not None:
            said["deposit"] = str(deposit)
            break
    free_from = {
        _country(group.get("country")): _amount(text(group.get("price_threshold")), currency, read_price)
        for group in map(mapping, _listed(row.get("free_shipping_threshold")))
    }
    options = []
    for group in shipping_groups(row.get("shipping")):
        if group.region:
            continue
        limit = free_from.get(group.country)
        cost = _amount(group.price, currency, read_price)
        told = {
            "country": group.country,
            "cost": None if cost is None else str(cost),
            "free_from": None if limit is None else str(limit),
            "most_days": group.days,
        }
        options.append({name: value for name, value in told.items() if value is not None})
    if options:
        said["options"] = options
    return said or None


def _from_text(fields: list[str]) -> ShippingGroup:
    price = fields[3] if len(fields) > 3 else fields[-1]
    return ShippingGroup(
        _country(fields[0]) if len(fields) > 1 else None,
        fields[1] or None if len(fields) > 2 else None,
        price,
        _days(*(fields[at] if len(fields) > at else None for at in (5, 7))),
    )


def _days(handling: Any, transit: Any) -> int | None:
    told = [whole(text(_first(value))) for value in (handling, transit)]
    return None if told[0] is None or told[1] is None else told[0] + told[1]


def _is_place(value: Any) -> bool:
    """Whether a country is named by its code, or none is: in words it would be taken for the store's own."""
    return not text(_first(value)) or _country(value) is not None


def _country(value: Any) -> str | None:
    code = (text(_first(value)) or "").upper()
    return code if re.fullmatch(r"[A-Z]{2}", code) else None


def _amount(words: str | None, currency: str | None, read_price: ReadPrice) -> Decimal | None:
    amount, named = read_price(words)
    return amount if isinstance(amount, Decimal) and amount >= 0 and named in (None, currency) else None


def _listed(value: Any) -> list[Any]:
    return list(value)[:_MOST_GROUPS] if isinstance(value, list) else [value]


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value
