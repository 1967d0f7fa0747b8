"""CPU-seconds of reading product pages whole, beside extruct collecting their markup, in one run.

    python -m benchmarks.reading [--manifest PAGES.jsonl] [--rounds 5] [--memory 20000]

Without a manifest (lines with `file` and `url`, as `click2cart extract --manifest` reads them) the pages are the
demo shops'. Of each page the quickest round counts, for both alike. "JSON-LD complete" are the pages whose
JSON-LD gives name, price, currency and availability; the price shown is compared with it all the same.
"cold" is one pass with every cache of ours emptied before it: a crawl of one shop meets the same words again.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from pathlib import Path

import extruct

from aggregator.fetching import Fetcher
from aggregator.settings import Settings
from fixtures.demo.stores import run_demo_stores
from spiders.pages import Document, read_page
from spiders.sitemaps import SitemapListing

_SYNTAXES = ["json-ld", "microdata", "opengraph"]
_COMPLETE = ("title", "price", "price_currency", "availability")


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A page as it was served."""

    url: str
    text: str


def save_pages(count: int) -> list[SavedPage]:
    """That many pages of the two demo shops that have no interface."""
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


def pages_of(manifest: Path) -> list[SavedPage]:
    """The pages that a manifest names."""
    pages = []
    for line in manifest.read_text("utf-8").splitlines():
        entry = json.loads(line)
        raw = (manifest.parent / entry["file"]).read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8", "replace")
        pages.append(SavedPage(entry.get("url") or "https://page.invalid/", text))
    return pages


def read(page: SavedPage) -> object:
    """All that a crawl reads of a page."""
    return read_page(Document(page))


def collect(page: SavedPage) -> object:
    """The peer: markup only."""
    return extruct.extract(page.text, base_url=page.url, syntaxes=_SYNTAXES, errors="ignore")


def is_complete(page: SavedPage) -> bool:
    """Whether JSON-LD alone answers what a shopper asks first."""
    said = read_page(Document(page)).candidates
    return all(any(one.source == "json_ld" for one in said.get(name, [])) for name in _COMPLETE)


def quickest(work: Callable[[SavedPage], object], pages: list[SavedPage], rounds: int) -> list[float]:
    """CPU-seconds of each page's quickest round."""
    seconds = [float("inf")] * len(pages)
    for _ in range(rounds):
        for index, page in enumerate(pages):
            before = time.process_time()
            work(page)
            seconds[index] = min(seconds[index], time.process_time() - before)
    return seconds


def cold_pass(pages: list[SavedPage]) -> list[float]:
    """CPU-seconds of each page after every cache of the readers was emptied."""
    for found in gc.get_objects():
        if isinstance(found, _lru_cache_wrapper) and found.__module__.startswith("spiders."):
            found.cache_clear()
    return quickest(read, pages, 1)


def report(name: str, ours: list[float], theirs: list[float], chosen: list[int]) -> None:
    """One row of the table."""
    mine, peer = sum(ours[index] for index in chosen), sum(theirs[index] for index in chosen)
    ratio = mine / peer if peer else 0
    print(f"{name:34} {len(chosen):4} pages   read {mine:.3f} s   extruct {peer:.3f} s   ratio {ratio:.2f}")


def watch_memory(pages: list[SavedPage], count: int) -> None:
    """The most memory held after a tenth of the pages and after all of them."""
    for number in range(count):
        read(pages[number % len(pages)])
        if number + 1 in {count // 10, count}:
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"after {number + 1:,} pages at most {held:,.0f} MB were held", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, default=2_000)
    arguments = parser.parse_args()
    pages = pages_of(arguments.manifest) if arguments.manifest else save_pages(200)
    every = list(range(len(pages)))
    complete = [index for index in every if is_complete(pages[index])]
    ours = quickest(read, pages, arguments.rounds)
    theirs = quickest(collect, pages, arguments.rounds)
    cold = [min(pair) for pair in zip(cold_pass(pages), cold_pass(pages), strict=True)]
    print(f"{sum(len(page.text) for page in pages) / len(pages) / 1000:.0f} kB a page on average")
    report("all", ours, theirs, every)
    report("JSON-LD complete", ours, theirs, complete)
    report("all, cold", cold, theirs, every)
    report("JSON-LD complete, cold", cold, theirs, complete)
    watch_memory(pages, arguments.memory)


if __name__ == "__main__":
    main()
