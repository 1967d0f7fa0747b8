"""What every page object stands on: the parsed document, its own addresses, its heading."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from aggregator.domain.web_addresses import comparable_address
from spiders.html_trees import is_too_deep, is_too_wide
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
        html = response.text
        # Such a page is refused as a whole: parsing it would not come to an end.
        self.is_too_deep = is_too_deep(html) or is_too_wide(html)
        self.html = "" if self.is_too_deep else html
        # Bytes are searched faster than text.
        self._bytes = self.html.encode("utf-8", "replace")

    @cached_property
    def tree(self) -> LexborHTMLParser:
        """The parsed page."""
        # A NUL would end the text for the parser, and everything after it would be lost.
        return LexborHTMLParser(self._bytes.replace(b"\x00", b"") if b"\x00" in self._bytes else self._bytes)

    @cached_property
    def _nodes(self) -> dict[str, list[LexborNode]]:
        """The elements that readers ask for, found in one pass over the page."""
        found: dict[str, list[LexborNode]] = {"script": [], "meta": [], "link": [], "h1": [], "title": []}
        for node in self.tree.css("script, meta, link, h1, title"):
            found[node.tag or ""].append(node)
        return found

    @property
    def script_nodes(self) -> list[LexborNode]:
        """Its <script> elements."""
        return self._nodes["script"]

    def having(self, scope: str, name: str) -> list[LexborNode]:
        """The elements with one of two attributes, where the page has the first at all."""
        is_there = self.mentions(scope) or (scope == "itemscope" and self.mentions("itemScope"))
        return self.tree.css(f"[{scope}], [{name}]") if is_there else []

    def mentions(self, words: str) -> bool:
        """Whether the page's source has these words anywhere: a quick look before a close one."""
        return words.encode() in self._bytes

    @cached_property
    def canonical_url(self) -> str:
        """The address the page gives as its own, else where it came from."""
        links = (node.attributes for node in self._nodes["link"])
        canonical = next((link for link in links if (link.get("rel") or "").lower() == "canonical"), None)
        declared = canonical.get("href") if canonical else self.meta("og:url")
        return address(self.url, declared) or self.url

    @cached_property
    def own_addresses(self) -> frozenset[str]:
        """Comparable forms of the addresses that mean this page."""
        return frozenset(comparable_address(url) for url in (self.url, self.canonical_url))

    @cached_property
    def language(self) -> str | None:
        """What the page says its language is: "de-AT"."""
        root = self.tree.root
        return (root.attributes.get("lang") or root.attributes.get("xml:lang") or None) if root else None

    @cached_property
    def title(self) -> str | None:
        """The text of its <title>."""
        node = next(iter(self._nodes["title"]), None)
        return text(" ".join(node.text().split())) if node else None

    @cached_property
    def first_level_headings(self) -> list[LexborNode]:
        """Its <h1> elements."""
        return self._nodes["h1"][:20]

    @cached_property
    def site_names(self) -> list[str]:
        """What the site calls itself."""
        names = (self.meta("og:site_name"), self.meta("application-name"), self.meta("twitter:site"))
        return [name for name in names if name]

    @cached_property
    def headings(self) -> frozenset[str]:
        """What the page is about in its own words, folded for comparing."""
        first = next(iter(self.first_level_headings), None)
        words = [first.text() if first else None, self.meta("og:title")]
        return frozenset(fold_words(word) for word in words if word and word.strip())

    @cached_property
    def _metas(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self._nodes["meta"]:
            attributes = node.attributes
            if not attributes.get("content"):
                continue
            name = attributes.get("property") or attributes.get("name")
            if name:
                found.setdefault(name.strip().lower(), (attributes.get("content") or "").strip())
        return found

    def meta(self, *names: str) -> str | None:
        """The content of the first of these meta tags that the page fills."""
        metas = self._metas
        for name in names:
            if found := metas.get(name):
                return found
        return None

    def scripts(self, kind: str) -> Iterator[str]:
        """The texts of all scripts of that type."""
        for node in self.script_nodes:
            if (node.attributes.get("type") or "").split(";")[0].strip().lower() == kind:
                yield node.text()


def fold_words(words: str) -> str:
    """Words for comparing: one space between, no case."""
    return " ".join(words.split()).casefold()


def node_text(node: LexborNode) -> str | None:
    """The text of an element, its pieces apart from each other."""
    return text(" ".join(node.text(separator=" ").split()))


def host_of(url: str) -> str:
    """The host of an address, empty where it has none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def path_of(url: str) -> str:
    """The path of an address with its escapes undone, empty where it has none."""
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""
