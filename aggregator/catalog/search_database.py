"""Search by the database alone, for as long as there is no index: slower, with fewer facets and orders."""

from __future__ import annotations

import base64
import re
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import current_rates
from aggregator.catalog.product_cards import CARD_COLUMNS, product_card
from aggregator.catalog.search_facets import brand_values
from aggregator.domain.errors import InvalidInput
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.money import SITE_CURRENCY
from aggregator.domain.products import Facet, FacetValue, HomePage, SearchPage, SearchQuery
from aggregator.domain.search_words import search_query
from aggregator.domain.taxonomy import branch, categories, with_departments

FACET_SIZE = 12
# More than the taxonomy has, so that departments are added up of all that they hold; the rest are stores' own paths.
_MOST_CATEGORIES = 400
_SHOWN = {"brand": FACET_SIZE, "category": 60, "store": FACET_SIZE}
_HOME_CATEGORIES = 16
# How well the words fit, a little more for what several stores sell; nothing can be paid for.
_SCORE = (
    "round((ts_rank(p.search_vector, q.query, 1) * (1 + 0.6 * ln(greatest(p.store_count, 1))))::numeric, 6)"
)
_ORDER = {
    "relevance": ("score", "desc"),
    "price": ("coalesce(comparable, 999999999)", "asc"),
    "-price": ("coalesce(comparable, -1)", "desc"),
    "stores": ("store_count", "desc"),
    "newest": ("id", "desc"),
}
# What only the index can order by, and what comes nearest to it.
_NEAREST = {"total": "price", "unit": "price", "drop": "relevance"}
_IN_BRAND = "lower(p.brand) = any(select lower(b) from unnest(cast(:brands as text[])) b)"
# What a cursor says: the order, the last product's key in it, and its public id.
_CURSOR = re.compile(r"(-?[a-z]+) (-?[0-9]{1,12}(?:\.[0-9]{1,12})?) ([0-9a-z]+)")


def search_database(session: Session, query: SearchQuery) -> SearchPage:
    """One page of products. Raises InvalidInput for a cursor that this search did not give.

    A facet's counts obey every other filter but not its own, so that widening a choice shows what it adds.
    Attributes are not looked at, and orders that only the index knows are the nearest that the database knows.
    Prices are compared in the site's currency; what there is no rate for comes last.
    """
    words = search_query(query.text)
    rates = current_rates(session).rates
    sort_key, direction = _ORDER[_NEAREST.get(query.sorting, query.sorting)]
    compare = ">" if direction == "asc" else "<"
    cursor = _read_cursor(query)
    parameters: dict[str, Any] = {
        "words": words,
        "brands": list(query.brands),
        "categories": [
            key for one in query.categories for key in (branch(one) if one in categories() else (one,))
        ],
        "stores": list(query.stores),
        "min_price": query.min_price,
        "max_price": query.max_price,
        "currencies": [SITE_CURRENCY, *rates],
        "units": [Decimal(1), *(rate.rate for rate in rates.values())],
        "limit": query.limit + 1,
        "facet_size": FACET_SIZE,
        "most_categories": _MOST_CATEGORIES,
        "cursor_key": cursor[0] if cursor else None,
        "cursor_id": cursor[1] if cursor else None,
    }
    conditions = ["p.offer_count > 0"]
    if words:
        conditions.append("p.search_vector @@ q.query")
    if query.min_price is not None:
        conditions.append("p.lowest_price / r.units >= :min_price")
    if query.max_price is not None:
        conditions.append("p.lowest_price / r.units <= :max_price")
    if query.available_only:
        conditions.append("p.is_available")
    if query.conditions:
        conditions.append(
            "exists (select from offers o where o.product_id = p.id and o.gone_at is null"
            " and o.item_condition = any(:conditions))"
        )
        parameters["conditions"] = list(query.conditions)
    last_id = "(select id from products where public_id = :cursor_id)"
    after = f"and ({sort_key}, -id) {compare} (:cursor_key, -{last_id})" if cursor else ""
    if cursor and direction == "asc":
        after = f"and ({sort_key}, id) > (:cursor_key, {last_id})"
    if query.sorting == "newest" and cursor:
        after = f"and id < {last_id}"
    statement = f"""
        with found as materialized (
            select {CARD_COLUMNS}, p.store_ids, round(p.lowest_price / r.units, 6) as comparable,
                   {_SCORE if words else "p.store_count::numeric"} as score,
                   {_IN_BRAND if query.brands else "true"} as in_brand,
                   {
        "coalesce(p.category_key, p.category) = any(:categories)" if query.categories else "true"
    } as in_category,
                   coalesce(p.category_key, p.category) as filed,
                   {
        "p.store_ids && (select array_agg(id) from stores where slug = any(:stores))"
        if query.stores
        else "true"
    } as in_store
            from products p left join unnest(cast(:currencies as text[]), cast(:units as numeric[]))
                as r(currency, units) on r.currency = p.lowest_price_currency
                {"cross join (select cast(:words as tsquery) as query) q" if words else ""}
            where {" and ".join(conditions)}
        ), page as (
            select *, {sort_key} as sort_key from found where in_brand and in_category and in_store {after}
            order by {sort_key} {direction}, id {"desc" if query.sorting == "newest" else "asc"}
            limit :limit
        ), facets as (
            (select 'brand' as facet, brand as value, brand as label, count(*) as count from found
             where in_category and in_store and brand is not null
             group by brand order by (lower(brand) = any(select lower(b) from unnest(cast(:brands as text[])) b)) desc,
             count(*) desc, brand collate "C" limit 3 * :facet_size)
            union all
            (select 'category', filed, filed, count(*) from found
             where in_brand and in_store and filed is not null
             group by filed order by (filed = any(:categories)) desc, count(*) desc, filed collate "C"
             limit :most_categories)
            union all
            (select 'store', s.slug, s.name, c.count from (
                select unnest(store_ids) as store_id, count(*) as count from found
                where in_brand and in_category group by 1) c join stores s on s.id = c.store_id
             order by (s.slug = any(:stores)) desc, c.count desc, s.slug collate "C" limit :facet_size)
        )
        select 'page' as part, null as facet, null as value, null as label, null::bigint as count,
               id, public_id, title, brand, category, image_url, store_count, offer_count, lowest_price,
               lowest_price_currency, is_available, sort_key, row_number() over () as place
        from page
        union all
        select 'facet', facet, value, label, count, null, null, null, null, null, null, null, null, null, null,
               null, null, row_number() over () from facets
        union all
        select 'total', null, null, null, count(*), null, null, null, null, null, null, null, null, null, null,
               null, null, 0 from found where in_brand and in_category and in_store
        order by part, place
    """
    rows = session.execute(text(statement), parameters).mappings().all()
    page = [row for row in rows if row["part"] == "page"]
    has_more = len(page) > query.limit
    page = page[: query.limit]
    return SearchPage(
        query=query,
        products=tuple(product_card(row) for row in page),
        total=next(row["count"] for row in rows if row["part"] == "total"),
        facets=_facets(query, [row for row in rows if row["part"] == "facet"]),
        next_cursor=_write_cursor(query, page[-1]) if has_more else None,
        is_indexed=False,
    )


