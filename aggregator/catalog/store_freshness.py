"""Which stores are being read in time, as shoppers are told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.domain.freshness import Freshness, freshness_of


def list_freshness(session: Session, slugs: Collection[str]) -> dict[str, Freshness]:
    """By slug how each of these stores is being read; one query."""
    rows = session.execute(
        text(
            """
            select s.slug, s.checked_at, s.crawl_interval, coalesce(c.failures, 0) as failures
            from stores s left join store_crawl_states c on c.store_id = s.id
            where s.slug = any(cast(:slugs as text[]))
            """
        ),
        {"slugs": list(slugs)},
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
