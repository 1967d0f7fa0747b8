"""Search: neutral ranking, facets with counts, keyset paging. One statement a page."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from aggregator.domain.errors import InvalidInput
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.money import Money
from aggregator.domain.normalization.names import fold
from aggregator.domain.products import Facet, FacetValue, ProductCard, SearchPage, SearchQuery
from aggregator.domain.search_words import search_query

FACET_SIZE = 12
CARD_COLUMNS = (
    "p.id, p.public_id, p.title, p.brand, p.category, p.image_url, p.store_count, p.offer_count,"
    " p.lowest_price, p.lowest_price_currency, p.is_available"
)
# How well the words fit, a little more for what several stores sell; nothing can be paid for.
_SCORE = (
    "round((ts_rank(p.search_vector, q.query, 1) * (1 + 0.6 * ln(greatest(p.store_count, 1))))::numeric, 6)"
)
_ORDER = {
    "relevance": ("score", "desc"),
    "price": ("coalesce(lowest_price, 999999999)", "asc"),
    "-price": ("coalesce(lowest_price, -1)", "desc"),
    "stores": ("store_count", "desc"),
    "newest": ("id", "desc"),
}
# What a cursor says: the order, the last product's key in it, and its public id.
_CURSOR = re.compile(r"(-?[a-z]+) (-?[0-9]{1,12}(?:\.[0-9]{1,12})?) ([0-9a-z]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """What the front page shows: `popular` are sold by most stores, `recent` were seen first of late."""

    popular: tuple[ProductCard, ...]
    recent: tuple[ProductCard, ...]
    categories: tuple[FacetValue, ...]


def product_slug(title: str) -> str:
    """The readable tail of a product's address."""
    return re.sub(r"[^a-z0-9]+", "-", fold(title)).strip("-")[:80].strip("-") or "product"


def product_card(row: RowMapping) -> ProductCard:
    """A card from a row that holds CARD_COLUMNS."""
    price = None if row["lowest_price"] is None else Money(row["lowest_price"], row["lowest_price_currency"])
    return ProductCard(
        id=row["public_id"],
        slug=product_slug(row["title"]),
        title=row["title"],
        brand=row["brand"],
        category=row["category"],
        image_url=row["image_url"],
        store_count=row["store_count"],
        offer_count=row["offer_count"],
        lowest_price=price.rounded() if price else None,
        is_available=row["is_available"],
    )


def search_products(session: Session, query: SearchQuery) -> SearchPage:
    """One page of products. Raises InvalidInput for a cursor that this search did not give.

    A facet's counts obey every other filter but not its own, so that widening a choice shows what it adds.
    """
    words = search_query(query.text)
    sort_key, direction = _ORDER[query.sorting]
    compare = ">" if direction == "asc" else "<"
    cursor = _read_cursor(query)
    parameters: dict[str, Any] = {
        "words": words,
        "brands": list(query.brands),
        "categories": list(query.categories),
        "stores": list(query.stores),
        "min_price": query.min_price,
        "max_price": query.max_price,
        "limit": query.limit + 1,
        "facet_size": FACET_SIZE,
        "cursor_key": cursor[0] if cursor else None,
        "cursor_id": cursor[1] if cursor else None,
    }
    conditions = ["p.offer_count > 0"]
    if words:
        conditions.append("p.search_vector @@ q.query")
    if query.min_price is not None:
        conditions.append("p.lowest_price >= :min_price")
    if query.max_price is not None:
        conditions.append("p.lowest_price <= :max_price")
    if query.available_only:
        conditions.append("p.is_available")
    last_id = "(select id from products where public_id = :cursor_id)"
    after = f"and ({sort_key}, -id) {compare} (:cursor_key, -{last_id})" if cursor else ""
    if cursor and direction == "asc":
        after = f"and ({sort_key}, id) > (:cursor_key, {last_id})"
    if query.sorting == "newest" and cursor:
        after = f"and id < {last_id}"
    statement = f"""
        with found as materialized (
            select {CARD_COLUMNS}, p.store_ids,
                   {_SCORE if words else "p.store_count::numeric"} as score,
                   {"p.brand = any(:brands)" if query.brands else "true"} as in_brand,
                   {"p.category = any(:categories)" if query.categories else "true"} as in_category,
                   {
        "p.store_ids && (select array_agg(id) from stores where slug = any(:stores))"
        if query.stores
        else "true"
    } as in_store
            from products p {"cross join (select cast(:words as tsquery) as query) q" if words else ""}
            where {" and ".join(conditions)}
        ), page as (
            select *, {sort_key} as sort_key from found where in_brand and in_category and in_store {after}
            order by {sort_key} {direction}, id {"desc" if query.sorting == "newest" else "asc"}
            limit :limit
        ), facets as (
            (select 'brand' as facet, brand as value, brand as label, count(*) as count from found
             where in_category and in_store and brand is not null
             group by brand order by (brand = any(:brands)) desc, count(*) desc, brand collate "C"
             limit :facet_size)
            union all
            (select 'category', category, category, count(*) from found
             where in_brand and in_store and category is not null
             group by category order by (category = any(:categories)) desc, count(*) desc, category collate "C"
             limit :facet_size)
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
    )


def browse_home(session: Session, *, limit: int = 12) -> HomePage:
    """The front page's products and categories."""
    cards = f"select {CARD_COLUMNS} from products p where p.offer_count > 0 and p.is_available"
    popular = session.execute(
        text(f"{cards} order by p.store_count desc, p.offer_count desc, p.id limit :limit"), {"limit": limit}
    )
    recent = session.execute(text(f"{cards} order by p.id desc limit :limit"), {"limit": limit})
    categories = session.execute(
        text(
            "select category, count(*) from products where offer_count > 0 and category is not null"
            ' group by category order by count(*) desc, category collate "C" limit 16'
        )
    )
    return HomePage(
        popular=tuple(product_card(row) for row in popular.mappings()),
        recent=tuple(product_card(row) for row in recent.mappings()),
        categories=tuple(FacetValue(name, name, count, is_chosen=False) for name, count in categories),
    )


def _facets(query: SearchQuery, rows: list[RowMapping]) -> tuple[Facet, ...]:
    chosen = {"brand": query.brands, "category": query.categories, "store": query.stores}
    facets = []
    for name in ("brand", "category", "store"):
        values = tuple(
            FacetValue(row["value"], row["label"], row["count"], row["value"] in chosen[name])
            for row in rows
            if row["facet"] == name
        )
        facets.append(Facet(name, values))
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
