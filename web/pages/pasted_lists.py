"""Lists that are pasted: kept line by line until something was chosen for each."""

from __future__ import annotations

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.domain.errors import InvalidInput
from aggregator.domain.pasted_lists import MAX_BYTES, MAX_LINES, MAX_QUANTITY
from aggregator.shopping.pasted_lists import (
    Choice,
    forget_list,
    list_pasted_lists,
    paste_list,
    put_into_cart,
    put_sure_ones_into_cart,
    rewrite_line,
    show_pasted_list,
)
from web import context
from web.db import current_session
from web.pages.carts import read_quantity
from web.search_place import search_index
from web.told import error_words

pages = Blueprint("pasted_lists", __name__, url_prefix="/lists")


@pages.get("")
def index() -> str:
    """Paste a list, or go on with one."""
    return _form()


@pages.post("")
def create() -> Response | tuple[str, int]:
    """Keep a list; one that cannot be read stays in the form."""
    text = request.form.get("list", "")
    try:
        list_id, new_token = paste_list(current_session(), context.cart_token(), text)
    except InvalidInput as error:
        return _form(text=text, problem=error_words(error)), 400
    response = context.go_to(url_for("pasted_lists.show", list_id=list_id))
    return context.remember_cart(response, new_token)


@pages.get("/<list_id>")
def show(list_id: str) -> str:
    """One page of a list with suggestions."""
    pasted = show_pasted_list(
        current_session(), context.cart_token(), list_id, page=_page_number(), index=search_index()
    )
    return render_template("pasted_lists/show.html", pasted=pasted, most=MAX_QUANTITY)


@pages.post("/<list_id>")
def choose(list_id: str) -> Response:
    """Put what was chosen into the cart; the rest of the list stays."""
    choices = {
        name.removeprefix("choice-"): Choice(product, _quantity(name.removeprefix("choice-")))
        for name, product in request.form.items()
        if name.startswith("choice-") and product
    }
    _say(*put_into_cart(current_session(), context.cart_token(), list_id, choices))
    return _back(list_id)


@pages.post("/<list_id>/sure")
def choose_sure_ones(list_id: str) -> Response:
    """Put every line into the cart whose number names a product."""
    _say(*put_sure_ones_into_cart(current_session(), context.cart_token(), list_id, index=search_index()))
    return _back(list_id)


@pages.post("/<list_id>/lines/<line_id>")
def rewrite(list_id: str, line_id: str) -> Response:
    """Look for other words, leave a line out, or take it up again."""
    rewrite_line(
        current_session(),
        context.cart_token(),
        list_id,
        line_id,
        wording=request.form.get("wording"),
        state=request.form.get("state"),
    )
    return _back(list_id, anchor=f"line-{line_id}")


@pages.post("/<list_id>/forget")
def forget(list_id: str) -> Response:
    """Delete a list; the cart keeps what came of it."""
    forget_list(current_session(), context.cart_token(), list_id)
    flash(_("The list is deleted. What you put into the cart stays there."), "list")
    return context.go_to(url_for("pasted_lists.index"))


def _form(*, text: str = "", problem: str = "") -> str:
    return render_template(
        "pasted_lists/index.html",
        lists=list_pasted_lists(current_session(), context.cart_token()),
        text=text,
        problem=problem,
        most_lines=MAX_LINES,
        most_kilobytes=MAX_BYTES // 1000,
    )


def _quantity(line_id: str) -> int:
    return read_quantity(request.form.get(f"quantity-{line_id}", "1"))


def _say(added: int, no_room: tuple[str, ...]) -> None:
    if added:
        flash(ngettext("%(num)d line is in your cart.", "%(num)d lines are in your cart.", added), "cart")
    elif not no_room:
        flash(_("Nothing was chosen; every line is still here."), "warn")
    if no_room:
        flash(_("No room in the cart, still on the list: %(lines)s", lines=", ".join(no_room)), "warn")


def _back(list_id: str, *, anchor: str | None = None) -> Response:
    return context.go_to(url_for("pasted_lists.show", list_id=list_id, page=_page_number(), _anchor=anchor))


def _page_number() -> int:
    text = request.values.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 1
