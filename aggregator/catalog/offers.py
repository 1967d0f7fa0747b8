"""The catalogue's offers, one by one, as the `offers` command writes them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, case, cast, func, null, select, text, true
from sqlalchemy.orm import Session

from aggregator.db.models import OfferCheckRow, OfferRow, ProductRow, StoreRow
from aggregator.domain.errors import NotFound
from aggregator.domain.identifiers import shown_gtin
from aggregator.domain.money import Money

# Its own note, else its store's last complete run, else its first sight.
CHECKED_AT: ColumnElement[datetime] = func.coalesce(
    OfferCheckRow.checked_at, StoreRow.checked_at, OfferRow.first_seen_at
)

# A store's licence may limit how old a price may be that is shown: its option `max_age_hours`. The same rule stands
# in SQL in `aggregator.catalog.product_summaries`.
_MAX_AGE_HOURS = StoreRow.options["max_age_hours"].astext
# When a price grew or grows too old to be shown; null where its store sets no such limit.
AGES_AT: ColumnElement[datetime] = case(
    (
        _MAX_AGE_HOURS.regexp_match("^[0-9]{1,5}$"),
        CHECKED_AT + cast(_MAX_AGE_HOURS, Integer) * text("interval '1 hour'"),
    ),
    else_=null(),
)
IS_FRESH_ENOUGH: ColumnElement[bool] = func.coalesce(func.now() < AGES_AT, true())

_BATCH = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOffer:
    """One offer as it leaves the program: public ids, the store's slug, the GTIN as people print it."""

    id: str
    store: str
    external_id: str
    name: str
    brand: str | None
    mpn: str | None
    gtin: str | None
    price: Money
    availability: str | None
    url: str
    item_group_id: str | None
    product_id: str | None
    checked_at: datetime
    gone_at: datetime | None


def list_offers(
    session: Session, store: str | None = None, include_gone: bool = False
) -> Generator[ListedOffer]:
    """Every current offer, of one store's slug or of all, oldest first; read in batches as it is consumed.

    Raises NotFound for an unknown store, before the first offer. Close it when it is not read to its end.
    """
    query = (
        select(
            OfferRow.public_id,
            StoreRow.slug,
            OfferRow.external_id,
            OfferRow.title,
            OfferRow.brand,
            OfferRow.mpn,
            OfferRow.gtin,
            OfferRow.price,
            OfferRow.price_currency,
            OfferRow.availability,
            OfferRow.url,
            OfferRow.item_group_id,
            ProductRow.public_id.label("product_public_id"),
            CHECKED_AT.label("checked_at"),
            OfferRow.gone_at,
        )
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(ProductRow, ProductRow.id == OfferRow.product_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .order_by(OfferRow.id)
    )
    if store is not None:
        store_id = session.execute(select(StoreRow.id).where(StoreRow.slug == store)).scalar()
        if store_id is None:
            raise NotFound("store", store)
        query = query.where(OfferRow.store_id == store_id)
    if not include_gone:
        query = query.where(OfferRow.gone_at.is_(None))
    return _read(session, query)


def _read(session: Session, query: Select[*tuple[Any, ...]]) -> Generator[ListedOffer]:
    with session.execute(query.execution_options(yield_per=_BATCH)) as rows:
        for row in rows:
            yield ListedOffer(
                id=row.public_id,
                store=row.slug,
                external_id=row.external_id,
                name=row.title,
                brand=row.brand,
                mpn=row.mpn,
                gtin=None if row.gtin is None else shown_gtin(row.gtin),
                price=Money(row.price, row.price_currency),
                availability=row.availability,
                url=row.url,
                item_group_id=row.item_group_id,
                product_id=row.product_public_id,
                checked_at=row.checked_at,
                gone_at=row.gone_at,
            )
