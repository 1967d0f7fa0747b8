"""Baskets shared by a read-only link: its maker's page, and what the link shows."""

from __future__ import annotations

from flask import Blueprint, Response, flash, make_response, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.domain.carts import PlanStatus
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.shopping.carts import find_cart
from aggregator.shopping.shared_baskets import (
    copy_shared_basket,
    list_links,
    open_shared_basket,
    revoke_link,
    share_basket,
)
from web import context, purchase_words
from web.db import current_session
from web.told import error_words

pages = Blueprint("shared_baskets", __name__)

_FRESH = "shared_link"
_DAYS = {"": None, "1": 1, "7": 7, "30": 30, "90": 90}


@pages.get("/cart/shared")
def index() -> str:
    """The links to this cart; a new one is shown once."""
    return _links_page()


@pages.post("/cart/shared")
def create() -> Response | tuple[str, int]:
    """Make a link."""
    days = request.form.get("days", "")
    if days not in _DAYS:
        raise InvalidInput(f"{days!r} is no time", place="days")
    try:
        link, secret = share_basket(
            current_session(), context.cart_token(), name=request.form.get("name", ""), days=_DAYS[days]
        )
    except InvalidInput as error:
        return _links_page(problem=error_words(error)), 400
    session[_FRESH] = [link.id, secret]  # shown by the next page, then forgotten
    return context.go_to(url_for("shared_baskets.index"))


@pages.post("/cart/shared/<link_id>/revoke")
def revoke(link_id: str) -> Response:
    """Close a link for ever."""
    revoke_link(current_session(), context.cart_token(), link_id)
    flash(_("The link is closed: it shows nothing any more."), "shared")
    return context.go_to(url_for("shared_baskets.index"))


@pages.get("/shared/<secret>")
def show(secret: str) -> Response | tuple[str, int]:
    """The live plan behind a link, for anyone who holds it."""
    try:
        basket = open_shared_basket(
            current_session(),
            secret,
            **context.plan_terms(),
        )
    except NotFound:
        return render_template("shared_baskets/closed.html"), 404
    planned = basket.planned
    is_proven = planned is not None and planned.plan.status is PlanStatus.OPTIMAL and planned.plan.complete
    page = make_response(
        render_template(
            "shared_baskets/show.html",
            basket=basket,
            planned=planned,
            is_proven=is_proven,
            secret=secret,
            words=purchase_words,
        )
    )
    page.headers["X-Robots-Tag"] = "noindex, nofollow"
    return page


@pages.post("/shared/<secret>/copy")
def copy(secret: str) -> Response:
    """Put what a link shows into one's own cart."""
    copied = copy_shared_basket(current_session(), secret, context.cart_token())
    flash(
        ngettext(
            "%(num)d product came into your cart.", "%(num)d products came into your cart.", copied.added
        ),
        "cart",
    )
    if copied.kept:
        flash(
            ngettext(
                "%(num)d lay there already; the larger number stays.",
                "%(num)d lay there already; the larger numbers stay.",
                copied.kept,
            ),
            "cart",
        )
    if copied.no_room:
        flash(_("There was no room for: %(titles)s", titles=", ".join(copied.no_room)), "warn")
    response = context.go_to(url_for("carts.show"))
    return context.remember_cart(response, copied.new_token)


def _links_page(*, problem: str = "") -> str:
    token = context.cart_token()
    cart = find_cart(current_session(), token)
    context.show_cart_units(cart)
    fresh = session.pop(_FRESH, None)
    fresh_id, secret = fresh if isinstance(fresh, list) and len(fresh) == 2 else (None, None)
    return render_template(
        "shared_baskets/index.html",
        cart=cart,
        links=list_links(current_session(), token),
        fresh_id=fresh_id,
        fresh_address=secret and url_for("shared_baskets.show", secret=secret, _external=True),
        days=_DAYS,
        problem=problem,
        words=purchase_words,
    )
