"""Orders and pages: each page goes on after the last product of the one before, whatever changed in between.

All orders but relevance are keys in the index that no two products share, so a page is a range. Relevance has no such
key: the page looks where the last product stands now, and goes on after it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tantivy import DocAddress, FieldType, Occur, Order, Query, SearchResult

from aggregator.catalog.search_index import ID_BITS, MILLS, NOTHING, View
from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import SITE_CURRENCY, Money
from aggregator.domain.products import ProductCard, SearchQuery
from aggregator.domain.search_words import query_words

_KEYS = {
    "relevance": ("weight_key", Order.Desc),
    "price": ("cheapest_key", Order.Asc),
    "-price": ("price_key", Order.Desc),
    "unit": ("unit_key", Order.Asc),
    "drop": ("drop_key", Order.Desc),
    "stores": ("stores_key", Order.Desc),
    "newest": ("id", Order.Desc),
}
# The order, the last product's key in it (for relevance its id), and for relevance how far down it stood.
_CURSOR = re.compile(r"(-?[a-z]+)!([0-9]{1,20})(?:!([0-9]{1,6}))?")
# How far a product may have moved between two pages and is still found again.
_SLACK = 50
_DEEPEST = 20_000
_ID_MASK = (1 << ID_BITS) - 1
_FIRST_NOTHING = NOTHING - _ID_MASK
_SOLD_OUT_MILLS = 1 << 36


@dataclass(frozen=True, slots=True)
class Hit:
    """One product of a page with its two keys of the lowest total."""

    product_id: int
    total_key: int
    open_key: int


@dataclass(frozen=True, slots=True)
class Page:
    """The products of a page in order, how many there are in all, and where the next begins."""

    hits: tuple[Hit, ...]
    total: int
    next_cursor: str | None


def ordered_page(view: View, query: SearchQuery, found: Query) -> Page:
    """One page of what was found, in the query's order. Raises InvalidInput for a cursor that is none of it."""
    cursor = _read_cursor(query)
    if query.sorting == "total":
        return _by_total(view, query, found, cursor)
    if query.sorting == "relevance" and query_words(query.text):
        return _by_fit(view, query, found, cursor)
    field, order = _KEYS[query.sorting]
    after = found
    if cursor is not None:
        low, high = (cursor[0], None) if order == Order.Asc else (None, cursor[0])
        after = _within(view, found, field, low, high)
    result = view.searcher.search(after, query.limit + 1, order_by_field=field, order=order)
    hits = result.hits
    page = hits[: query.limit]
    more = _write_cursor(query, int(page[-1][0])) if len(hits) > query.limit else None
    total = _count(result) if cursor is None else _count(view.searcher.search(found, 1))
    return Page(_hits(view, [address for _, address in page]), total, more)


def newest_ids(view: View, found: Query, field: str, limit: int) -> list[int]:
    """The ids of the products with the greatest values of a field."""
    hits = view.searcher.search(found, limit, count=False, order_by_field=field, order=Order.Desc).hits
    return [hit.product_id for hit in _hits(view, [address for _, address in hits])]


def lowest_totals(
    hits: Iterable[Hit], cards: Mapping[int, ProductCard], assumed: Decimal
) -> Mapping[str, tuple[Money, bool]]:
    """By public id: the lowest price with shipping, and whether that shipping is only assumed.

    Not of products that ask another currency: their totals were converted to be compared, and nobody asks that amount.
    """
    found: dict[str, tuple[Money, bool]] = {}
    for hit in hits:
        card = cards.get(hit.product_id)
        mills, is_assumed = _total_mills(hit, assumed)
        if card is None or card.lowest_price is None or mills is None:
            continue
        if card.lowest_price.currency == SITE_CURRENCY:
            amount = Decimal(mills % _SOLD_OUT_MILLS) / MILLS
            found[card.id] = (Money(amount, SITE_CURRENCY).rounded(), is_assumed)
    return found


