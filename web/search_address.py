"""The search page's whole state in its address: reading it, and the addresses of its neighbours."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from aggregator.domain.errors import InvalidInput
from aggregator.domain.products import SORTINGS, FacetName, SearchQuery, Sorting

PATH = "/search"
LONGEST_TEXT = 200
MOST_CHOICES = 30
# Each facet's name in the address, and the query's field; in the order of the page.
FIELDS: dict[FacetName, str] = {
    "category": "categories",
    "brand": "brands",
    "store": "stores",
    "attribute": "attributes",
    "condition": "conditions",
}


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
        conditions=_choices(parameters, "condition"),
        attributes=tuple(one for one in _choices(parameters, "attribute") if ":" in one),
        min_price=lowest,
        max_price=highest,
        available_only=parameters.get("available") == "1",
        sorting=sorting,
        as_typed=parameters.get("exact") == "1",
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
    return f"{path}?{'&'.join(_encoded(*pair) for pair in pairs)}" if pairs else path


def parameters(query: SearchQuery, *, without: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The query as (name, value) pairs without its cursor, for addresses and a form's hidden fields."""
    pairs = [("q", query.text)] if query.text else []
    for name, field in FIELDS.items():
        pairs.extend((name, value) for value in getattr(query, field))
    if query.min_price is not None:
        pairs.append(("min", format(query.min_price, "f")))
    if query.max_price is not None:
        pairs.append(("max", format(query.max_price, "f")))
    if query.available_only:
        pairs.append(("available", "1"))
    if query.sorting != "relevance":
        pairs.append(("sort", query.sorting))
    if query.as_typed:
        pairs.append(("exact", "1"))
    return [pair for pair in pairs if pair[0] not in without]


def changed(query: SearchQuery, **changes: Any) -> str:
    """The address of the query with other values, from its first page."""
    return address(replace(query, **{"cursor": None, **changes}))


def toggled(query: SearchQuery, facet: FacetName, *values: str) -> str:
    """The address with one choice of a facet put in or taken out; a choice may stand for several values."""
    field = FIELDS[facet]
    chosen: tuple[str, ...] = getattr(query, field)
    kept = tuple(one for one in chosen if one not in values)
    return changed(query, **{field: kept if len(kept) < len(chosen) else (*chosen, *values)})


def without_filters(query: SearchQuery) -> str:
    """The address of the words alone, in the same order."""
    return address(SearchQuery(text=query.text, sorting=query.sorting, as_typed=query.as_typed))


# A page of results has an address for each of a hundred choices, which differ in one pair.
@lru_cache(maxsize=20_000)
def _encoded(name: str, value: str) -> str:
    return urlencode(((name, value),))


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
