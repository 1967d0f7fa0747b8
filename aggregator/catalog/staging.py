"""Staging rows: what a run has read and nobody has judged. Each run has a partition of its own, without an index.

The partitions are unlogged: staged rows are worth one crawl. Where the database crashed and emptied them, the run
notices by their count and is read again, see `catalog.ingest`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from psycopg.errors import LockNotAvailable, UndefinedTable
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from aggregator.db.copy import copy_encoded, encode_rows
from aggregator.db.models import StagedOfferRow
from aggregator.domain.offers import Offer

OFFER_COLUMNS = (
    "external_id", "url", "title", "brand", "gtin", "mpn", "sku", "category", "image_url", "item_group_id",
    "variant_attributes", "pack_size", "price", "price_currency", "list_price", "price_kind", "availability",
    "stock_level", "item_condition", "seller", "shipping_cost", "handoff", "source", "reading", "delivery", "digest",
)  # fmt: skip
_PARENT = StagedOfferRow.__tablename__


def staging_table(run_id: int) -> str:
    """The name of a run's own partition."""
    return f"{_PARENT}_{int(run_id)}"


def begin_staging(session: Session, run_id: int) -> None:
    """An empty partition for the run; what an earlier attempt staged there is gone."""
    name = staging_table(run_id)
    if is_staging(session, run_id):
        drop_staging(session, run_id)
        return
    session.execute(text(f"create unlogged table {name} (like {_PARENT} including defaults)"))
    session.execute(text(f"alter table {name} alter run_id set default {int(run_id)}"))
    # Attached, not created as a partition: that would wait for all who read or write other runs' rows.
    session.execute(text(f"alter table {_PARENT} attach partition {name} for values in ({int(run_id)})"))


def is_staging(session: Session, run_id: int) -> bool:
    """Whether the run has staged anything yet."""
    return bool(
        session.scalar(text("select to_regclass(:name) is not null"), {"name": staging_table(run_id)})
    )


def drop_staging(session: Session, run_id: int) -> None:
    """Let go of what a run has staged. The partition itself is dropped later: that would wait for a running backup."""
    if is_staging(session, run_id):
        session.execute(text(f"truncate {staging_table(run_id)}"))


def drop_abandoned_staging(session: Session, *, at_most: int = 50) -> int:
    """Drop partitions of runs that neither run nor wait for a person any more; how many.

    None while somebody has the staging tables in use for longer than a moment.
    """
    names = session.scalars(
        text(
            """
            select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = to_regclass(:parent)
              and not exists (
                  select from runs r
                  where c.relname = :parent || '_' || r.id and r.state in ('running', 'held'))
            order by 1 limit :at_most
            """
        ),
        {"parent": _PARENT, "at_most": at_most},
    ).all()
    if not names:
        return 0
    try:
        with session.begin_nested():
            session.execute(text("set local lock_timeout = '1s'"))
            session.execute(text(f"drop table {', '.join(names)}"))
            session.execute(text("set local lock_timeout = default"))
    except DBAPIError as error:
        if isinstance(error.orig, LockNotAvailable | UndefinedTable):
            return 0
        raise
    return len(names)


def encode_offers(offers: Iterable[tuple[int, Offer]]) -> bytes:
    """Offers, each with its position in the run, as COPY wants them."""
    return encode_rows((position, *_fields(offer)) for position, offer in offers)


def copy_staged(session: Session, run_id: int, encoded: bytes) -> None:
    """Append encoded offers to the run's partition."""
    if encoded:
        copy_encoded(session, staging_table(run_id), ("position", *OFFER_COLUMNS), encoded)


def _fields(offer: Offer) -> tuple[Any, ...]:
    values = (
        offer.external_id,
        offer.url,
        offer.title,
        offer.brand,
        offer.gtin,
        offer.mpn,
        offer.sku,
        offer.category,
        offer.image_url,
        offer.item_group_id,
        dict(offer.variant_attributes),
        offer.pack_size,
        offer.price.amount,
        offer.price.currency,
        offer.list_price.amount if offer.list_price else None,
        offer.price_kind.value,
        offer.availability.value if offer.availability else None,
        offer.stock_level,
        offer.item_condition.value,
        offer.seller,
        offer.shipping_cost,
        dict(offer.handoff),
        offer.source,
    )
    # Few offers say anything of delivery: the digests of the others are as they were before it was read.
    told = values if offer.delivery is None else (*values, offer.delivery)
    digest = hashlib.blake2b(repr(told).encode(), digest_size=12).digest()
    return (*values, offer.reading, offer.delivery, digest)
