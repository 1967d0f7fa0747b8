"""OpenCart: its sitemap where one is switched on, else categories and brands, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from selectolax.lexbor import LexborHTMLParser

from aggregator.domain.errors import FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Signal, Source, Store
from aggregator.domain.web_addresses import is_on_site
from aggregator.fetching import Answer, Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import origin, product_links
from spiders.html_trees import parse_html
from spiders.opencart_pages import is_product, product_key, read_listing, read_product
from spiders.page_walks import MOST_PAGES, check_page, walk_pages, walk_sitemap
from spiders.site_names import site_name
from spiders.untrusted import address

MAX_LISTINGS = 5000
_MOST_LINKS = 3000
# What a page links and loads, not what it writes about.
_LINK = re.compile(r"\b(?:href|src|action)\s*=\s*[\"']([^\"'<>]{1,1000})[\"']", re.IGNORECASE)
_ROUTE = re.compile(r"[?&]route=(?:product|common|checkout|account)/")
_FILES = re.compile(r"/catalog/view/(?:theme|javascript|stylesheet)/")


class OpenCartSource:
    """Reads the store's sitemap, or else finds its listings from the home page."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every product and choice. Raises StoreError where a listing could not be read to its end."""
        if store.options.get("sitemap_url") or fetcher.robots(store.url).sitemaps:
            yield from walk_sitemap(store, fetcher, read_page)
            return
        walk = _Walk(store, fetcher)
        seen: set[str] = set()
        for offer in walk_pages(walk.products(), fetcher, read_page):
            if offer.external_id not in seen:
                seen.add(offer.external_id)
                yield offer
        if walk.problem is not None:
            raise walk.problem


def read_page(answer: Answer) -> list[RawOffer | InvalidOffer]:
    """The offers of one product page; nothing of any other page."""
    return list(read_product(parse_html(answer.text, answer.url), answer.url))


class _Walk:
    """Listing after listing from the home page, each once. Read `products()` to the end, then see `problem`."""

    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self.problem: StoreError | None = None
        self._store, self._fetcher = store, fetcher

    def products(self) -> Iterator[str]:
        """One address of each listed product."""
        home = self._store.options.get("listing_url") or f"{origin(self._store)}/"
        waiting, known = [home], {home}
        given: set[str] = set()
        listings = 0
        while waiting:
            url = waiting.pop(0)
            answer = self._fetch(url, is_first=listings == 0)
            listings += 1
            if answer is None:
                continue
            document = self._parse(answer)
            if document is None:
                continue
            if is_product(document) and product_key(answer.url) not in given:
                # A theme that marks its lists in its own way leads here as if to another list.
                given.add(product_key(answer.url))
                yield answer.url
            listing = read_listing(document, answer.url, self._store.url)
            for found in listing.products:
                if product_key(found) not in given:
                    given.add(product_key(found))
                    yield found
            fresh = [link for link in (*listing.further, *listing.others) if link not in known]
            known.update(fresh)
            waiting.extend(fresh)
            if listings >= MAX_LISTINGS or len(given) >= MOST_PAGES:
                self._note(
                    UnreadableAnswer(home, f"has more than the {MAX_LISTINGS} listings that are walked")
                )
                return
        if not given:
            self._note(
                UnreadableAnswer(
                    home, "leads to no products; name a page that lists some with --set listing_url=https://…"
                )
            )

    def _fetch(self, url: str, *, is_first: bool) -> Answer | None:
        try:
            answer = self._fetcher.get(url, max_bytes=8_000_000)
            if answer.status in {404, 410} and not is_first:
                return None
            return answer.expect_ok()
        except FetchRefused as error:
            if is_first or "robots.txt forbids" not in error.problem:
                raise
            self._note(error)
        except StoreError as error:
            if is_first:
                raise
            self._note(error)
        return None

    def _parse(self, answer: Answer) -> LexborHTMLParser | None:
        try:
            return parse_html(answer.text, answer.url)
        except UnreadableAnswer as error:
            self._note(error)
        return None

    def _note(self, problem: StoreError) -> None:
        self.problem = self.problem or problem


def detect(evidence: Evidence) -> Detection:
    """By its session cookie, its routes and its files: two of the three."""
    home = evidence.home
    signals = []
    if re.search(r"(?:^|[,;\s])OCSESSID=", home.headers.get("set-cookie", "")):
        signals.append(Signal("OCSESSID", "cookie"))
    links = [link for found in _LINK.findall(home.text)[:_MOST_LINKS] if (link := address(home.url, found))]
    own = [link for link in links if is_on_site(link, home.url)]
    if any(_ROUTE.search(link) for link in own):
        signals.append(Signal("index.php?route=product/…", "home page"))
    if any(_FILES.search(link) for link in own):
        signals.append(Signal("catalog/view/", "home page"))
    if "product-thumb" in home.text and len(signals) > 0:
        signals.append(Signal("product-thumb", "home page"))
    if home.status != 200 or len(signals) < 2:
        return Detection(confidence=0.3, signals=tuple(signals)) if signals else NOT_DETECTED
    return Detection(
        confidence=0.9 if len(signals) > 2 else 0.8,
        signals=tuple(signals),
        sources=(Source(kind="pages", url=home.url),),
        name=site_name(home),
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read each line's own page."""
    return [check_page(line, fetcher, read_page, store) for line in lines]


platform = StorePlatform(
    name="opencart",
    title="OpenCart",
    detect=detect,
    source=OpenCartSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=("sitemap_url", "listing_url"),
)
