"""A crawl of pages in a process of its own: a job and pages to fetch come in, lines go out.

The process lists and fetches; which of the listed pages are worth fetching is decided by who started it, page by page
and while it runs, so that a host's turns are kept over all processes and nothing is lost when it dies. It knows no
database: `spiders.crawl_conversation` is the other side.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from importlib import import_module
from typing import Any

from aggregator.domain.crawling import KnownSitemap, PlannedPage, Validators
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.stores import Store
from aggregator.domain.vocabulary import TaxBasis
from aggregator.fetching import AddressGuard
from aggregator.fetching.politeness import SHARED_POLITENESS, read_kept_robots
from aggregator.settings import Settings
from spiders.item_lines import LineWriter
from spiders.store_options import is_rendered


def main() -> None:
    """Crawl one store. Standard input stays open as long as somebody wants the result."""
    job = json.loads(sys.stdin.readline())
    # What any library prints goes to standard error: standard output is for lines only.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stored = {**job["store"], "offer_rules": Store.__dataclass_fields__["offer_rules"].default}
    shipping = stored.pop("shipping")
    store = Store(
        **{**stored, "tax_basis": TaxBasis(stored["tax_basis"])},
        shipping=ShippingRule.from_json(shipping) if shipping else None,
    )
    environment = {
        "CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(job["settings"]["allow_private_hosts"]),
        "CLICK2CART_NEVER_FETCH": ",".join(job["settings"]["never_fetch"]),
        "CLICK2CART_CONTACT": job["settings"]["contact"],
        "CLICK2CART_DATA_DIR": job["settings"]["data_dir"],
        "CLICK2CART_PAGE_SECONDS": str(job["settings"]["page_seconds"]),
    }
    settings = Settings.from_env(environment)
    robots = job["robots"]
    SHARED_POLITENESS.keep_rules(
        AddressGuard.read(store.url).origin, read_kept_robots(robots["state"], robots["text"])
    )
    module, _, name = job["spider"].partition(":")
    crawler: Any = getattr(import_module(module), name)
    writer = LineWriter(output)
    if hasattr(crawler, "from_crawler") or is_rendered(store):
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        _crawl_with_scrapy(settings, store, job, writer)
    else:
        asyncio.run(_walk_pages(crawler, settings, store, job, writer))


async def _walk_pages(
    crawler: Any, settings: Settings, store: Store, job: dict[str, Any], writer: LineWriter
) -> None:
    from spiders.crawlers.pages import CrawlJob, PageInbox

    inbox = PageInbox(asyncio.get_running_loop())
    threading.Thread(target=_read_pages, args=(inbox,), daemon=True).start()
    sitemaps = tuple(
        KnownSitemap(known["url"], Validators(**known["validators"]), tuple(known["children"]))
        for known in job["sitemaps"]
    )
    crawl_job = CrawlJob(
        settings=settings,
        store=store,
        concurrency=job["concurrency"],
        is_own=job["is_own"],
        is_listed=job["is_listed"],
        sitemaps=sitemaps,
    )
    writer.write(await crawler(crawl_job, writer, inbox).run())


def _read_pages(inbox: Any) -> None:
    """Hand on what comes in; when nothing more can come, nobody wants the result any more."""
    for line in sys.stdin:
        pages = json.loads(line)
        inbox.put(
            None
            if pages is None
            else [
                (PlannedPage(position, url, Validators(etag, last_modified), digest), at)
                for position, url, etag, last_modified, digest, at in pages
            ]
        )
    os._exit(1)


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _crawl_with_scrapy(settings: Settings, store: Store, job: dict[str, Any], writer: LineWriter) -> None:
    from spiders.scrapy_crawl import crawl_with_scrapy

    crawl_with_scrapy(settings, store, job, writer)


if __name__ == "__main__":
    main()
