"""Rows of what is offered for the lines of a cart, with how many pieces of a line each is."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from aggregator.catalog.offers import CHECKED_AT, IS_FRESH_ENOUGH
from aggregator.catalog.shipping_terms import StoreRules
from aggregator.db.models import OfferCheckRow, OfferRelationRow, OfferRow, StoreRow
from aggregator.domain.delivery import DeliveryTerms
from aggregator.domain.vocabulary import Availability
from aggregator.shopping.cart_lines import StoredLine

_NOTHING_SAID = DeliveryTerms()
_NOT_FOR_SALE = tuple(term.value for term in Availability if not term.can_be_bought)


@dataclass(frozen=True, slots=True)
class Lot:
    """One row, the line it is for, how many of it a pack holds, and what it says of its delivery."""

    row: Row[*tuple[Any, ...]]
    stored: StoredLine
    size: int
    delivery: DeliveryTerms


def read_lots(
    session: Session, lines: Sequence[StoredLine], *, packs: bool, without_stores: Collection[str]
) -> list[Lot]:
    """What can be bought now of these lines' products, cheapest first; with `packs` also multipacks of them."""
    line_of = {stored.product_id: stored for stored in lines}
    pack_of = _packs_of(session, line_of) if packs else {}
    found = [row for row in _rows(session, [*line_of, *pack_of]) if row.store_id not in without_stores]
    single = _single_sizes(found, line_of)
    lots = []
    for row in found:
        stored = line_of[pack_of.get(row.product_id, row.product_id)]
        size = _pack_size(row, single[stored.product_id], is_own=row.product_id in line_of)
        if size is not None:
            delivery = _NOTHING_SAID if row.delivery is None else DeliveryTerms.read(row.delivery)
            lots.append(Lot(row, stored, size, delivery))
    return lots


def read_rules(session: Session, store_ids: Collection[str]) -> dict[str, StoreRules]:
    """Store (public id) -> what is written down of its shipping, read once for all of its offers."""
    rows = session.execute(
        select(
            StoreRow.public_id,
            StoreRow.country,
            StoreRow.shipping,
            StoreRow.shipping_by_country,
            StoreRow.shipping_source,
            StoreRow.shipping_updated_at,
        ).where(StoreRow.public_id.in_(store_ids))
    )
    return {row.public_id: StoreRules.of(row) for row in rows}


def unit_weights(lots: Iterable[Lot]) -> dict[str, Decimal]:
    """Line -> kilograms of one piece, as its offers say in the middle."""
    told: defaultdict[str, list[Decimal]] = defaultdict(list)
    for lot in lots:
        if lot.delivery.weight is not None:
            told[lot.stored.line.id].append(lot.delivery.weight / lot.size)
    return {line_id: statistics.median(weights) for line_id, weights in told.items()}


def _rows(session: Session, product_ids: Sequence[int]) -> Sequence[Row[*tuple[Any, ...]]]:
    return session.execute(
        select(
            OfferRow.id,
            OfferRow.public_id,
            OfferRow.product_id,
            OfferRow.title,
            OfferRow.url,
            OfferRow.price,
            OfferRow.price_currency,
            OfferRow.price_kind,
            OfferRow.item_condition,
            OfferRow.availability,
            OfferRow.stock_level,
            OfferRow.pack_size,
            OfferRow.shipping_cost,
            OfferRow.delivery,
            OfferRow.tax_basis,
            CHECKED_AT.label("checked_at"),
            StoreRow.public_id.label("store_id"),
            StoreRow.slug,
            StoreRow.name,
            StoreRow.platform,
            StoreRow.currency,
            StoreRow.country,
            StoreRow.tax_basis.label("store_tax_basis"),
        )
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .where(OfferRow.product_id.in_(product_ids), OfferRow.gone_at.is_(None), IS_FRESH_ENOUGH)
        .where(or_(OfferRow.availability.is_(None), OfferRow.availability.not_in(_NOT_FOR_SALE)))
        .order_by(OfferRow.price, OfferRow.id)
    ).all()


def _packs_of(session: Session, line_of: Mapping[int, StoredLine]) -> dict[int, int]:
    """Product of multipacks -> product in the cart, for those that are not in the cart themselves."""
    plain, pack = OfferRow.__table__.alias("plain"), OfferRow.__table__.alias("pack")
    found = session.execute(
        select(pack.c.product_id, plain.c.product_id.label("single_id"))
        .distinct()
        .select_from(OfferRelationRow)
        .join(plain, plain.c.id == OfferRelationRow.offer_id)
        .join(pack, pack.c.id == OfferRelationRow.other_offer_id)
        .where(OfferRelationRow.kind == "multipack", plain.c.product_id.in_(list(line_of)))
        .where(pack.c.product_id.is_not(None), pack.c.gone_at.is_(None))
        .order_by(plain.c.product_id)
    ).all()
    packs: dict[int, int] = {}
    for row in found:
        if row.product_id not in line_of:
            packs.setdefault(row.product_id, row.single_id)
    return packs


def _single_sizes(
    rows: Iterable[Row[*tuple[Any, ...]]], line_of: Mapping[int, StoredLine]
) -> defaultdict[int, int]:
    """Product -> pieces that one of it holds, as most of its offers' titles say."""
    sizes: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for row in rows:
        if row.product_id in line_of:
            sizes[row.product_id][row.pack_size] += 1
    usual = {
        product_id: min(counts, key=lambda size: (-counts[size], size))
        for product_id, counts in sizes.items()
    }
    return defaultdict(lambda: 1, usual)


def _pack_size(row: Row[*tuple[Any, ...]], single: int, *, is_own: bool) -> int | None:
    """How many of the line's product the offer holds; None where its title does not tell a whole number of them."""
    if row.pack_size > single and row.pack_size % single == 0:
        return int(row.pack_size // single)
    return 1 if is_own else None
