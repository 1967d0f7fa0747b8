"""The search page's whole state in its address: reading it, and the addresses of its neighbours."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import Money
from aggregator.domain.products import SORTINGS, Facet, SearchQuery, Sorting
from web.categories import category_key
from web.presenters import leaf, money

PATH = "/search"
LONGEST_TEXT = 200
MOST_CHOICES = 30
_FIELDS = {"brand": "brands", "category": "categories", "store": "stores"}


@dataclass(frozen=True, slots=True)
class Chip:
    """One choice that is in force: what it says, and the address without it."""

    label: str
    without: str


def read_query(parameters: MultiDict[str, str]) -> SearchQuery:
    """The query an address asks for. What cannot be read in it (a price in words) is left out."""
    lowest, highest = read_amount(parameters.get("min")), read_amount(parameters.get("max"))
    if lowest is not None and highest is not None and lowest > highest:
        lowest, highest = highest, lowest
    asked = parameters.get("sort", "")
    sorting: Sorting = next((known for known in SORTINGS if known == asked), "relevance")
    return SearchQuery(
        text=_line(parameters.get("q", ""))[:LONGEST_TEXT],
        brands=_choices(parameters, "brand"),
        categories=_choices(parameters, "category"),
        stores=_choices(parameters, "store"),
        min_price=lowest,
        max_price=highest,
        available_only=parameters.get("available") == "1",
        sorting=sorting,
        cursor=parameters.get("cursor") or None,
    )


def read_limit(text: str | None, default: int = 24) -> int:
    """A page's length, 1 to 100; raises InvalidInput."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 100):
        raise InvalidInput(f"{text!r} is not a whole number from 1 to 100", place="limit")
    return int(text)


def address(query: SearchQuery, path: str = PATH, **more: str) -> str:
    """The address of a query, relative to the site; `more` adds parameters."""
    pairs = parameters(query)
    if query.cursor:
        pairs.append(("cursor", query.cursor))
    pairs.extend(more.items())
    return f"{path}?{urlencode(pairs)}" if pairs else path


def parameters(query: SearchQuery, *, without: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The query as (name, value) pairs without its cursor, for addresses and a form's hidden fields."""
    pairs = [("q", query.text)] if query.text else []
    for name, field in _FIELDS.items():
        pairs.extend((name, value) for value in getattr(query, field))
    if query.min_price is not None:
        pairs.append(("min", format(query.min_price, "f")))
    if query.max_price is not None:
        pairs.append(("max", format(query.max_price, "f")))
    if query.available_only:
        pairs.append(("available", "1"))
    if query.sorting != "relevance":
        pairs.append(("sort", query.sorting))
    return [pair for pair in pairs if pair[0] not in without]


def changed(query: SearchQuery, **changes: Any) -> str:
    """The address of the query with other values, from its first page."""
    return address(replace(query, **{"cursor": None, **changes}))


def toggled(query: SearchQuery, facet: str, *values: str) -> str:
    """The address with one choice of a facet put in or taken out; a choice may stand for several values."""
    field = _FIELDS[facet]
    chosen: tuple[str, ...] = getattr(query, field)
    kept = tuple(one for one in chosen if one not in values)
    return changed(query, **{field: kept if len(kept) < len(chosen) else (*chosen, *values)})


def chips(query: SearchQuery, facets: tuple[Facet, ...], currency: str) -> list[Chip]:
    """Every choice in force, in the order of the page."""
    labels: Mapping[tuple[str, str], str] = {
        (facet.name, value.value): value.label for facet in facets for value in facet.values
    }
    found = []
    for name, field in _FIELDS.items():
        alike: dict[Hashable, list[str]] = {}
        for value in getattr(query, field):
            key = category_key(value) if name == "category" else value
            alike.setdefault(key, []).append(value)
        for values in alike.values():
            label = labels.get((name, values[0]), values[0])
            found.append(Chip(leaf(label) if name == "category" else label, toggled(query, name, *values)))
    if query.min_price is not None:
        shown = money(Money(query.min_price, currency))
        found.append(Chip(_("from %(price)s", price=shown), changed(query, min_price=None)))
    if query.max_price is not None:
        shown = money(Money(query.max_price, currency))
        found.append(Chip(_("up to %(price)s", price=shown), changed(query, max_price=None)))
    if query.available_only:
        found.append(Chip(_("can be bought now"), changed(query, available_only=False)))
    return found


def _line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())


def _choices(source: MultiDict[str, str], name: str) -> tuple[str, ...]:
    values = (_line(value)[:LONGEST_TEXT] for value in source.getlist(name)[:MOST_CHOICES])
    return tuple(dict.fromkeys(value for value in values if value))


def read_amount(text: str | None) -> Decimal | None:
    """A price as typed: "12", "12.50" or "12,50"."""
    try:
        amount = Decimal((text or "").strip().replace(",", "."))
    except InvalidOperation:
        return None
    return amount.quantize(Decimal("0.01")) if amount.is_finite() and 0 <= amount < 10**9 else None
