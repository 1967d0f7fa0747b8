"""The home page."""

from __future__ import annotations

from flask import Blueprint, render_template

from aggregator.catalog.price_ages import lowest_price_ages
from aggregator.catalog.search import browse_home
from aggregator.catalog.stores import list_stores
from aggregator.domain.products import SearchQuery
from web import search_address
from web.categories import merged_categories
from web.db import current_session

pages = Blueprint("home", __name__)


@pages.get("/")
def show() -> str:
    """Search, categories, popular and new products, stores with their freshness."""
    session = current_session()
    home = browse_home(session)
    return render_template(
        "home/show.html",
        home=home,
        ages=lowest_price_ages(session, [product.id for product in (*home.popular, *home.recent)]),
        categories=merged_categories(home.categories),
        address=search_address,
        all_products=SearchQuery(),
        stores=[store for store in list_stores(session) if store.is_active],
    )
