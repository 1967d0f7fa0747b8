"""Up to four products side by side; which, stands in the address."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, render_template, request, url_for

from aggregator.catalog.product_pages import get_product_page
from aggregator.domain.errors import NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.product_pages import ProductPage
from aggregator.domain.products import MovedProduct
from web.context import CURRENCY, parcel_terms
from web.db import current_session
from web.pages.products import can_be_bought

pages = Blueprint("compare", __name__)
MOST = 4


@pages.get("/compare")
def show() -> str:
    """The products of `ids`; those that are gone are left out, and it is said."""
    asked = list(dict.fromkeys(request.args.get("ids", "").replace(" ", ",").split(",")))
    asked = [public_id for public_id in asked if public_id]
    found = [page for public_id in asked[:MOST] if (page := _page(public_id)) is not None]
    ids = [page.detail.card.id for page in found]
    attributes = [dict(page.attributes) for page in found]
    totals = [_best_total(page) for page in found]
    return render_template(
        "compare/show.html",
        compared=found,
        left_out=len(asked) - len(found),
        most=MOST,
        attributes=attributes,
        names=list(dict.fromkeys(name for of_one in attributes for name in of_one)),
        bests=[next((offer for offer in page.detail.offers if can_be_bought(offer)), None) for page in found],
        lowest=min((total for total in totals if total is not None), default=None)
        if len(found) > 1
        else None,
        totals=totals,
        without={one: _address([other for other in ids if other != one]) for one in ids},
        suggestions=[(card, _address([*ids, card.id])) for card in found[0].similar if card.id not in ids][
            :MOST
        ]
        if found and len(found) < MOST
        else [],
    )


def _address(ids: list[str]) -> str:
    return url_for("compare.show", ids=",".join(ids)) if ids else url_for("compare.show")


def _page(public_id: str) -> ProductPage | None:
    if not is_public_id(public_id):
        return None
    try:
        page = get_product_page(current_session(), public_id, **parcel_terms())
    except NotFound:
        return None
    return _page(page.id) if isinstance(page, MovedProduct) else page


def _best_total(page: ProductPage) -> Decimal | None:
    """The lowest complete total in the site's currency: those of others would be compared as mere numbers."""
    totals = [offer.total for offer in page.detail.offers if offer.total and can_be_bought(offer)]
    return min((total.amount for total in totals if total.currency == CURRENCY), default=None)