def _by_fit(view: View, query: SearchQuery, found: Query, cursor: tuple[int, int] | None) -> Page:
    last_id, depth = cursor or (None, 0)
    start = max(depth - _SLACK, 0)
    result = view.searcher.search(
        found, query.limit + 1 + (2 * _SLACK if cursor else 0), offset=start, weight_by_field="weight"
    )
    hits = result.hits
    ids = [int(number or 0) for number in view.searcher.fast_field_values("id", [one for _, one in hits])]
    # Where it is gone, all below it moved up by one.
    begin = ids.index(last_id) + 1 if last_id in ids else max(depth - 1 - start, 0)
    page = hits[begin : begin + query.limit]
    reached = start + begin + len(page)
    more = None
    if len(hits) > begin + query.limit and reached < _DEEPEST:
        more = _write_cursor(query, ids[begin + len(page) - 1], reached)
    return Page(_hits(view, [address for _, address in page]), _count(result), more)


def _by_total(view: View, query: SearchQuery, found: Query, cursor: tuple[int, int] | None) -> Page:
    """The lower of what is known and of what an unknown shipping cost is assumed to make of the rest.

    Neither alone is an order, but the first so many of both hold the first so many of the lower.
    """
    shift = int(query.assumed_shipping * MILLS) << ID_BITS
    after = found
    if cursor is not None:
        after = _within(view, found, "total_key", cursor[0], None)
        if cursor[0] > shift:
            after = _within(view, after, "open_key", cursor[0] - shift, None)
    hits: dict[int, Hit] = {}
    for field in ("total_key", "open_key"):
        result = view.searcher.search(after, query.limit + 1, order_by_field=field, order=Order.Asc)
        hits.update((hit.product_id, hit) for hit in _hits(view, [address for _, address in result.hits]))
    total = _count(result) if cursor is None else _count(view.searcher.search(found, 1))
    ordered = sorted(hits.values(), key=lambda hit: _total_key(hit, shift))
    page = ordered[: query.limit]
    more = _write_cursor(query, _total_key(page[-1], shift)) if len(ordered) > query.limit else None
    return Page(tuple(page), total, more)


def _total_key(hit: Hit, shift: int) -> int:
    return min(hit.total_key, hit.open_key + shift if hit.open_key < _FIRST_NOTHING else hit.open_key)


def _total_mills(hit: Hit, assumed: Decimal) -> tuple[int | None, bool]:
    key = _total_key(hit, int(assumed * MILLS) << ID_BITS)
    return (None, False) if key >= _FIRST_NOTHING else (key >> ID_BITS, key < hit.total_key)


def _within(view: View, found: Query, field: str, low: int | None, high: int | None) -> Query:
    limits = Query.range_query(
        view.schema,
        field,
        FieldType.Unsigned,
        low,
        high,
        include_lower=low is None,
        include_upper=high is None,
    )
    return Query.boolean_query([(Occur.Must, found), (Occur.Must, Query.const_score_query(limits, 0.0))])


def _count(result: SearchResult) -> int:
    return int(result.count)  # type: ignore[attr-defined]  # its stubs leave it out


def _hits(view: View, addresses: Sequence[DocAddress]) -> tuple[Hit, ...]:
    columns = [
        view.searcher.fast_field_values(field, list(addresses)) for field in ("id", "total_key", "open_key")
    ]
    return tuple(
        Hit(*(NOTHING if value is None else int(value) for value in values))
        for values in zip(*columns, strict=True)
    )


def _write_cursor(query: SearchQuery, key: int, depth: int | None = None) -> str:
    document = f"{query.sorting}!{key}" + ("" if depth is None else f"!{depth}")
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def _read_cursor(query: SearchQuery) -> tuple[int, int] | None:
    """(the last product's key, how far down it stood)."""
    if query.cursor is None:
        return None
    try:
        document = base64.urlsafe_b64decode(query.cursor.encode() + b"==").decode("ascii")
    except ValueError:
        document = ""
    found = _CURSOR.fullmatch(document)
    if not found or found[1] != query.sorting or int(found[2]) > NOTHING:
        raise InvalidInput("not a cursor of this search", place="cursor", remedy="use the address in `next`")
    return int(found[2]), min(int(found[3] or 0), _DEEPEST)
