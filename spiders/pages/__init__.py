"""What a page says: select_page() gives the object that reads it."""

from __future__ import annotations

from collections.abc import Mapping

from spiders.pages.base import Document, HtmlResponse
from spiders.pages.product import ProductPage
from spiders.pages.reading import PageReading, read_page

__all__ = ["Document", "HtmlResponse", "PageReading", "ProductPage", "read_page", "select_page"]


def select_page(response: HtmlResponse, rules: Mapping[str, str] | None = None) -> ProductPage:
    """The page, ready to be read. `rules` names by field the source that a person believes for its store."""
    return ProductPage(Document(response), rules)
