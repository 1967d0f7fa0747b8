"""Facets with their counts: one aggregation for all, one more for each facet with a choice of its own."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from sqlalchemy import text
from sqlalchemy.orm import Session
from tantivy import FieldType, Occur, Query

from aggregator.catalog.search_index import View, cents
from aggregator.catalog.search_marks import MOST_MARKS, PRICES, read_marks
from aggregator.catalog.search_queries import term
from aggregator.domain.products import Facet, FacetValue, SearchQuery
from aggregator.domain.taxonomy import with_departments

FACET_SIZE = 20
_MOST_ATTRIBUTES = 5
_MOST_COUNTED_BESIDE = 10
_RANGES = tuple(pairwise((None, *PRICES, None)))
_AGGREGATIONS: Mapping[str, dict[str, Any]] = {
    # More than are shown: "SONY" and "Sony" are counted together.
    "brand": {"terms": {"field": "brand", "size": 3 * FACET_SIZE}},
    "category": {"terms": {"field": "filed", "size": 400}},
    "store": {"terms": {"field": "store", "size": FACET_SIZE}},
    "attribute": {"terms": {"field": "attribute", "size": 120}},
    "mark": {"terms": {"field": "mark", "size": MOST_MARKS}},
}
# Counted side by side; of about equal work, since a product has several stores.
FACET_PARTS = (("store",), ("attribute", "category", "brand", "mark"))
# Fields whose values are numbers.
_NUMBERS = frozenset({"store", "mark"})
_MARKED = {"price": "mark", "condition": "mark"}
_MOST_CATEGORIES = 60
# How many products have each value of a field, by the field or, obeying all but this one, by the filter.
Counts: TypeAlias = dict[str, dict[Any, int]]
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) (MB|GB|TB|ml|l|g|kg|inch|W)")
_UNITS = {"MB": 1, "GB": 1024, "TB": 1024**2, "ml": 1, "l": 1000, "g": 1, "kg": 1000, "inch": 1, "W": 1}


def filters_of(view: View, query: SearchQuery, store_ids: Mapping[str, int]) -> dict[str, Query]:
    """Each filter that is in force, by the facet it belongs to; attributes as "attribute:NAME"."""
    found: dict[str, Query] = {}
    if query.brands:
        found["brand"] = _one_of(view, "brand_key", list({brand.casefold() for brand in query.brands}))
    for name, values in (
        ("category", query.categories),
        ("condition", query.conditions),
    ):
        if values:
            found[name] = _one_of(view, name, values)
    if query.stores:
        found["store"] = _one_of(
            view, "store", [store_ids[slug] for slug in query.stores if slug in store_ids]
        )
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    for attribute in query.attributes:
        by_name[attribute.partition(":")[0]].append(attribute)
    for name, values_of_one in by_name.items():
        found[f"attribute:{name}"] = _one_of(view, "attribute", values_of_one)
    if query.min_price is not None or query.max_price is not None:
        low, high = (None if limit is None else cents(limit) for limit in (query.min_price, query.max_price))
        price = Query.range_query(view.schema, "cents", FieldType.Unsigned, low, high)
        found["price"] = Query.const_score_query(price, 0.0)
    if query.available_only:
        found["available"] = _one_of(view, "available", ["yes"])
    return found


def narrowed(words: Query, filters: Mapping[str, Query], *, without: str | None = None) -> Query:
    """The words with all filters but one."""
    others = [(Occur.Must, one) for name, one in filters.items() if name != without]
    return Query.boolean_query([(Occur.Must, words), *others]) if others else words


def count_facets(view: View, words: Query, filters: Mapping[str, Query], part: int) -> Counts:
    """How many of what is found each choice has, for one of FACET_PARTS, as `told_facets` reads it. Without the GIL.

    A facet's counts obey every other filter but not its own, so that widening a choice shows what it adds.
    """
    asked = FACET_PARTS[part]
    counted = _counted(view, narrowed(words, filters), *asked)
    # An address can name thirty attributes; counting beside each would let a stranger keep the site busy.
    for name in list(filters)[:_MOST_COUNTED_BESIDE]:
        facet = name.partition(":")[0]
        field = _MARKED.get(facet, facet)
        if field in asked:
            counted[name] = _counted(view, narrowed(words, filters, without=name), field)[field]
    return counted


def count_categories(view: View, found: Query, most: int) -> tuple[FacetValue, ...]:
    """The categories and departments that most of what is found is in."""
    counted = _counted(view, found, "category")
    return _terms("category", with_departments(counted["category"]), (), most).values


def told_facets(session: Session, query: SearchQuery, counted: Counts) -> tuple[tuple[Facet, ...], int]:
    """The facets in the order of the page, and how many of what is found can be bought."""
    attributes = _by_name(counted["attribute"])
    for name, own in counted.items():
        if name.startswith("attribute:"):
            chosen = name.removeprefix("attribute:")
            attributes[chosen] = _by_name(own)[chosen]
    marks = {name: read_marks(counted.get(name, counted["mark"])) for name in ("mark", *_MARKED)}
    categories = with_departments(counted["category"])
    facets = (
        _terms("category", categories, query.categories, _MOST_CATEGORIES),
        _prices(marks["price"].ranges, query),
        Facet("brand", brand_values(counted["brand"], query.brands)[:FACET_SIZE]),
        _stores(session, counted["store"], query.stores),
        *_attributes(attributes, query.attributes),
        _terms("condition", marks["condition"].conditions, query.conditions),
    )
    return facets, marks["mark"].available


def _counted(view: View, found: Query, *fields: str) -> Counts:
    answer = view.searcher.aggregate(found, {field: _AGGREGATIONS[field] for field in fields})
    return {
        field: {
            int(bucket["key"]) if field in _NUMBERS else str(bucket["key"]): int(bucket["doc_count"])
            for bucket in told["buckets"]
        }
        for field, told in answer.items()
    }


def _one_of(view: View, field: str, values: Sequence[object]) -> Query:
    """Scores nothing. No set query: it would gather all products with the values, most of which nobody asked for."""
    options = [term(view, field, value) for value in values]
    one = (
        options[0]
        if len(options) == 1
        else Query.boolean_query([(Occur.Should, option) for option in options])
    )
    return Query.const_score_query(one, 0.0)


def brand_values(counts: Mapping[str, int], chosen: Sequence[str]) -> tuple[FacetValue, ...]:
    """Brands by how often they are found, of each the most common of its spellings in upper and lower case.

    A chosen one keeps the spelling that it was chosen by as its value, so that it can be taken out again.
    """
    spellings: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for spelling, count in counts.items():
        spellings[spelling.casefold()][spelling] = count
    chosen_by = {spelling.casefold(): spelling for spelling in chosen}
    for key, spelling in chosen_by.items():
        spellings[key] = spellings[key] or {spelling: 0}
    found = []
    for key, spelt in spellings.items():
        label = min(spelt, key=lambda one: (-spelt[one], one.isupper(), one))
        found.append(FacetValue(chosen_by.get(key, label), label, sum(spelt.values()), key in chosen_by))
    return tuple(sorted(found, key=lambda one: (not one.is_chosen, -one.count, one.value)))


def _terms(
    name: Literal["category", "condition"],
    found: Mapping[str, int],
    chosen: Sequence[str],
    most: int | None = None,
) -> Facet:
    # What nothing has is shown all the same where it is chosen.
    counts = {**dict.fromkeys(chosen, 0), **found}
    ordered = sorted(counts, key=lambda value: (value not in chosen, -counts[value], value))[:most]
    return Facet(name, tuple(FacetValue(value, value, counts[value], value in chosen) for value in ordered))


def _stores(session: Session, counts: Mapping[int, int], chosen: Sequence[str]) -> Facet:
    rows = session.execute(
        text(
            "select id, slug, name from stores where id = any(cast(:ids as bigint[])) or slug = any(:slugs)"
        ),
        {"ids": list(counts), "slugs": list(chosen)},
    ).all()
    values = [FacetValue(row.slug, row.name, counts.get(row.id, 0), row.slug in chosen) for row in rows]
    return Facet("store", tuple(sorted(values, key=lambda one: (not one.is_chosen, -one.count, one.value))))


def _prices(counts: Mapping[int, int], query: SearchQuery) -> Facet:
    values = []
    for place, (low, high) in enumerate(_RANGES):
        is_chosen = (query.min_price, query.max_price) == (
            None if low is None else Decimal(low),
            None if high is None else Decimal(high),
        )
        count = counts.get(place, 0)
        if count or is_chosen:
            value = f"{low or ''}-{high or ''}"
            values.append(FacetValue(value, value, count, is_chosen))
    return Facet("price", tuple(values))


def _by_name(counts: Mapping[str, int]) -> defaultdict[str, dict[str, int]]:
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for attribute, count in counts.items():
        found[attribute.partition(":")[0]][attribute] = count
    return found


def _attributes(counted: Mapping[str, dict[str, int]], chosen: Sequence[str]) -> list[Facet]:
    """The attributes that tell most of the products apart, each with its values in their natural order."""
    chosen_names = {attribute.partition(":")[0] for attribute in chosen}
    names = [name for name, values in counted.items() if len(values) > 1 or name in chosen_names]
    names.sort(key=lambda name: (name not in chosen_names, -sum(counted[name].values()), name))
    facets = []
    for name in names[: max(_MOST_ATTRIBUTES, len(chosen_names))]:
        counts = {**{one: 0 for one in chosen if one.partition(":")[0] == name}, **counted[name]}
        often = sorted(counts, key=lambda one: (one not in chosen, -counts[one], one))[:FACET_SIZE]
        values = tuple(
            FacetValue(one, one.partition(":")[2], counts[one], one in chosen)
            for one in sorted(often, key=_natural)
        )
        facets.append(Facet("attribute", values, about=name))
    return facets


def _natural(attribute: str) -> tuple[int, float, str]:
    value = attribute.partition(":")[2]
    read = _AMOUNT.fullmatch(value)
    return (0, float(read[1]) * _UNITS[read[2]], value) if read else (1, 0.0, value)
