"""What the search index reads of the catalogue's changes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Row, Serial


class SearchChangeRow(Serial, Row):
    """Products that one step of a transaction changed. Ids rise in the order of commits: writers take turns."""

    __tablename__ = "search_changes"

    product_ids: Mapped[list[int]]
    changed_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
