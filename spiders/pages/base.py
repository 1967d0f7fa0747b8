"""What every page object stands on: the parsed document, its own addresses, its heading."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

from selectolax.lexbor import LexborHTMLParser, LexborNode

from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.web_addresses import comparable_address
from spiders.untrusted import address, text


class HtmlResponse(Protocol):
    """What a page is read from: Scrapy's response or a fetched Answer, both are one."""

    @property
    def url(self) -> str:
        """Where it came from, after redirects."""

    @property
    def text(self) -> str:
        """Its HTML, decoded."""


class Document:
    """One HTML page, parsed once for all page objects."""

    def __init__(self, response: HtmlResponse) -> None:
        self.url = response.url
        # A NUL would end the text for the parser, and everything after it would be lost.
        self.html = response.text.replace("\x00", "")

    @cached_property
    def tree(self) -> LexborHTMLParser:
        """The parsed page."""
        return LexborHTMLParser(self.html)

    @cached_property
    def canonical_url(self) -> str:
        """The address the page gives as its own, else where it came from."""
        link = self.tree.css_first("link[rel='canonical' i]")
        declared = link.attributes.get("href") if link else self.meta("og:url")
        return address(self.url, declared) or self.url

    @cached_property
    def own_addresses(self) -> frozenset[str]:
        """Comparable forms of the addresses that mean this page."""
        return frozenset(comparable_address(url) for url in (self.url, self.canonical_url))

    @cached_property
    def headings(self) -> frozenset[str]:
        """What the page is about in its own words, folded for comparing."""
        first = self.tree.css_first("h1")
        words = [first.text() if first else None, self.meta("og:title")]
        return frozenset(fold_words(word) for word in words if word and word.strip())

    @cached_property
    def _metas(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self.tree.css("meta[content]"):
            attributes = node.attributes
            name = attributes.get("property") or attributes.get("name")
            if name:
                found.setdefault(name.strip().lower(), (attributes.get("content") or "").strip())
        return found

    def meta(self, *names: str) -> str | None:
        """The content of the first of these meta tags that the page fills."""
        return next((self._metas[name] for name in names if self._metas.get(name)), None)

    def scripts(self, kind: str) -> Iterator[str]:
        """The texts of all scripts of that type."""
        for node in self.tree.css("script[type]"):
            if (node.attributes.get("type") or "").split(";")[0].strip().lower() == kind:
                yield node.text()


class ProductPage:
    """A page that is no product page, or not one that can be read; page objects derive from it."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @property
    def is_product(self) -> bool:
        """Whether the page is about one product, as far as this page object can tell."""
        return False

    def to_raw_offers(self) -> list[RawOffer | InvalidOffer]:
        """The page's own product as offers, one a variant; never the products that it only mentions."""
        return []


def fold_words(words: str) -> str:
    """Words for comparing: one space between, no case."""
    return " ".join(words.split()).casefold()


def node_text(node: LexborNode) -> str | None:
    """The text of an element, its pieces apart from each other."""
    return text(" ".join(node.text(separator=" ").split()))
