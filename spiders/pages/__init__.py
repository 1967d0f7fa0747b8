"""What a page says: select_page() finds the page object that can read it."""

from __future__ import annotations

from spiders.pages.base import Document, HtmlResponse, ProductPage
from spiders.pages.open_graph import OpenGraphPage
from spiders.pages.schema_org import SchemaOrgPage

__all__ = ["HtmlResponse", "OpenGraphPage", "ProductPage", "SchemaOrgPage", "select_page"]


def select_page(response: HtmlResponse) -> ProductPage:
    """The page object that can tell a price, else one that at least knows a product, else one without offers."""
    document = Document(response)
    schema_org = SchemaOrgPage(document)
    if schema_org.has_price:
        return schema_org
    open_graph = OpenGraphPage(document)
    if open_graph.has_price:
        return open_graph
    return schema_org if schema_org.is_product else ProductPage(document)
