"""Results with facets, sorting and paging; the whole state is in the address."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, render_template, request

from aggregator.catalog.price_ages import lowest_price_ages
from aggregator.catalog.search import search_products
from web import search_address
from web.categories import merged_categories
from web.context import CURRENCY
from web.db import current_session

pages = Blueprint("search", __name__)


@pages.get("/search")
def show() -> str:
    """One page of results."""
    session = current_session()
    page = search_products(session, search_address.read_query(request.args))
    query = page.query
    return render_template(
        "search/show.html",
        page=page,
        query=query,
        ages=lowest_price_ages(session, [product.id for product in page.products]),
        categories=merged_categories(
            value for facet in page.facets if facet.name == "category" for value in facet.values
        ),
        chips=search_address.chips(query, page.facets, CURRENCY),
        address=search_address,
        currency=CURRENCY,
        next_page=page.next_cursor and search_address.address(replace(query, cursor=page.next_cursor)),
    )
