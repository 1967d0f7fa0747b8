"""Categories: the tree, and a page for each place in it."""

from __future__ import annotations

from flask import Blueprint, render_template

from aggregator.catalog.price_ages import lowest_price_ages
from aggregator.catalog.taxonomy import products_of_category
from web.category_tree import branch_of, category_trail, department_branches
from web.db import current_session

pages = Blueprint("categories", __name__, url_prefix="/categories")


@pages.get("")
def index() -> str:
    """All departments with their categories."""
    return render_template("categories/index.html", departments=department_branches())


@pages.get("/<key>")
def show(key: str) -> str:
    """One department or category: what is in it, and what most stores sell of it."""
    session = current_session()
    products = products_of_category(session, key)
    return render_template(
        "categories/show.html",
        branch=branch_of(key),
        trail=category_trail(key),
        products=products,
        ages=lowest_price_ages(session, [product.id for product in products]),
    )
