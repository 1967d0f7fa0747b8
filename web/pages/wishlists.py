"""Wishlists: this visitor's, and what a link shows of somebody else's."""

from __future__ import annotations

from flask import Blueprint, Response, flash, make_response, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.wishlists import Wishlist
from aggregator.shopping.wishlists import (
    DEFAULT,
    add_items,
    create_wishlist,
    delete_wishlist,
    get_wishlist,
    list_wishlists,
    open_shared_wishlist,
    put_into_cart,
    remove_everywhere,
    remove_item,
    rename_wishlist,
    share_wishlist,
    stop_sharing,
)
from web import context
from web.db import current_session
from web.told import error_words

pages = Blueprint("wishlists", __name__, url_prefix="/wishlist")

_FRESH = "wishlist_link"


@pages.get("")
def index() -> str:
    """The default list, beside all others."""
    return _page(DEFAULT)


@pages.post("")
def create() -> Response | tuple[str, int]:
    """Make a list."""
    try:
        made, token = create_wishlist(current_session(), context.cart_token(), request.form.get("name", ""))
    except InvalidInput as error:
        return _page(DEFAULT, problem=error_words(error)), 400
    return context.remember_cart(context.go_to(url_for("wishlists.show", list_id=made.id)), token)


@pages.get("/<list_id>")
def show(list_id: str) -> str:
    """One list."""
    return _page(list_id)


@pages.post("/items")
def add() -> Response:
    """Put a product on a list; without a list's id, on the default one."""
    _list, token = add_items(
        current_session(),
        context.cart_token(),
        [request.form.get("product", "")],
        list_id=request.form.get("list") or DEFAULT,
    )
    flash(_("It is on your wishlist."), "wishlist")
    there = context.local_path(request.form.get("next"), url_for("wishlists.index"))
    return context.remember_cart(context.go_to(there), token)


@pages.post("/items/remove")
def remove_product() -> Response:
    """Take a product off one list, or off all of them where none is named: what a filled heart does."""
    product, list_id = request.form.get("product", ""), request.form.get("list")
    if list_id:
        remove_item(current_session(), context.cart_token(), list_id, product)
    else:
        remove_everywhere(current_session(), context.cart_token(), product)
    flash(_("It is off your wishlist."), "wishlist")
    return context.go_to(context.local_path(request.form.get("next"), url_for("wishlists.index")))


@pages.post("/<list_id>/items/<item_id>/remove")
def remove(list_id: str, item_id: str) -> Response:
    """Take a product off."""
    remove_item(current_session(), context.cart_token(), list_id, item_id)
    flash(_("It is off your wishlist."), "wishlist")
    return context.go_to(
        context.local_path(request.form.get("next"), url_for("wishlists.show", list_id=list_id))
    )


@pages.post("/<list_id>")
def change(list_id: str) -> Response | tuple[str, int]:
    """Rename a list, or delete it."""
    if "delete" in request.form:
        delete_wishlist(current_session(), context.cart_token(), list_id)
        flash(_("The list is gone."), "wishlist")
        return context.go_to(url_for("wishlists.index"))
    try:
        rename_wishlist(current_session(), context.cart_token(), list_id, request.form.get("name", ""))
    except InvalidInput as error:
        return _page(list_id, problem=error_words(error)), 400
    return context.go_to(url_for("wishlists.show", list_id=list_id))


@pages.post("/<list_id>/cart")
def buy(list_id: str) -> Response:
    """Put one of each into the cart."""
    count = put_into_cart(current_session(), context.cart_token(), list_id)
    flash(
        ngettext("%(num)d product came into your cart.", "%(num)d products came into your cart.", count),
        "cart",
    )
    return context.go_to(url_for("carts.show"))


@pages.post("/<list_id>/share")
def share(list_id: str) -> Response:
    """Make a link to a list, or close it."""
    if "stop" in request.form:
        stop_sharing(current_session(), context.cart_token(), list_id)
        flash(_("The link is closed: it shows nothing any more."), "wishlist")
    else:
        secret = share_wishlist(current_session(), context.cart_token(), list_id)
        session[_FRESH] = [list_id, secret]  # shown by the next page, then forgotten
    return context.go_to(url_for("wishlists.show", list_id=list_id))


@pages.get("/shared/<secret>")
def shared(secret: str) -> Response | tuple[str, int]:
    """What a link shows, to anyone who holds it."""
    try:
        wishlist = open_shared_wishlist(current_session(), secret)
    except NotFound:
        return render_template("shared_baskets/closed.html"), 404
    page = make_response(render_template("wishlists/shared.html", wishlist=wishlist))
    page.headers["X-Robots-Tag"] = "noindex, nofollow"
    return page


def _page(list_id: str, *, problem: str = "") -> str:
    lists = list_wishlists(current_session(), context.cart_token())
    shown: Wishlist | None = next(
        (one for one in lists if one.id == list_id or (list_id == DEFAULT and one.is_default)), None
    )
    if shown is None and list_id != DEFAULT:
        shown = get_wishlist(current_session(), context.cart_token(), list_id)
    fresh = session.pop(_FRESH, None)
    is_fresh = isinstance(fresh, list) and shown is not None and fresh[0] in {shown.id, list_id}
    return render_template(
        "wishlists/show.html",
        lists=lists,
        shown=shown,
        problem=problem,
        fresh_address=url_for("wishlists.shared", secret=fresh[1], _external=True) if is_fresh else None,
    )
