"""A Scrapy crawl in a process of its own: a job comes in on standard input, lines go out on standard output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from typing import IO, Any

from aggregator.domain.errors import StoreError
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.stores import Store
from aggregator.domain.vocabulary import TaxBasis
from aggregator.fetching import AddressGuard, Fetcher, user_agent
from aggregator.fetching.politeness import SHARED_POLITENESS
from aggregator.settings import Settings
from spiders.item_lines import Ending, Line, LineWriter, from_line
from spiders.rendering import rendering_settings
from spiders.store_options import is_rendered


@contextmanager
def crawl_lines(settings: Settings, store: Store, spider: str) -> Iterator[Iterator[Line]]:
    """Start a crawl and read its lines; leaving the block ends the process, whatever it is doing.

    The last line is an Ending, unless the process died.
    """
    job = {
        "spider": spider,
        "store": {**asdict(store), "shipping": store.shipping.to_json() if store.shipping else None},
        "settings": {
            "allow_private_hosts": sorted(settings.allow_private_hosts),
            "contact": settings.contact,
            "data_dir": str(settings.data_dir),
        },
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "spiders.crawl_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        # Ctrl-C is for the process that started the crawl: it ends this one when it is done with it.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        yield map(from_line, process.stdout)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()


def main() -> None:
    """Crawl one store. Standard input stays open as long as somebody wants the result."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    # What any library prints goes to standard error: standard output is for lines only.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stored = job["store"]
    shipping = stored.pop("shipping")
    store = Store(
        **{**stored, "tax_basis": TaxBasis(stored["tax_basis"])},
        shipping=ShippingRule.from_json(shipping) if shipping else None,
    )
    environment = {
        "CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(job["settings"]["allow_private_hosts"]),
        "CLICK2CART_CONTACT": job["settings"]["contact"],
        "CLICK2CART_DATA_DIR": job["settings"]["data_dir"],
    }
    _crawl(Settings.from_env(environment), store, job["spider"], output)


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _crawl(settings: Settings, store: Store, spider: str, output: IO[str]) -> None:
    from scrapy.crawler import AsyncCrawlerProcess
    from scrapy.settings import Settings as ScrapySettings

    from spiders.crawlers.base import StoreSpider
    from spiders.pipelines import counts_of

    writer = LineWriter(output)
    scrapy_settings = ScrapySettings()
    scrapy_settings.setmodule("spiders.settings", priority="project")
    with Fetcher(settings) as fetcher:
        try:
            fetcher.robots(store.url)
            scrapy_settings.setdict(_settings_for(settings, store), priority="cmdline")
        except StoreError as error:
            writer.write(Ending(str(error)))
            return
        counted = {"extra_requests": fetcher.requests, "extra_bytes": fetcher.bytes_received}
    module, _, name = spider.partition(":")
    spider_class: Any = getattr(import_module(module), name)
    process = AsyncCrawlerProcess(scrapy_settings)
    crawler = process.create_crawler(spider_class)
    crawl = process.crawl(crawler, store=store, app_settings=settings, lines=writer, **counted)
    process.start()
    finished = crawler.spider
    crash = crawl.exception() if crawl.done() and not crawl.cancelled() else None
    if crash is not None or not isinstance(finished, StoreSpider):
        writer.write(Ending(f"the crawl broke down ({type(crash).__name__}: {crash})"))
        return
    writer.write(counts_of(crawler))
    errors = int(crawler.stats.get_value("log_count/CRITICAL", 0))
    writer.write(Ending(finished.problem or ("the crawl broke down" if errors else None)))


def _settings_for(settings: Settings, store: Store) -> dict[str, Any]:
    """What this installation and this store's robots.txt (known by now) add."""
    guard = AddressGuard(settings)
    address = guard.check(store.url)
    is_own = guard.is_allowed_private(address)
    return {
        "USER_AGENT": user_agent(settings),
        "DOWNLOAD_DELAY": SHARED_POLITENESS.gap(address, is_own=is_own),
        "CONCURRENT_REQUESTS_PER_DOMAIN": 8 if is_own else 1,
        "CLICK2CART_SETTINGS": settings,
        **(rendering_settings(store) if is_rendered(store) else {}),
    }


if __name__ == "__main__":
    main()
