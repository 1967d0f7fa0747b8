"""The catalogue as the matcher reads it: what is pending, what is linked, what people have said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.orm import Session

from aggregator.catalog.matches import standing_verdicts
from aggregator.db.models import OfferRow, StoreRow
from matcher.records import OfferRecord, Verdict

_COLUMNS = (
    OfferRow.id,
    OfferRow.public_id,
    OfferRow.title,
    StoreRow.slug,
    OfferRow.brand,
    OfferRow.mpn,
    OfferRow.gtin,
    OfferRow.price,
    OfferRow.price_currency,
    OfferRow.category,
    OfferRow.item_group_id,
    OfferRow.variant_attributes,
    OfferRow.product_id,
    OfferRow.changed_at,
)


@dataclass(frozen=True, slots=True)
class LinkingWork:
    """What a linking needs: records by inner offer id, each linked one with its product's id."""

    pending: tuple[OfferRecord, ...]
    existing: tuple[tuple[OfferRecord, str], ...]
    verdicts: tuple[Verdict, ...]
    read_as: dict[int, datetime]


def read_work(session: Session) -> LinkingWork | None:
    """Everything that is pending, beside everything that is linked; None when nothing is pending."""
    current = _offers().where(OfferRow.gone_at.is_(None))
    is_pending = or_(OfferRow.match_state == "pending", OfferRow.product_id.is_(None))
    pending = session.execute(current.where(is_pending)).all()
    if not pending:
        return None
    linked = session.execute(current.where(~is_pending)).all()
    verdicts = (
        Verdict(
            record_id(verdict.left_offer_id), record_id(verdict.right_offer_id), verdict.verdict == "same"
        )
        for verdict in standing_verdicts(session)
    )
    return LinkingWork(
        pending=tuple(_record(row) for row in pending),
        existing=tuple((_record(row), str(row.product_id)) for row in linked),
        verdicts=tuple(verdicts),
        read_as={row.id: row.changed_at for row in pending},
    )


def read_current(session: Session) -> list[OfferRecord]:
    """Every current offer as a record that goes by its public id."""
    rows = session.execute(_offers().where(OfferRow.gone_at.is_(None)))
    return [replace(_record(row), offer_id=row.public_id) for row in rows]


def record_id(offer_id: int) -> str:
    """An inner offer id that sorts as text as it does as a number, so that the oldest offer names a cluster."""
    return f"{offer_id:012d}"


def _offers() -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).join(StoreRow, StoreRow.id == OfferRow.store_id).order_by(OfferRow.id)


def _record(row: Row[*tuple[Any, ...]]) -> OfferRecord:
    return OfferRecord(
        offer_id=record_id(row.id),
        title=row.title,
        store=row.slug,
        brand=row.brand or "",
        mpn=row.mpn or "",
        gtin=row.gtin or "",
        price=row.price,
        currency=row.price_currency,
        category=row.category or "",
        item_group_id=row.item_group_id,
        variant_attributes=tuple(row.variant_attributes.items()),
    )
