"""Reading page after page of a store in process, for platforms whose pages need a reader of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from aggregator.domain.errors import FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import HandOffLine, Store
from aggregator.fetching import Answer, Fetcher
from spiders.live_checks import state_of, unknown_state
from spiders.pages import select_page
from spiders.sitemaps import SitemapListing
from spiders.untrusted import refused

MOST_PAGES = 50_000
MAX_PAGE_BYTES = 8_000_000
_GONE = frozenset({404, 410})
# So many pages in a row without an answer, and the store is down rather than a page.
_GIVE_UP_AFTER = 20

log = logging.getLogger(__name__)

ReadPage = Callable[[Answer], Iterable[RawOffer | InvalidOffer]]


def walk_pages(urls: Iterable[str], fetcher: Fetcher, read: ReadPage) -> Iterator[RawOffer | InvalidOffer]:
    """The offers of all these pages. A page that is gone, or closed by robots.txt, counts as read.

    Raises StoreError in the end where a page did not answer, at once where many in a row did not. A page that
    breaks its reader is kept as unreadable.
    """
    problem: StoreError | None = None
    failures = 0
    for url in urls:
        try:
            answer = fetcher.get(url, max_bytes=MAX_PAGE_BYTES)
            if answer.status not in _GONE:
                answer.expect_ok()
        except StoreError as error:
            if isinstance(error, FetchRefused) and "robots.txt forbids" in error.problem:
                continue
            if isinstance(error, FetchRefused) and "budget" in error.problem:
                raise
            problem, failures = problem or error, failures + 1
            if failures == _GIVE_UP_AFTER:
                raise
            continue
        failures = 0
        if answer.status == 200:
            yield from read_safely(answer, read)
    if problem is not None:
        raise problem


def read_safely(answer: Answer, read: ReadPage) -> list[RawOffer | InvalidOffer]:
    """What the page says; where its reader breaks, the page as something unreadable."""
    try:
        return list(read(answer))
    except UnreadableAnswer as error:
        return [refused("unreadable_page", {}, external_id=answer.url, url=answer.url, detail=error.problem)]
    except Exception as error:  # a hostile page must not end the crawl
        log.exception("cannot read %s", answer.url)
        detail = f"{type(error).__name__}: {error}"[:200]
        return [refused("unreadable_page", {}, external_id=answer.url, url=answer.url, detail=detail)]


def check_page(line: HandOffLine, fetcher: Fetcher, read: ReadPage, currency: str | None) -> OfferState:
    """What the line's own page says now."""
    try:
        answer = fetcher.get(line.url, max_bytes=MAX_PAGE_BYTES)
        if answer.status in _GONE:
            return unknown_state(line.external_id, "is no longer listed")
        offers = read_safely(answer.expect_ok(), read)
    except StoreError as error:
        return unknown_state(line.external_id, error.problem)
    for offer in offers:
        if offer.external_id == line.external_id:
            return state_of(offer, currency)
    return unknown_state(line.external_id, "its page does not show it any more")


def read_listed_pages(
    store: Store, fetcher: Fetcher, *, sitemap_url: str | None = None
) -> Iterator[RawOffer | InvalidOffer]:
    """The offers of all pages that the sitemaps list, read as any shop's: for an API whose key nobody gave."""
    return walk_sitemap(
        store,
        fetcher,
        lambda answer: select_page(answer, store.reading_rules).to_raw_offers(),
        sitemap_url=sitemap_url,
    )


def walk_sitemap(
    store: Store, fetcher: Fetcher, read: ReadPage, *, sitemap_url: str | None = None
) -> Iterator[RawOffer | InvalidOffer]:
    """The offers of all pages that the store's sitemaps list, found at `sitemap_url` unless an option says where.

    Raises StoreError where not all could be read.
    """
    listing = SitemapListing(
        fetcher, store.url, sitemap_url=store.options.get("sitemap_url") or sitemap_url, most_pages=MOST_PAGES
    )
    yield from walk_pages(listing.pages(), fetcher, read)
    if listing.problem:
        raise UnreadableAnswer(store.url, listing.problem)
