"""The home page."""

from __future__ import annotations

from flask import Blueprint, render_template

from aggregator.catalog.price_ages import lowest_price_ages
from aggregator.catalog.price_history import list_price_drops
from aggregator.catalog.search import browse_home
from aggregator.catalog.store_freshness import list_freshness
from aggregator.catalog.stores import list_stores
from web.category_tree import department_branches
from web.db import current_session
from web.pages.drops import RECENT
from web.search_place import search_index

pages = Blueprint("home", __name__)
_DROPS = 6
_STORES = 12


@pages.get("/")
def show() -> str:
    """Search, categories, price drops, popular and new products, stores with their freshness."""
    session = current_session()
    home = browse_home(session, search_index())
    stores = [store for store in list_stores(session) if store.is_active]
    shown_stores = sorted(stores, key=lambda store: -store.offer_count)[:_STORES]
    return render_template(
        "home/show.html",
        home=home,
        ages=lowest_price_ages(session, [product.id for product in (*home.popular, *home.recent)]),
        departments=department_branches(),
        drops=list_price_drops(session, within=RECENT, limit=_DROPS),
        stores=stores,
        shown_stores=shown_stores,
        freshness=list_freshness(session, [store.slug for store in shown_stores]),
    )
