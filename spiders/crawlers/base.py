"""What every spider of a store is: it knows its store and says in the end whether it read all of it."""

from __future__ import annotations

from typing import Any

import scrapy

from aggregator.domain.stores import Store
from aggregator.settings import Settings
from spiders.item_lines import LineWriter


class StoreSpider(scrapy.Spider):
    """Yields RawOffers and InvalidOffers. `problem` stays None only where every listing was read to its end."""

    name = "store"

    def __init__(
        self,
        *,
        store: Store,
        app_settings: Settings,
        lines: LineWriter | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.store = store
        self.app_settings = app_settings
        self.lines = lines
        self.problem: str | None = None
        # Requests and bytes outside of Scrapy's own statistics, such as those for robots.txt and sitemaps.
        self.extra_requests = 0
        self.extra_bytes = 0

    def note_problem(self, problem: str) -> None:
        """Remember the first reason why the store was not read completely."""
        self.problem = self.problem or problem
