"""The peer of the crawling benchmark: Scrapy as a new project has it, and extruct as its documents use it.

    python -m benchmarks.crawl_peer SITEMAP_URL

Settings are those that `scrapy startproject` leaves commented out or writes (robots.txt obeyed); a sitemap spider of
Scrapy's own walks the pages and yields what extruct finds in JSON-LD, microdata and OpenGraph. The politeness that
a new project's template asks for (one request at a time, a second apart) is taken back, so that it can be measured.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import extruct
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response, TextResponse
from scrapy.spiders import SitemapSpider


class PeerSpider(SitemapSpider):
    """Every page of the sitemap through extruct."""

    name = "peer"

    def parse(self, response: Response, **kwargs: Any) -> Iterator[dict[str, Any]]:
        """What the page's markup says."""
        assert isinstance(response, TextResponse)
        yield extruct.extract(
            response.text, base_url=response.url, syntaxes=["json-ld", "microdata", "opengraph"]
        )


def main() -> None:
    """Crawl and say how many items came."""
    process = CrawlerProcess({"ROBOTSTXT_OBEY": True, "BOT_NAME": "peer"})
    crawler = process.create_crawler(PeerSpider)
    process.crawl(crawler, sitemap_urls=[sys.argv[1]])
    process.start()
    print(crawler.stats.get_value("item_scraped_count", 0))


if __name__ == "__main__":
    main()
