"""What schema.org markup says of delivery: `shippingDetails` of an offer, and the weight of a product."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from spiders.pages.items import Item, ItemGraph, local_name
from spiders.untrusted import decimal

MOST_DETAILS = 60
# UN/CEFACT codes of mass and words for them, as kilograms.
_KILOGRAMS = {
    "kgm": "1", "kg": "1", "grm": "0.001", "g": "0.001", "mgm": "0.000001", "lbr": "0.45359237", "lb": "0.45359237",
    "lbs": "0.45359237", "onz": "0.028349523", "oz": "0.028349523",
}  # fmt: skip
_HOURS_OF = {"": 24, "day": 24, "d": 24, "days": 24, "hur": 1, "h": 1, "wee": 120, "wk": 120}
_WEIGHT = re.compile(r"\s*(\d{1,6}(?:[.,]\d{1,6})?)\s*([a-z]{1,3})\.?\s*", re.IGNORECASE | re.ASCII)


def read_delivery(
    graph: ItemGraph, product: Item, offer: Item | None, currency: str | None
) -> dict[str, Any] | None:
    """Weight, and the cost and days of sending by country, as `DeliveryTerms` reads them; None for nothing said."""
    said: dict[str, Any] = {}
    for item in (offer, product):
        if item is not None and "weight" not in said and (weight := _weight(graph, item)) is not None:
            said["weight"] = str(weight)
    options: list[dict[str, Any]] = []
    for details in graph.items(offer, "shippingdetails")[:MOST_DETAILS] if offer is not None else ():
        options.extend(_options(graph, details, currency))
    if options:
        said["options"] = options[:MOST_DETAILS]
    return said or None


def kilograms(words: str) -> Decimal | None:
    """A weight in words ("1.5 kg", "750 g") in kilograms; None where the unit is no known one."""
    found = _WEIGHT.fullmatch(words)
    factor = _KILOGRAMS.get(found[2].lower()) if found else None
    return None if found is None or factor is None else Decimal(found[1].replace(",", ".")) * Decimal(factor)


def _options(graph: ItemGraph, details: Item, currency: str | None) -> list[dict[str, Any]]:
    refusals = graph.values(details, "doesnotship")
    if any(
        said is True or (isinstance(said, str) and local_name(said).lower() == "true") for said in refusals
    ):
        return []
    option: dict[str, Any] = {}
    for rate in graph.items(details, "shippingrate")[:1]:
        amount = decimal(graph.text(rate, "value"))
        if amount is not None and graph.text(rate, "currency") in (None, currency):
            option["cost"] = str(amount)
    days = _most_days(graph, details)
    if days is not None:
        option["most_days"] = days
    if not option:
        return []
    countries = _countries(graph, details)
    return [{**option, "country": country} for country in countries] if countries else [option]


def _countries(graph: ItemGraph, details: Item) -> list[str]:
    found = []
    for region in graph.items(details, "shippingdestination"):
        for value in graph.values(region, "addresscountry"):
            words = graph.text(value, "name", "identifier") if isinstance(value, Item) else value
            code = local_name(words).strip().upper() if isinstance(words, str) else ""
            if re.fullmatch(r"[A-Z]{2}", code):
                found.append(code)
    return found


def _most_days(graph: ItemGraph, details: Item) -> int | None:
    """Handling and transit together at most; None where the transit is not told."""
    hours = 0
    for time in graph.items(details, "deliverytime")[:1]:
        for name in ("handlingtime", "transittime"):
            told = [_most_hours(graph, span) for span in graph.items(time, name)[:1]]
            if told and told[0] is not None:
                hours += told[0]
            elif told or name == "transittime":
                return None
        return -(-hours // 24)
    return None


def _most_hours(graph: ItemGraph, span: Item) -> int | None:
    unit = local_name(graph.text(span, "unitcode", "unittext") or "").lower()
    most = decimal(graph.text(span, "maxvalue", "value"))
    if most is None or unit not in _HOURS_OF or not 0 <= most <= 8_760:
        return None
    return int(-(-most * _HOURS_OF[unit] // 1))


def _weight(graph: ItemGraph, item: Item) -> Decimal | None:
    for value in graph.values(item, "weight"):
        if isinstance(value, str) and (weight := kilograms(value[:40])) is not None:
            return weight
        if isinstance(value, Item):
            amount = decimal(graph.text(value, "value"))
            unit = local_name(graph.text(value, "unitcode", "unittext") or "").lower()
            if amount is not None and unit in _KILOGRAMS:
                return amount * Decimal(_KILOGRAMS[unit])
    return None
