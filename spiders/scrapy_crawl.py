"""Crawls by Scrapy, inside of the crawl process: spiders of third parties, and pages that want a browser."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from scrapy.crawler import AsyncCrawlerProcess
from scrapy.settings import Settings as ScrapySettings

from aggregator.domain.errors import StoreError
from aggregator.domain.stores import Store
from aggregator.fetching import user_agent
from aggregator.settings import Settings
from spiders.crawlers.base import StoreSpider
from spiders.crawlers.sitemap import SitemapSpider
from spiders.item_lines import Ending, LineWriter
from spiders.pipelines import counts_of
from spiders.rendering import rendering_settings
from spiders.store_options import is_rendered


def crawl_with_scrapy(settings: Settings, store: Store, job: dict[str, Any], writer: LineWriter) -> None:
    """Run the job's spider to its end; a store whose pages are rendered gets the sitemap spider."""
    scrapy_settings = ScrapySettings()
    scrapy_settings.setmodule("spiders.settings", priority="project")
    scrapy_settings.setdict(
        {
            "USER_AGENT": user_agent(settings),
            "DOWNLOAD_DELAY": job["gap"],
            "CONCURRENT_REQUESTS_PER_DOMAIN": job["concurrency"],
            "AUTOTHROTTLE_ENABLED": not job["is_own"],
            "AUTOTHROTTLE_START_DELAY": job["gap"],
            "CLICK2CART_SETTINGS": settings,
        },
        priority="cmdline",
    )
    try:
        scrapy_settings.setdict(rendering_settings(store) if is_rendered(store) else {}, priority="cmdline")
    except StoreError as error:
        writer.write(Ending(str(error)))
        return
    module, _, name = job["spider"].partition(":")
    spider_class: Any = getattr(import_module(module), name)
    if not issubclass(spider_class, StoreSpider):
        spider_class = SitemapSpider
    process = AsyncCrawlerProcess(scrapy_settings)
    crawler = process.create_crawler(spider_class)
    crawl = process.crawl(crawler, store=store, app_settings=settings, lines=writer)
    process.start()
    finished = crawler.spider
    crash = crawl.exception() if crawl.done() and not crawl.cancelled() else None
    if crash is not None or not isinstance(finished, StoreSpider):
        writer.write(Ending(f"the crawl broke down ({type(crash).__name__}: {crash})"))
        return
    writer.write(counts_of(crawler))
    errors = int(crawler.stats.get_value("log_count/CRITICAL", 0))
    writer.write(Ending(finished.problem or ("the crawl broke down" if errors else None)))
