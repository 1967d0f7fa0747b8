"""Results with facets, sorting and paging, all of it in the address; suggestions; how results are ordered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flask import Blueprint, Response, jsonify, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.catalog.price_ages import lowest_price_ages
from aggregator.catalog.search import find_identified, search_products, suggest
from aggregator.catalog.search_prices import recent_prices, unit_prices
from aggregator.domain.money import Money
from aggregator.domain.products import FacetValue, ProductCard, SearchQuery
from aggregator.domain.taxonomy import categories
from aggregator.shopping.wish_places import wished_for
from web import plan_words, search_address
from web.category_tree import category_name
from web.context import CURRENCY, cart_token, current_settings, go_to, parcel_terms
from web.db import current_session
from web.presenters import leaf, money, number, product_path
from web.search_choices import chips, facet_groups
from web.search_place import search_index

pages = Blueprint("search", __name__)
_SHORTEST_SUGGESTED = 2


@pages.get("/search")
def show() -> str | Response:
    """One page of results; an identifier leads straight to its product."""
    session = current_session()
    asked = search_address.read_query(request.args)
    if asked == SearchQuery(text=asked.text):
        identified = find_identified(session, asked.text, search_index())
        if identified is not None:
            return go_to(product_path(identified), 302)
    assumed = parcel_terms()["assumed_shipping"]
    page = search_products(session, replace(asked, assumed_shipping=assumed), search_index())
    query = page.query
    product_ids = [product.id for product in page.products]
    return render_template(
        "search/show.html",
        page=page,
        query=query,
        ages=lowest_price_ages(session, product_ids),
        recent=recent_prices(session, product_ids),
        wished=wished_for(session, cart_token(), product_ids),
        unit_prices=unit_prices(session, product_ids) if query.sorting == "unit" else {},
        groups=facet_groups(query, page.facets, CURRENCY),
        chips=chips(query, page.facets, CURRENCY),
        address=search_address,
        currency=CURRENCY,
        assumed=Money(assumed, CURRENCY),
        next_page=page.next_cursor and search_address.address(replace(query, cursor=page.next_cursor)),
    )


@pages.get("/search/suggestions")
def suggestions() -> Response:
    """What may be meant by what is being typed, for the search field."""
    text = search_address.read_query(request.args).text
    found = []
    if len(text) >= _SHORTEST_SUGGESTED:
        suggested = suggest(current_session(), text, search_index())
        found += [
            {
                "kind": "category",
                "text": _("%(words)s in %(category)s", words=text, category=_category(value.value)),
                "detail": ngettext(
                    "%(count)s product", "%(count)s products", value.count, count=number(value.count)
                ),
                "url": search_address.address(SearchQuery(text=text, categories=(value.value,))),
            }
            for value in _narrowest(suggested.categories)[:2]
        ]
        found += [
            {"kind": "product", "text": card.title, "detail": _detail(card), "url": product_path(card)}
            for card in suggested.products
        ]
    answer = jsonify(query=text, suggestions=found)
    answer.headers["Cache-Control"] = "private, max-age=60"
    return answer


@pages.get("/ranking")
def ranking() -> str:
    """How results are ordered."""
    return render_template(
        "search/ranking.html",
        assumed=Money(parcel_terms()["assumed_shipping"], CURRENCY),
        country=plan_words.country_name(current_settings().country),
    )


def _narrowest(values: Sequence[FacetValue]) -> list[FacetValue]:
    """The categories without the departments of those that are there too."""
    parents = {categories()[value.value].parent for value in values if value.value in categories()}
    return [value for value in values if value.value not in parents]


def _category(key: str) -> str:
    return category_name(key) if key in categories() else leaf(key)


def _detail(card: ProductCard) -> str:
    stores = ngettext("at %(num)s store", "at %(num)s stores", card.store_count)
    if card.lowest_price is None:
        return str(stores)
    return f"{_('from %(price)s', price=money(card.lowest_price))} · {stores}"
