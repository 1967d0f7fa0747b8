"""Product pages per CPU-second: read by the page objects, and crawled by the whole crawl process.

    python -m benchmarks.crawling [--pages 600] [--rounds 3]

The pages are the demo shops' (half with JSON-LD, half with microdata). Reading is measured in this process
beside extruct, which only collects the markup and reads no offer from it. A crawl takes robots.txt, sitemap
and pages from a static server in another process on loopback; its CPU-seconds are those of the crawl
process and of the reading end of its pipe, once with the start of the process and once without it.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import extruct

from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import Offer, RawOffer
from aggregator.domain.stores import Store
from aggregator.fetching import Fetcher
from aggregator.settings import Settings
from fixtures.demo.stores import run_demo_stores
from spiders.crawl_process import crawl_lines
from spiders.item_lines import Ending
from spiders.pages import select_page
from spiders.sitemaps import SitemapListing


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A page as it was served."""

    url: str
    text: str


def save_pages(count: int) -> list[SavedPage]:
    """That many pages of the two HTML shops."""
    pages = []
    with run_demo_stores() as stores:
        settings = Settings(allow_private_hosts=frozenset(f"127.0.0.1:{store.port}" for store in stores))
        for store in stores:
            if store.platform == "generic":
                with Fetcher(settings) as fetcher:
                    listing = SitemapListing(fetcher, store.url, sitemap_url=None, most_pages=100_000)
                    addresses = list(listing.pages())[: count // 2]
                    pages.extend(SavedPage(url, fetcher.get(url).text) for url in addresses)
    return pages


def read_offers(pages: list[SavedPage]) -> int:
    """What a crawl does with pages; how many offers were read."""
    found = 0
    for page in pages:
        for raw in select_page(page).to_raw_offers():
            found += isinstance(raw, RawOffer) and isinstance(normalize_offer(raw), Offer)
    return found


def collect_with_extruct(pages: list[SavedPage]) -> int:
    """The peer: markup only."""
    for page in pages:
        extruct.extract(page.text, base_url=page.url, syntaxes=["json-ld", "microdata", "opengraph"])
    return len(pages)


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU-seconds of this process and of the children it waited for."""
    before = sum(_used())
    work()
    return sum(_used()) - before


def _used() -> Iterator[float]:
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        yield usage.ru_utime + usage.ru_stime


@contextmanager
def static_site(pages: list[SavedPage]) -> Iterator[int]:
    """Serves the pages from a process of its own; gives the port."""
    with tempfile.TemporaryDirectory() as folder:
        for number, page in enumerate(pages):
            Path(folder, f"{number}.html").write_text(page.text, encoding="utf-8")
        server = subprocess.Popen(
            [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline().split(" port ")[1].split()[0])
            entries = "".join(
                f"<url><loc>http://127.0.0.1:{port}/{number}.html</loc></url>" for number in range(len(pages))
            )
            Path(folder, "sitemap.xml").write_text(f"<urlset>{entries}</urlset>", encoding="utf-8")
            yield port
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


def crawl(port: int) -> None:
    """Crawl the static site to its end."""
    settings = Settings(allow_private_hosts=frozenset({f"127.0.0.1:{port}"}))
    store = Store(id="b", slug="b", name="B", url=f"http://127.0.0.1:{port}", platform="generic")
    with crawl_lines(settings, store, "spiders.crawlers.sitemap:SitemapSpider") as lines:
        *_, ending = lines
    assert ending == Ending(None), ending


def report(name: str, pages: int, seconds: list[float]) -> None:
    """One row of the table."""
    middle = statistics.median(seconds)
    print(
        f"{name:44} {pages / middle:8,.0f} pages/CPU-s   ({min(seconds):.2f} to {max(seconds):.2f} s)",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    pages = save_pages(arguments.pages)
    rounds = range(arguments.rounds)
    size = sum(len(page.text) for page in pages) / len(pages) / 1000
    print(f"{len(pages)} pages of {size:.1f} kB on average, {read_offers(pages)} offers in them")
    report(
        "read (select_page, normalize_offer)",
        len(pages),
        [cpu_seconds(lambda: read_offers(pages)) for _ in rounds],
    )
    report(
        "extruct (markup only)",
        len(pages),
        [cpu_seconds(lambda: collect_with_extruct(pages)) for _ in rounds],
    )
    with static_site(pages[:1]) as port:
        start = statistics.median(cpu_seconds(lambda: crawl(port)) for _ in rounds)
    with static_site(pages) as port:
        began = time.monotonic()
        whole = [cpu_seconds(lambda: crawl(port)) for _ in rounds]
        elapsed = (time.monotonic() - began) / arguments.rounds
    report("crawled, start of the process included", len(pages), whole)
    report("crawled, start of the process left out", len(pages), [seconds - start for seconds in whole])
    print(f"starting and ending a crawl process: {start:.2f} CPU-s; one crawl: {elapsed:.1f} s elapsed")


if __name__ == "__main__":
    main()
