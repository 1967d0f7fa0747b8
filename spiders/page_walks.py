"""Reading page after page of a store in process, for platforms whose pages need a reader of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aggregator.domain.crawling import NO_VALIDATORS, FeedVisit, PageVisit, PlannedPage
from aggregator.domain.errors import FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import HandOffLine, Store
from aggregator.fetching import Answer, Fetcher
from aggregator.fetching.fetcher import Download
from spiders.frontier import PageFrontier
from spiders.item_lines import Listed
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.page_reading import read_visit, refusal_outcome
from spiders.pages import select_page
from spiders.sitemaps import SitemapListing
from spiders.untrusted import refused

MOST_PAGES = 250_000
MAX_PAGE_BYTES = 8_000_000
_GONE = frozenset({404, 410})
# So many pages in a row without an answer, and the store is down rather than a page.
_GIVE_UP_AFTER = 20

log = logging.getLogger(__name__)

ReadPage = Callable[[Answer], Iterable[RawOffer | InvalidOffer]]


# What the sources of a run walk: set by who runs them, since a source is only given its store and a fetcher.
_frontier: ContextVar[PageFrontier | None] = ContextVar("frontier", default=None)


@contextmanager
def walking(frontier: PageFrontier) -> Iterator[None]:
    """Sources that walk pages within this block use this frontier; elsewhere every page is fetched as if new."""
    token = _frontier.set(frontier)
    try:
        yield
    finally:
        _frontier.reset(token)


class FollowedFeed:
    """A feed as it arrives; set `is_lasting` to False where what it says changes with the time of day."""

    def __init__(self, download: Download) -> None:
        self.is_unchanged = download.is_unchanged
        self.pieces = download.pieces
        self.is_lasting = True


@contextmanager
def following_feed(url: str, fetcher: Fetcher) -> Iterator[FollowedFeed]:
    """The feed at `url`, asked for conditionally within a run; the block must read it to its end, or raise.

    Where it `is_unchanged` there is nothing to read: every offer of the store counts as checked.
    """
    frontier = _frontier.get() or PageFrontier()
    with fetcher.download(url, validators=frontier.feed_validators(url)) as download:
        feed = FollowedFeed(download)
        yield feed
    validators = download.validators if feed.is_lasting else NO_VALIDATORS
    frontier.feed = FeedVisit(url, validators, download.is_unchanged)


def walk_pages(urls: Iterable[str], fetcher: Fetcher, read: ReadPage) -> Iterator[RawOffer | InvalidOffer]:
    """The offers of all these pages, taken one by one: reading a page may bring further addresses.

    A page that is gone, or closed by robots.txt, counts as read. Raises StoreError in the end where a page did not
    answer, at once where many in a row did not. A page that breaks its reader is kept as unreadable.
    """
    pages = (PlannedPage(position, url) for position, url in enumerate(urls))
    for offers, _ in _walk(pages, fetcher, read):
        yield from offers


def _walk(
    pages: Iterable[PlannedPage], fetcher: Fetcher, read: ReadPage
) -> Iterator[tuple[list[RawOffer | InvalidOffer], PageVisit]]:
    """What came of each page; raises in the end, or at once, as `walk_pages` says."""
    problem: StoreError | None = None
    failures = 0
    for page in pages:
        try:
            answer = fetcher.get(page.url, headers=page.validators.headers(), max_bytes=MAX_PAGE_BYTES)
            if answer.status not in _GONE and answer.status != 304:
                answer.expect_ok()
        except StoreError as error:
            if isinstance(error, FetchRefused) and "budget" in error.problem:
                raise
            if isinstance(error, FetchRefused):
                yield [], PageVisit(position=page.position, outcome=refusal_outcome(error))
                continue
            yield [], PageVisit(position=page.position, outcome="failed")
            problem, failures = problem or error, failures + 1
            if failures == _GIVE_UP_AFTER:
                raise
            continue
        failures = 0
        if answer.status in _GONE:
            yield [], PageVisit(position=page.position, outcome="gone")
        else:
            yield read_visit(page, answer, lambda answer: read_safely(answer, read))
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


def check_page(line: HandOffLine, fetcher: Fetcher, read: ReadPage, store: Store) -> OfferState:
    """What the line's own page says now."""
    try:
        answer = fetcher.get(line.url, max_bytes=MAX_PAGE_BYTES)
        if answer.status in _GONE:
            return unknown_state(line.external_id, NO_LONGER_LISTED)
        offers = read_safely(answer.expect_ok(), read)
    except StoreError as error:
        return unknown_state(line.external_id, error.problem)
    for offer in offers:
        if offer.external_id == line.external_id:
            return state_of(offer, store)
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
    frontier = _frontier.get() or PageFrontier()
    if not frontier.is_listed:
        listing = SitemapListing(
            fetcher,
            store.url,
            sitemap_url=store.options.get("sitemap_url") or sitemap_url,
            most_pages=MOST_PAGES,
            known={sitemap.url: sitemap for sitemap in frontier.sitemaps},
        )
        for found in listing.read():
            if isinstance(found, Listed):
                frontier.list_pages(found.sitemap, found.pages)
            else:
                frontier.note_sitemap(found.sitemap, is_unchanged=found.is_unchanged)
        problem = f"{store.url}: {listing.problem}" if listing.problem else None
        frontier.close_listing(problem)
    for offers, visit in _walk(frontier.pages(), fetcher, read):
        if visit.outcome in {"read", "barren"}:
            frontier.pages_read += 1
            frontier.pages_without_offers += not any(isinstance(offer, RawOffer) for offer in offers)
        yield from offers
        frontier.note(visit)
    if frontier.problem:
        place, _, words = frontier.problem.partition(": ")
        raise UnreadableAnswer(place, words)
