"""Sitemaps of a store: found, read within bounds, without loops."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from aggregator.domain.crawling import NO_VALIDATORS, KnownSitemap, ListedPage, Validators
from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.web_addresses import is_on_site, join_web_address
from aggregator.fetching import Fetcher
from spiders.item_lines import Listed, SitemapRead

USUAL_PLACES = ("/sitemap.xml", "/sitemap_index.xml", "/wp-sitemap.xml")
_DEEPEST = 3
_MOST_SITEMAPS = 500
_MOST_BYTES = 60_000_000
_AT_ONCE = 500
_NAMES_PRODUCTS = re.compile(r"product|produkt|artikel|article-|items?\b|goods", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SitemapEntry:
    """One address of a sitemap; `is_index` where it is another sitemap, `lastmod` is its own text."""

    url: str
    is_index: bool
    lastmod: str | None = None


def parse_sitemap(pieces: Iterable[bytes], *, url: str) -> Iterator[SitemapEntry]:
    """The addresses of one sitemap file: XML, or plain text with a line each.

    Raises UnreadableAnswer where it ends in the middle or is something else.
    """
    remaining = iter(pieces)
    head = next(remaining, b"")
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        yield from _plain(_chained(head, remaining), url)
        return
    parser = etree.XMLPullParser(
        events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    root = ""
    try:
        for piece in _chained(head, remaining):
            parser.feed(piece)
            for event, element in parser.read_events():
                if event == "start":
                    root = root or _local(element.tag)
                    if root not in {"urlset", "sitemapindex"}:
                        raise UnreadableAnswer(url, f"is no sitemap but <{root[:30]}>")
                elif _local(element.tag) in {"url", "sitemap"}:
                    yield from _entries(element, url)
                    _forget(element)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise UnreadableAnswer(url, f"is no readable sitemap ({error.msg})") from error


def _chained(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _local(tag: object) -> str:
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _entries(element: etree._Element, url: str) -> Iterator[SitemapEntry]:
    location = lastmod = None
    for child in element:
        name = _local(child.tag)
        if name == "loc" and location is None:
            location = join_web_address(url, child.text or "")
        elif name == "lastmod":
            lastmod = (child.text or "").strip()[:40] or None
    if location:
        yield SitemapEntry(location, _local(element.tag) == "sitemap", lastmod)


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _plain(pieces: Iterable[bytes], url: str) -> Iterator[SitemapEntry]:
    lines = b"".join(pieces)[:_MOST_BYTES].decode("utf-8-sig", "replace").split()
    if not lines:
        raise UnreadableAnswer(url, "is empty")
    for line in lines:
        if not line.startswith(("http://", "https://")):
            raise UnreadableAnswer(url, "is no sitemap")
        yield SitemapEntry(line, False)


class SitemapListing:
    """Where a store says its pages are. Read it to the end, then see `problem`.

    `problem` is None only where every sitemap was read to its end. Sitemaps that are `known` (by address) are asked for
    only if they changed.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        site: str,
        *,
        sitemap_url: str | None,
        most_pages: int,
        known: Mapping[str, KnownSitemap] | None = None,
    ) -> None:
        self.problem: str | None = None
        self.sitemaps_read = 0
        self._fetcher = fetcher
        self._site = site
        self._given = sitemap_url
        self._most_pages = most_pages
        self._known = known or {}

    def pages(self) -> Iterator[str]:
        """Each listed page of the site, once. Raises StoreError where there is no sitemap at all."""
        for found in self.read():
            if isinstance(found, Listed):
                yield from (page.url for page in found.pages)

    def read(self) -> Iterator[Listed | SitemapRead]:
        """Pages some hundred at a time, each once, and after them the sitemap that lists them. Raises as `pages`."""
        waiting = [(url, 0) for url in reversed(self._beginnings())]
        known: set[str] = {url for url, _ in waiting}
        given: set[str] = set()
        while waiting:
            sitemap, depth = waiting.pop()
            if self.sitemaps_read >= _MOST_SITEMAPS:
                self._note(f"{self._site}: has more than the {_MOST_SITEMAPS} sitemaps that are read")
                return
            children: list[str] = []
            yield from self._read(sitemap, given, children)
            if len(given) > self._most_pages:
                self._note(f"{sitemap}: lists more than the {self._most_pages:,} pages that are read")
                return
            if children and depth == _DEEPEST:
                self._note(f"{sitemap}: lies deeper than {_DEEPEST} levels of sitemaps")
                continue
            chosen = [url for url in chosen_sitemaps(children) if url not in known]
            known.update(chosen)
            waiting.extend((url, depth + 1) for url in reversed(chosen))

    def _beginnings(self) -> list[str]:
        if self._given:
            return [self._given]
        named = self._fetcher.robots(self._site).sitemaps
        if named:
            return list(dict.fromkeys(url for url in named if join_web_address(self._site, url)))
        for place in USUAL_PLACES:
            url = join_web_address(self._site, place)
            if url is None:
                continue
            asked = self._validators(url).headers()
            if self._fetcher.get(url, headers=asked, max_bytes=_MOST_BYTES, is_cut=True).status in {200, 304}:
                return [url]
        raise FetchRefused(
            self._site, "has no sitemap; if there is one, give it with --set sitemap_url=https://…"
        )

    def _validators(self, sitemap: str) -> Validators:
        known = self._known.get(sitemap)
        return known.validators if known is not None else NO_VALIDATORS

    def _read(self, sitemap: str, given: set[str], children: list[str]) -> Iterator[Listed | SitemapRead]:
        """One sitemap; its pages go to `given`, the sitemaps that it names to `children`."""
        self.sitemaps_read += 1
        pages: list[ListedPage] = []
        try:
            with self._fetcher.download(
                sitemap, validators=self._validators(sitemap), max_bytes=_MOST_BYTES, max_seconds=300.0
            ) as download:
                if download.is_unchanged:
                    children += self._known[sitemap].children
                    yield SitemapRead(self._known[sitemap], is_unchanged=True)
                    return
                for entry in parse_sitemap(download.pieces, url=sitemap):
                    if entry.is_index:
                        children.append(entry.url)
                    elif entry.url not in given and is_on_site(entry.url, self._site):
                        given.add(entry.url)
                        if len(given) > self._most_pages:
                            break
                        pages.append(ListedPage(entry.url, entry.lastmod))
                        if len(pages) == _AT_ONCE:
                            yield Listed(sitemap, tuple(pages))
                            pages = []
                else:
                    if pages:
                        yield Listed(sitemap, tuple(pages))
                        pages = []
                    yield SitemapRead(KnownSitemap(sitemap, download.validators, tuple(children)))
        except StoreError as error:
            is_first = self.sitemaps_read == 1
            if is_first and isinstance(error, FetchFailed | FetchRefused):
                raise
            self._note(str(error))
        if pages:
            yield Listed(sitemap, tuple(pages))

    def _note(self, problem: str) -> None:
        self.problem = self.problem or problem


def chosen_sitemaps(children: list[str]) -> list[str]:
    """Of an index that names its product sitemaps only those: blogs and categories hold no offers."""
    products = [url for url in children if _NAMES_PRODUCTS.search(url.rpartition("//")[2].partition("/")[2])]
    return products or children
