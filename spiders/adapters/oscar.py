"""django-oscar: the catalogue's pages, products and the children of their parents as offers."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from aggregator.domain.errors import UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOffLine, Signal, Source, Store
from aggregator.domain.web_addresses import is_on_site, with_query
from aggregator.fetching import Answer, Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import origin, product_links
from spiders.html_trees import parse_html
from spiders.page_walks import check_page, walk_pages
from spiders.site_names import site_name
from spiders.untrusted import address, code, refused, text, whole

MAX_PAGES = 5000
LISTING = "/catalogue/"
_NUMBER = re.compile(r"_(\d{1,18})/?$")
_BRAND_WORDS = frozenset("brand manufacturer marke hersteller marque fabricant marca merk fabrikant".split())
_MPN_WORDS = frozenset({"mpn", "model", "part number", "manufacturer part number"})


class OscarSource:
    """Walks the catalogue to its last page; the children of a parent are found on the parent's page only."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every product and child. Raises StoreError where a page did not answer."""
        children: deque[tuple[str, str]] = deque()
        parent_of: dict[str, str] = {}

        def pages() -> Iterator[str]:
            for url in _listed(store, fetcher):
                yield url
                while children:
                    child, parent = children.popleft()
                    parent_of[child] = parent
                    yield child

        def read(answer: Answer) -> Iterator[RawOffer | InvalidOffer]:
            document = parse_html(answer.text, answer.url)
            found = _children(document, answer.url)
            parent = _number(answer.url)
            if found and answer.url not in parent_of and parent:
                children.extend((url, parent) for url in found)
            else:
                yield read_product(document, answer.url, parent_of.get(answer.url))

        yield from walk_pages(pages(), fetcher, read)


def _listed(store: Store, fetcher: Fetcher) -> Iterator[str]:
    """The address of each listed product, once."""
    listing = store.options.get("listing_url") or _listing_url(store, fetcher)
    seen: set[str] = set()
    for number in range(1, MAX_PAGES + 1):
        asked = listing if number == 1 else with_query(listing, f"page={number}")
        answer = fetcher.get(asked).expect_ok()
        # Beyond its last page the catalogue leads back to its first.
        if number > 1 and f"page={number}" not in answer.url:
            return
        document = parse_html(answer.text, answer.url)
        known = len(seen)
        for link in document.css("article.product_pod h3 a[href]"):
            url = address(answer.url, link.attributes.get("href"))
            if url and url not in seen and is_on_site(url, store.url):
                seen.add(url)
                yield url
        if number == 1 and not seen:
            raise UnreadableAnswer(
                asked, "lists no products; name the catalogue with --set listing_url=https://…"
            )
        if len(seen) == known or not document.css_first("li.next a[href]"):
            return
    raise UnreadableAnswer(listing, f"has more than the {MAX_PAGES} pages that are walked")


def _listing_url(store: Store, fetcher: Fetcher) -> str:
    """Where the catalogue begins: shops in several languages have it below the language's code."""
    answer = fetcher.get(f"{origin(store)}/")
    for link in parse_html(answer.text, answer.url).css("a[href]")[:2000]:
        url = address(answer.url, link.attributes.get("href"))
        if url and url.partition("?")[0].endswith(LISTING) and is_on_site(url, store.url):
            return url.partition("?")[0]
    return f"{origin(store)}{LISTING}"


def _children(document: LexborHTMLParser, url: str) -> list[str]:
    """The children that a parent's page links beside its price."""
    found = []
    if document.css_first("form[action*='/basket/add/']") is None:
        for link in document.css(".product_main a[href]"):
            child = address(url, link.attributes.get("href"))
            if child and child != url and _NUMBER.search(child) and is_on_site(child, url):
                found.append(child)
    return list(dict.fromkeys(found))


def _number(url: str) -> str | None:
    found = _NUMBER.search(url.partition("?")[0])
    return found[1] if found else None


