"""Where a crawl's offers go: as lines to the process that started it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from aggregator.domain.offers import InvalidOffer, RawOffer
from spiders.crawlers.base import StoreSpider
from spiders.item_lines import Counts

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

_COUNTS_EVERY = 25


class LinesPipeline:
    """Writes each offer, and now and then how much was fetched."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._since_counts = 0

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """As Scrapy builds pipelines."""
        return cls(crawler)

    def process_item(self, item: Any) -> Any:
        """One offer onward."""
        spider = self._crawler.spider
        writer = spider.lines if isinstance(spider, StoreSpider) else None
        if writer is not None and isinstance(item, RawOffer | InvalidOffer):
            writer.write(item)
            self._since_counts += 1
            if self._since_counts == _COUNTS_EVERY:
                self._since_counts = 0
                writer.write(counts_of(self._crawler))
        return item


def counts_of(crawler: Crawler) -> Counts:
    """Requests and bytes of a crawl so far."""
    statistics = crawler.stats
    spider = crawler.spider
    extra = (spider.extra_requests, spider.extra_bytes) if isinstance(spider, StoreSpider) else (0, 0)
    return Counts(
        requests=int(statistics.get_value("downloader/request_count", 0)) + extra[0],
        bytes_received=int(statistics.get_value("downloader/response_bytes", 0)) + extra[1],
    )
