"""Any shop with a sitemap and readable product pages: crawled page by page, handed over by product links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from aggregator.domain.errors import StoreError
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import Offer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Page, Signal, Source, Store
from aggregator.domain.web_addresses import is_on_site, join_web_address
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders import cart_technologies
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.pages import select_page
from spiders.site_names import site_name
from spiders.sitemaps import USUAL_PLACES, SitemapEntry, chosen_sitemaps, parse_sitemap

_LOOKED_AT = 2000
_PAGES_TRIED = 2
_PRODUCT_PATH = re.compile(r"/(?:p|dp|products?|produkte?|artikel|items?|shop)(?:/|-|$)", re.IGNORECASE)


def detect(evidence: Evidence) -> Detection:
    """Sure only where a page that the sitemap lists was read as a product with a price."""
    sitemap = _find_sitemap(evidence)
    if sitemap is None:
        return NOT_DETECTED
    entries = _entries(sitemap)
    if entries and all(entry.is_index for entry in entries):
        first = chosen_sitemaps([entry.url for entry in entries])[0]
        listed = evidence.get(first) if is_on_site(first, evidence.home.url) else None
        entries = _entries(listed) if listed else []
    pages = [
        entry.url for entry in entries if not entry.is_index and is_on_site(entry.url, evidence.home.url)
    ]
    signals = [
        Signal(f"a sitemap with {len(pages)}{'+' if len(pages) == _LOOKED_AT else ''} pages", sitemap.url)
    ]
    sources = [Source(kind="sitemap", url=sitemap.url)]
    for url in _likely_products(pages):
        page = evidence.get(url)
        offer = _read_offer(page) if page is not None and page.status == 200 else None
        if page is not None and offer is not None:
            return Detection(
                confidence=0.8,
                signals=(*signals, Signal(f"a product with a price ({offer.source})", page.url)),
                sources=(*sources, Source(kind="pages", url=page.url)),
                name=site_name(evidence.home),
                currency=offer.price.currency,
                listed=len(pages),
            )
    return Detection(confidence=0.3, signals=tuple(signals), sources=tuple(sources), listed=len(pages))


def _find_sitemap(evidence: Evidence) -> Page | None:
    robots = evidence.get("/robots.txt")
    named = re.findall(r"(?im)^\s*sitemap:\s*(\S+)", robots.text) if robots and robots.status == 200 else []
    for place in chosen_sitemaps(named)[:1] or USUAL_PLACES[:1]:
        url = join_web_address(evidence.home.url, place)
        page = evidence.get(url) if url and is_on_site(url, evidence.home.url) else None
        if page is not None and page.status == 200 and _entries(page):
            return page
    return None


def _entries(page: Page) -> list[SitemapEntry]:
    """The first entries; what detection fetched may be cut off, so that an error at its end means nothing."""
    found: list[SitemapEntry] = []
    try:
        for entry in parse_sitemap([page.text.encode("utf-8", "replace")], url=page.url):
            found.append(entry)
            if len(found) == _LOOKED_AT:
                break
    except StoreError:
        pass
    return found


def _likely_products(pages: list[str]) -> list[str]:
    """The pages to try: those whose path says product, else those deepest in the site."""
    named = [url for url in pages if _PRODUCT_PATH.search(urlsplit(url).path)]
    likely = named or sorted(pages, key=lambda url: urlsplit(url).path.rstrip("/").count("/"), reverse=True)
    return likely[:_PAGES_TRIED]


def _read_offer(page: Page) -> Offer | None:
    for raw in select_page(page).to_raw_offers():
        offer = normalize_offer(raw) if isinstance(raw, RawOffer) else None
        if isinstance(offer, Offer):
            return offer
    return None


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read each line's own page."""
    return [_check(store, line, fetcher) for line in lines]


def _check(store: Store, line: HandOffLine, fetcher: Fetcher) -> OfferState:
    try:
        answer = fetcher.get(line.url, max_bytes=8_000_000)
    except StoreError as error:
        return unknown_state(line.external_id, error.problem)
    if answer.status != 200:
        gone = answer.status in {404, 410}
        return unknown_state(line.external_id, NO_LONGER_LISTED if gone else f"answered HTTP {answer.status}")
    offers = select_page(answer, store.reading_rules).to_raw_offers()
    for offer in offers:
        if offer.external_id == line.external_id or len(offers) == 1:
            return replace(state_of(offer, store), external_id=line.external_id)
    return unknown_state(line.external_id, "its page does not show it any more")


platform = StorePlatform(
    name="generic",
    title="Product pages",
    detect=detect,
    spider="spiders.crawlers.pages:PageCrawl",
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="cart_link", build=cart_technologies.build_handoff),
    options=("sitemap_url", "offer_key", "render", *cart_technologies.OPTIONS),
)
