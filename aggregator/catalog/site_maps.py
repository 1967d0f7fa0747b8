"""Which product pages there are, for search engines: in parts that a sitemap can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.product_cards import product_slug

# A sitemap may hold 50,000 addresses.
PART = 40_000


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A product's page: its id and slug, and when its offers changed last."""

    id: str
    slug: str
    updated_at: datetime


def count_parts(session: Session) -> int:
    """How many parts hold all products; the last may be short."""
    highest: int = session.scalar(text("select coalesce(max(id), 0) from products")) or 0
    return -(-highest // PART)


def list_part(session: Session, number: int) -> Sequence[ListedPage]:
    """The product pages of a part, counted from 0; those that nobody sells are left out."""
    rows = session.execute(
        text(
            """
            select public_id, title, updated_at from products
            where id > :first and id <= :last and offer_count > 0 and merged_into_id is null order by id
            """
        ),
        {"first": number * PART, "last": (number + 1) * PART},
    )
    return [ListedPage(row.public_id, product_slug(row.title), row.updated_at) for row in rows]
