"""The product page: offers, history, why they are one product; its prices as JSON; reports of wrong matches."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, flash, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.accounts.rate_limits import Limit
from aggregator.catalog.product_pages import get_price_history, get_product_page
from aggregator.catalog.reviews import report_wrong_match
from aggregator.catalog.store_freshness import list_freshness
from aggregator.domain.identifiers import require_public_id
from aggregator.domain.products import MovedProduct, OfferView
from aggregator.shopping.wish_places import places_of
from web.context import (
    CURRENCY,
    cart_token,
    client,
    current_account,
    go_to,
    moved_to,
    parcel_terms,
    rate_limits,
)
from web.db import current_session
from web.pictures import photo
from web.presenters import locale_tag, product_key, product_path
from web.price_chart import chart_document, price_chart
from web.structured_data import absolute, product_document
from web.variant_matrix import own_attributes, variant_matrix

pages = Blueprint("products", __name__)
RANGES: dict[str, int | None] = {"30d": 30, "90d": 90, "1y": 365, "all": None}
_USUAL_RANGE = "90d"
_REPORTS = Limit("wrong_match", 20, 3600)


@pages.get("/products/<key>")
def show(key: str) -> str | Response:
    """`key` is "id-slug"; the id decides, another slug is sent to the right one."""
    chosen = request.args.get("range", _USUAL_RANGE)
    days = RANGES.get(chosen, RANGES[_USUAL_RANGE])
    page = get_product_page(current_session(), _id_in(key), **parcel_terms(), days=days)
    if isinstance(page, MovedProduct):
        return moved_to(product_path(page))
    detail = page.detail
    if key != product_key(detail.card):
        return moved_to(product_path(detail.card))
    currency = detail.card.lowest_price.currency if detail.card.lowest_price else CURRENCY
    return render_template(
        "products/show.html",
        page=page,
        detail=detail,
        product=detail.card,
        wish_places=places_of(current_session(), cart_token(), detail.card.id),
        fits_the_cart=any(
            can_be_bought(offer) and offer.price.currency == CURRENCY for offer in detail.offers
        ),
        cart_currency=CURRENCY,
        freshness=list_freshness(current_session(), {offer.store_slug for offer in detail.offers}),
        best=next((offer for offer in detail.offers if can_be_bought(offer)), None),
        chart=price_chart(page.history, currency, datetime.now(UTC), locale_tag(), days),
        ranges=RANGES,
        has_all_signs=request.args.get("why") == "all",
        chosen_range=chosen if chosen in RANGES else _USUAL_RANGE,
        matrix=variant_matrix(own_attributes(detail.offers), detail.variants),
        address=absolute(product_path(detail.card)),
        document=product_document(detail, photo(detail.card.image_url, 960)),
    )


@pages.get("/products/<key>/prices.json")
def prices(key: str) -> Response:
    """The whole price history, for the chart that can be moved: steps by store and the lowest of all."""
    history, currency = get_price_history(current_session(), _id_in(key))
    series = [one for one in history if one.currency == currency]
    return jsonify(currency=currency, **chart_document(series))


@pages.post("/products/<key>/report")
def report(key: str) -> Response:
    """Somebody says that an offer is not this product: an operator looks at it."""
    public_id = _id_in(key)
    rate_limits().count(current_session(), _REPORTS, client() or "")
    account = current_account()
    report_wrong_match(
        current_session(),
        request.form.get("offer", ""),
        request.form.get("other", ""),
        request.form.get("words", ""),
        account_id=account.account_id if account else None,
    )
    flash(_("Thank you. A person will look at it and decide; nothing changes until then."), "report")
    return go_to(url_for("products.show", key=public_id))


def can_be_bought(offer: OfferView) -> bool:
    """Whether the store sells it now, as far as it says anything about that."""
    return offer.availability is None or offer.availability.can_be_bought


def _id_in(key: str) -> str:
    return require_public_id("product", key.partition("-")[0])
