"""Feeds to subscribe to: a product's price changes, and what a search finds."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.price_ages import lowest_price_changes
from aggregator.catalog.product_details import get_product_detail
from aggregator.catalog.product_pages import get_price_history
from aggregator.catalog.search import search_products
from aggregator.domain.identifiers import require_public_id
from aggregator.domain.money import Money
from aggregator.domain.price_history import lowest_line
from aggregator.domain.products import MovedProduct
from web import search_address
from web.atom import Entry, feed
from web.context import assumed_shipping, moved_to
from web.db import current_session
from web.presenters import money, product_path
from web.search_place import search_index
from web.structured_data import absolute

pages = Blueprint("feeds", __name__, url_prefix="/feeds")
_MOST_ENTRIES = 50


@pages.get("/products/<public_id>.atom")
def product(public_id: str) -> Response:
    """Each change of a product's lowest price, the newest first."""
    require_public_id("product", public_id)
    session = current_session()
    detail = get_product_detail(session, public_id, assumed_shipping=assumed_shipping())
    if isinstance(detail, MovedProduct):
        return moved_to(url_for("feeds.product", public_id=detail.id))
    history, currency = get_price_history(session, public_id)
    line = lowest_line(one for one in history if one.currency == currency)
    page = absolute(product_path(detail.card))
    entries = [
        Entry(
            key=str(int(point.recorded_at.timestamp())),
            title=money(Money(point.price, currency or ""))
            if point.is_available
            else _("Sold out everywhere"),
            url=page,
            updated_at=point.recorded_at,
            summary=detail.card.title,
        )
        for point in line[-_MOST_ENTRIES:]
    ]
    return feed(
        _("Lowest price of %(title)s", title=detail.card.title), page, absolute(request.path), entries
    )


@pages.get("/search.atom")
def search() -> Response:
    """What a search finds, with its prices; an entry is new when the product is, or its lowest price."""
    query = replace(
        search_address.read_query(request.args), sorting="newest", cursor=None, limit=_MOST_ENTRIES
    )
    session = current_session()
    found = search_products(session, query, search_index())
    changes = lowest_price_changes(session, [card.id for card in found.products])
    entries = [
        Entry(
            key=format(card.lowest_price.amount, "f") if card.lowest_price else "",
            title=f"{card.title}: {money(card.lowest_price)}" if card.lowest_price else card.title,
            url=absolute(product_path(card)),
            updated_at=changes[card.id],
            summary=" · ".join(filter(None, (card.brand, money(card.lowest_price)))),
        )
        for card in found.products
        if card.id in changes
    ]
    own = search_address.address(replace(query, sorting="relevance"), request.path)
    page = search_address.address(replace(query, sorting="relevance"))
    words = _("Search: %(words)s", words=query.text) if query.text else _("New products")
    return feed(words, absolute(page), absolute(own), entries)
