"""Stores as shoppers see them: what they sell here, how fresh it is."""

from __future__ import annotations

from flask import Blueprint, render_template

from aggregator.catalog.price_ages import lowest_price_ages
from aggregator.catalog.search import search_products
from aggregator.catalog.store_freshness import list_freshness
from aggregator.catalog.stores import get_store, get_store_summary, list_stores
from aggregator.domain.products import SearchQuery
from web.db import current_session
from web.search_place import search_index

pages = Blueprint("stores", __name__, url_prefix="/stores")


@pages.get("")
def index() -> str:
    """Every store that is read."""
    session = current_session()
    stores = [store for store in list_stores(session) if store.is_active]
    freshness = list_freshness(session, [store.slug for store in stores])
    return render_template("stores/index.html", stores=stores, freshness=freshness)


@pages.get("/<slug>")
def show(slug: str) -> str:
    """One store: how fresh its range is, what it asks for shipping, some of its products."""
    session = current_session()
    store = get_store_summary(session, slug)
    page = search_products(session, SearchQuery(stores=(slug,), sorting="stores", limit=12), search_index())
    ages = lowest_price_ages(session, [product.id for product in page.products])
    shipping = get_store(session, slug).shipping
    return render_template(
        "stores/show.html",
        store=store,
        page=page,
        ages=ages,
        shipping=shipping,
        freshness=list_freshness(session, [slug]),
    )