def read_product(document: LexborHTMLParser, url: str, parent: str | None = None) -> RawOffer | InvalidOffer:
    """A product's own page: its price with tax as shown, its UPC, its stock."""
    heading = document.css_first(".product_main h1") or document.css_first("h1")
    title, number = _words(heading), _number(url)
    if document.css_first("article.product_page") is None or number is None or title is None:
        return refused(
            "no_product", {}, external_id=number or url, title=title, url=url, detail="no product page"
        )
    facts: dict[str, str] = {}
    for row in document.css("article.product_page table tr")[:200]:
        name, value = _words(row.css_first("th")), _words(row.css_first("td"))
        if name and value:
            facts.setdefault(name.casefold(), value)
    availability = document.css_first(".product_main p.availability")
    picture = document.css_first("article.product_page img[src]")
    way = [words for link in document.css(".breadcrumb a") if (words := _words(link))]
    upc = code(facts.get("upc"))
    shown = _words(document.css_first(".product_main p.price_color"))
    return RawOffer(
        external_id=number,
        url=url,
        title=title,
        price=shown,
        availability=_availability(availability),
        stock_level=_stock_level(_words(availability)),
        brand=next((facts[word] for word in facts if word in _BRAND_WORDS), None),
        gtin=upc,
        mpn=next((facts[word] for word in facts if word in _MPN_WORDS), None),
        sku=upc,
        category=way[-1] if len(way) > 1 else None,
        image_url=address(url, picture.attributes.get("src")) if picture else None,
        item_group_id=parent,
        source="page",
        raw={
            "title": title,
            "price": shown,
            "availability": _words(availability),
            "facts": dict(list(facts.items())[:40]),
        },
    )


def _words(node: LexborNode | None) -> str | None:
    return text(" ".join(node.text(separator=" ").split())) if node else None


def _availability(node: LexborNode | None) -> str | None:
    classes = (node.attributes.get("class") or "").split() if node else []
    if "instock" in classes or "available" in classes:
        return "InStock"
    return "OutOfStock" if {"outofstock", "unavailable"} & set(classes) else None


def _stock_level(words: str | None) -> int | None:
    found = re.search(r"\((\d{1,9})\b", words or "")
    return whole(found[1]) if found else None


def detect(evidence: Evidence) -> Detection:
    """By the basket's cookie or Oscar's own files, confirmed by the catalogue's markup."""
    home = evidence.home
    signals = []
    if "oscar_open_basket" in home.headers.get("set-cookie", ""):
        signals.append(Signal("oscar_open_basket", "cookie"))
    if re.search(r"/?static/oscar/", home.text):
        signals.append(Signal("/static/oscar/", "home page"))
    if 'class="product_pod"' in home.text and 'class="price_color"' in home.text:
        signals.append(Signal("product_pod with price_color", "home page"))
    if not signals:
        return NOT_DETECTED
    found = re.search(r"href=[\"']((?:/[a-z-]{2,7})?/catalogue/)[\"']", home.text)
    path = found[1] if found else LISTING
    listing = evidence.get(path)
    if listing is None or listing.status != 200 or "product_pod" not in listing.text:
        return Detection(confidence=0.4, signals=tuple(signals))
    is_shop = bool(re.search(r"/basket/(?:add/|\")", listing.text + home.text))
    signals.append(Signal("a catalogue of product_pod articles", path))
    return Detection(
        confidence=0.9 if is_shop else 0.5,
        signals=tuple(signals),
        sources=(Source(kind="pages", url=listing.url),),
        name=site_name(home),
        options={"listing_url": listing.url.partition("?")[0]},
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read each line's own page."""
    return [check_page(line, fetcher, _check, store) for line in lines]


def _check(answer: Answer) -> list[RawOffer | InvalidOffer]:
    return [read_product(parse_html(answer.text, answer.url), answer.url)]


platform = StorePlatform(
    name="oscar",
    title="django-oscar",
    detect=detect,
    source=OscarSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=("listing_url",),
)
