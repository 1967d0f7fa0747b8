"""Which stores are being read in time, as shoppers are told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aggregator.db.models import StoreCrawlStateRow, StoreRow
from aggregator.domain.freshness import Freshness, freshness_of


def list_freshness(session: Session, slugs: Collection[str]) -> dict[str, Freshness]:
    """By slug how each of these stores is being read; one query."""
    rows = session.execute(
        select(
            StoreRow.slug,
            StoreRow.checked_at,
            StoreRow.crawl_interval,
            func.coalesce(StoreCrawlStateRow.failures, 0).label("failures"),
        )
        .outerjoin(StoreCrawlStateRow, StoreCrawlStateRow.store_id == StoreRow.id)
        .where(StoreRow.slug.in_(slugs))
    )
    now = datetime.now(UTC)
    return {
        row.slug: freshness_of(
            row.checked_at,
            crawl_interval=timedelta(seconds=row.crawl_interval),
            failures=row.failures,
            now=now,
        )
        for row in rows
    }