def browse_database(session: Session, limit: int) -> HomePage:
    """The front page's products and categories."""
    cards = f"select {CARD_COLUMNS} from products p where p.offer_count > 0 and p.is_available"
    popular = session.execute(
        text(f"{cards} order by p.store_count desc, p.offer_count desc, p.id limit :limit"), {"limit": limit}
    )
    recent = session.execute(text(f"{cards} order by p.id desc limit :limit"), {"limit": limit})
    filed = session.execute(
        text(
            "select coalesce(category_key, category) as filed, count(*) from products"
            " where offer_count > 0 and coalesce(category_key, category) is not null"
            ' group by 1 order by count(*) desc, coalesce(category_key, category) collate "C" limit :limit'
        ),
        {"limit": _MOST_CATEGORIES},
    )
    counts = with_departments(dict(filed.all()))
    largest = sorted(counts, key=lambda name: (-counts[name], name))[:_HOME_CATEGORIES]
    return HomePage(
        popular=tuple(product_card(row) for row in popular.mappings()),
        recent=tuple(product_card(row) for row in recent.mappings()),
        categories=tuple(FacetValue(name, name, counts[name], is_chosen=False) for name in largest),
    )


def _facets(query: SearchQuery, rows: list[RowMapping]) -> tuple[Facet, ...]:
    chosen = {"category": query.categories, "store": query.stores}
    brands = {row["value"]: row["count"] for row in rows if row["facet"] == "brand"}
    facets = [Facet("brand", brand_values(brands, query.brands)[:FACET_SIZE])]
    names: tuple[Literal["category", "store"], ...] = ("category", "store")
    for name in names:
        of_facet = [row for row in rows if row["facet"] == name]
        labels = {row["value"]: row["label"] for row in of_facet}
        counts = {row["value"]: row["count"] for row in of_facet}
        if name == "category":
            counts = with_departments(counts)
        often = sorted(counts, key=lambda value: (value not in chosen[name], -counts[value], value))
        values = (
            FacetValue(value, labels.get(value, value), counts[value], value in chosen[name])
            for value in often
        )
        facets.append(Facet(name, tuple(values)[: _SHOWN[name]]))
    return tuple(facets)


def _write_cursor(query: SearchQuery, last: RowMapping) -> str:
    key = "0" if query.sorting == "newest" else f"{Decimal(last['sort_key']):f}"
    document = " ".join((query.sorting, key, last["public_id"]))
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def _read_cursor(query: SearchQuery) -> tuple[Decimal, str] | None:
    """The last product's key in this order, and its public id."""
    if query.cursor is None:
        return None
    try:
        document = base64.urlsafe_b64decode(query.cursor.encode() + b"==").decode("ascii")
    except ValueError:
        document = ""
    found = _CURSOR.fullmatch(document)
    if not found or found[1] != query.sorting or not is_public_id(found[3]):
        raise InvalidInput("not a cursor of this search", place="cursor", remedy="use the address in `next`")
    return Decimal(found[2]), found[3]
