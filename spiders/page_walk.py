"""Reading a store's listed product pages in process, for platforms whose catalogue API needs a key."""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.stores import Store
from aggregator.fetching import Fetcher
from spiders.pages import select_page
from spiders.sitemaps import SitemapListing
from spiders.untrusted import refused

MOST_PAGES = 50_000
_LARGEST_PAGE = 8_000_000
_MOST_FAILURES_IN_A_ROW = 10


def read_listed_pages(
    store: Store, fetcher: Fetcher, *, sitemap_url: str | None = None
) -> Iterator[RawOffer | InvalidOffer]:
    """The offers of every page that the sitemaps list; pages that are gone or closed to us hold none.

    Raises StoreError at the end where a sitemap or a page did not answer, so that nothing unread counts as gone.
    """
    listing = SitemapListing(
        fetcher, store.url, sitemap_url=store.options.get("sitemap_url") or sitemap_url, most_pages=MOST_PAGES
    )
    failure: StoreError | None = None
    failed = 0
    for url in listing.pages():
        try:
            answer = fetcher.get(url, max_bytes=_LARGEST_PAGE)
            if answer.status in {404, 410}:
                continue
            answer.expect_ok()
        except FetchRefused as error:
            # One page may be closed or too large; a budget that is used up is the end of everything.
            if "budget" in error.problem:
                raise
            continue
        except FetchFailed as error:
            failure = failure or error
            failed += 1
            if failed >= _MOST_FAILURES_IN_A_ROW:
                raise
            continue
        failed = 0
        try:
            yield from select_page(answer).to_raw_offers()
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
            detail = f"{type(error).__name__}: {error}"[:200]
            yield refused("unreadable_page", {}, external_id=url, url=url, detail=detail)
    if listing.problem:
        raise FetchFailed(store.url, listing.problem)
    if failure is not None:
        raise failure
