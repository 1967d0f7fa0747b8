"""The home page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, render_template

from aggregator.catalog.search import browse_home
from aggregator.catalog.stores import list_stores
from aggregator.domain.products import FacetValue, SearchQuery
from web import search_address
from web.db import current_session
from web.presenters import leaf

pages = Blueprint("home", __name__)


@dataclass(frozen=True, slots=True)
class CategoryChip:
    """Categories that differ only in what stores file them under, as one."""

    label: str
    count: int
    address: str


@pages.get("/")
def show() -> str:
    """Search, categories, popular and new products, stores with their freshness."""
    session = current_session()
    home = browse_home(session)
    return render_template(
        "home/show.html",
        home=home,
        categories=category_chips(home.categories),
        stores=[store for store in list_stores(session) if store.is_active],
    )


def category_chips(categories: Iterable[FacetValue]) -> list[CategoryChip]:
    """One chip for each last step of a category's path, the largest first."""
    by_name: defaultdict[str, list[FacetValue]] = defaultdict(list)
    for category in categories:
        by_name[leaf(category.label).casefold()].append(category)
    chips = [
        CategoryChip(
            leaf(same[0].label),
            sum(category.count for category in same),
            search_address.address(SearchQuery(categories=tuple(category.value for category in same))),
        )
        for same in by_name.values()
    ]
    return sorted(chips, key=lambda chip: -chip.count)
