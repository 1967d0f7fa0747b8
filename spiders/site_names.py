"""What a shop calls itself on its home page."""

from __future__ import annotations

import re

from aggregator.domain.stores import Page
from aggregator.domain.web_addresses import comparable_address
from spiders.pages.base import Document, fold_words
from spiders.untrusted import address, text

_SEPARATOR = re.compile(r"\s+[–—|·:-]\s+|\s*\|\s*")


def site_name(home: Page) -> str | None:
    """The name the site declares; else the part of its title that its own home link shows, else the first."""
    document = Document(home)
    declared = document.meta("og:site_name", "application-name")
    title = document.tree.css_first("title")
    parts = [part for part in _SEPARATOR.split(title.text().strip()) if part] if title else []
    if declared or not parts:
        return text(declared, 100)
    root = comparable_address(home.url.partition("?")[0])
    home_links = set()
    for link in document.tree.css("a[href]")[:200]:
        target = address(home.url, link.attributes.get("href"))
        if target and comparable_address(target) == root:
            home_links.add(fold_words(link.text()))
    return text(next((part for part in parts if fold_words(part) in home_links), parts[0]), 100)
