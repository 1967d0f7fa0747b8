"""The product page: offers, history, and why they are taken for one product."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, render_template
from flask_babel import get_locale

from aggregator.catalog.product_details import get_product_detail
from aggregator.domain.errors import NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.products import MovedProduct, OfferView
from web.context import CURRENCY, assumed_shipping, go_to
from web.db import current_session
from web.presenters import product_key, product_path
from web.price_chart import price_chart

pages = Blueprint("products", __name__)


@pages.get("/products/<key>")
def show(key: str) -> str | Response:
    """`key` is "id-slug"; the id decides, another slug is sent to the right one."""
    public_id = key.partition("-")[0]
    if not is_public_id(public_id):
        raise NotFound("product", public_id)
    detail = get_product_detail(current_session(), public_id, assumed_shipping=assumed_shipping())
    if isinstance(detail, MovedProduct):
        return moved_to(product_path(detail))
    if key != product_key(detail.card):
        return moved_to(product_path(detail.card))
    currency = detail.card.lowest_price.currency if detail.card.lowest_price else CURRENCY
    return render_template(
        "products/show.html",
        detail=detail,
        product=detail.card,
        fits_the_cart=any(
            can_be_bought(offer) and offer.price.currency == CURRENCY for offer in detail.offers
        ),
        cart_currency=CURRENCY,
        best=next((offer for offer in detail.offers if can_be_bought(offer)), None),
        chart=price_chart(detail.history, currency, datetime.now(UTC), str(get_locale() or "en")),
    )


def can_be_bought(offer: OfferView) -> bool:
    """Whether the store sells it now, as far as it says anything about that."""
    return offer.availability is None or offer.availability.can_be_bought


def moved_to(path: str) -> Response:
    """A permanent redirect that is asked again each time: titles change, and merges can be undone."""
    response = go_to(path, 301)
    response.headers["Cache-Control"] = "no-cache"
    return response
