"""The cart over all stores, and the cheapest way to buy it."""

from __future__ import annotations

from flask import Blueprint, Response, flash, get_flashed_messages, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.domain.errors import InvalidInput
from aggregator.shopping.carts import (
    MAX_QUANTITY,
    add_to_cart,
    find_cart,
    plan_cart,
    set_assumed_shipping,
    set_max_stores,
    set_quantity,
)
from web import context, plan_words
from web.cart_view import CONDITIONS, cart_view
from web.db import current_session
from web.search_address import read_amount

pages = Blueprint("carts", __name__, url_prefix="/cart")


@pages.get("")
def show() -> str:
    """The cart with its plan, or the next step where it is empty."""
    session, token = current_session(), context.cart_token()
    cart = find_cart(session, token)
    context.show_cart_units(cart)
    if token is None or cart is None or not cart.lines:
        return render_template("carts/empty.html")
    planned = plan_cart(
        session,
        token,
        **context.plan_terms(),
    )
    return render_template(
        "carts/show.html",
        planned=planned,
        plan=planned.plan,
        view=cart_view(planned),
        words=plan_words,
        conditions=CONDITIONS,
        opened=[flashed[0] for flashed in get_flashed_messages(with_categories=True)],
    )


@pages.post("/lines")
def add() -> Response:
    """Put a product into the cart; a first one makes the cart and its cookie."""
    quantity = read_quantity(request.form.get("quantity", "1"))
    cart, new_token = add_to_cart(
        current_session(), context.cart_token(), request.form.get("product", ""), quantity
    )
    flash(_("It is in your cart."), "cart")
    response = context.go_to(context.local_path(request.form.get("next"), url_for("carts.show")))
    context.remember_cart(response, new_token)
    context.show_cart_units(cart)
    return response


@pages.post("/lines/<line_id>")
def change(line_id: str) -> Response:
    """Set a line's quantity; 0, or the remove button, takes it out."""
    quantity = 0 if "remove" in request.form else read_quantity(request.form.get("quantity", ""), least=0)
    set_quantity(current_session(), context.cart_token(), line_id, quantity)
    if quantity == 0:
        flash(_("It was taken out of your cart."), "cart")
    return context.go_to(url_for("carts.show"))


@pages.post("/max-stores")
def limit_stores() -> Response:
    """Buy at so many stores at most; empty lifts the limit."""
    text = request.form.get("max_stores", "")
    most = read_quantity(text) if text else None
    set_max_stores(current_session(), context.cart_token(), most)
    return context.go_to(url_for("carts.show"))


@pages.post("/assumed-shipping")
def assume_shipping() -> Response:
    """Rank stores of unknown shipping with the shopper's own figure; empty returns to the site's."""
    text = request.form.get("amount", "").strip()
    amount = read_amount(text)
    if text and amount is None:
        raise InvalidInput(f"{text!r} is not an amount", place="shipping", remedy="write it as 4.90")
    set_assumed_shipping(current_session(), context.cart_token(), amount, currency=context.CURRENCY)
    return context.go_to(url_for("carts.show"))


def read_quantity(text: str, *, least: int = 1) -> int:
    """A count as typed; raises InvalidInput."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and least <= int(text[:6]) <= MAX_QUANTITY):
        raise InvalidInput(
            f"{text!r} cannot be bought", place="quantity", remedy=f"use {least} to {MAX_QUANTITY}"
        )
    return int(text)
