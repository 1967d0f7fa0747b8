"""What the shopper has and wants: country, condition, stores, offers, coupons. Each change plans the cart anew."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.domain.carts import Coupon
from aggregator.domain.errors import InvalidInput
from aggregator.domain.vocabulary import ItemCondition
from aggregator.shopping.cart_options import (
    Wishes,
    add_coupon,
    exclude_offer,
    exclude_store,
    pin_offer,
    remove_coupon,
    set_membership,
    set_wishes,
)
from aggregator.shopping.line_offers import list_line_offers
from web import context, plan_words
from web.db import current_session
from web.search_address import read_amount

pages = Blueprint("cart_options", __name__, url_prefix="/cart")


@pages.post("/options")
def wish() -> Response:
    """Plan for this country, these conditions and the rest of the form."""
    form = request.form
    set_wishes(
        current_session(),
        context.cart_token(),
        Wishes(
            country=form.get("country", "") or None,
            conditions=frozenset(_condition(each) for each in form.getlist("condition")),
            parcel_value=_amount(form.get("parcel_value", ""), _("A parcel less")) or Decimal(0),
            deliver_by=_day(form.get("deliver_by", "")),
            packs="packs" in form,
        ),
        currency=context.CURRENCY,
    )
    flash(_("Planned anew with your options."), "options")
    return context.go_to(url_for("carts.show", _anchor="options"))


@pages.post("/stores")
def choose_store() -> Response:
    """Leave a store out or allow it again; say that one is a member there or not."""
    form, session, token = request.form, current_session(), context.cart_token()
    if "exclude" in form:
        exclude_store(session, token, form["exclude"])
        flash(_("Nothing is bought there now."), "options")
    elif "include" in form:
        exclude_store(session, token, form["include"], is_excluded=False)
        flash(_("The store is weighed again."), "options")
    elif "join" in form:
        set_membership(session, token, form["join"], is_member=True)
        flash(_("Its members' prices count now."), "options")
    elif "leave" in form:
        set_membership(session, token, form["leave"], is_member=False)
        flash(_("Its members' prices count no longer."), "options")
    else:
        raise InvalidInput("no such action", place="action")
    return context.go_to(url_for("carts.show", _anchor="options"))


@pages.get("/lines/<line_id>/offers")
def offers(line_id: str) -> str:
    """All that is offered for a line."""
    session, token = current_session(), context.cart_token()
    country = context.current_settings().country
    found = list_line_offers(session, token, line_id, currency=context.CURRENCY, country=country)
    return render_template("carts/offers.html", found=found, words=plan_words)


@pages.post("/lines/<line_id>/offers")
def choose_offer(line_id: str) -> Response:
    """Buy a line of one offer alone, let the plan choose, leave an offer out or allow it again."""
    offer = request.form.get("offer", "")
    session, token = current_session(), context.cart_token()
    match request.form.get("action"):
        case "pin":
            pin_offer(session, token, line_id, offer, currency=context.CURRENCY)
            flash(_("It is bought of the offer you chose."), "options")
            return context.go_to(url_for("carts.show"))
        case "unpin":
            pin_offer(session, token, line_id, None)
            flash(_("The plan chooses where to buy it again."), "options")
            return context.go_to(url_for("carts.show"))
        case "exclude":
            exclude_offer(session, token, offer)
        case "include":
            exclude_offer(session, token, offer, is_excluded=False)
        case _:
            raise InvalidInput("no such action", place="action")
    return context.go_to(url_for("cart_options.offers", line_id=line_id))


@pages.post("/offers")
def allow_offer() -> Response:
    """Allow an offer again that was left out."""
    exclude_offer(current_session(), context.cart_token(), request.form.get("offer", ""), is_excluded=False)
    return context.go_to(url_for("carts.show", _anchor="options"))


@pages.post("/coupons")
def coupon() -> Response:
    """Count with a coupon, or no longer."""
    form = request.form
    session, token = current_session(), context.cart_token()
    store, code = form.get("store", ""), form.get("code", "").strip()
    if "remove" in form:
        remove_coupon(session, token, store, code)
        return context.go_to(url_for("carts.show", _anchor="options"))
    value = _amount(form.get("value", ""), _("Worth"))
    is_percent = form.get("kind") == "percent"
    coupon = Coupon(
        code,
        percent=value if is_percent else None,
        amount=None if is_percent else value,
        min_subtotal=_amount(form.get("min_subtotal", ""), _("From")) or Decimal(0),
    )
    add_coupon(session, token, store, coupon, currency=context.CURRENCY)
    flash(_("Your coupon is counted where it helps."), "options")
    return context.go_to(url_for("carts.show", _anchor="options"))


def _condition(text: str) -> ItemCondition:
    try:
        return ItemCondition(text)
    except ValueError:
        raise InvalidInput("no such condition", place=_("Condition"), remedy=_("choose one")) from None


def _amount(text: str, label: str) -> Decimal | None:
    text = text.strip()
    amount = read_amount(text) if text else None
    if text and amount is None:
        raise InvalidInput(
            _("%(text)s is no amount", text=text[:20]), place=label, remedy=_("write it as 4.90")
        )
    return amount


def _day(text: str) -> date | None:
    text = text.strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput(
            _("%(text)s is no day", text=text[:20]), place=_("There by"), remedy=_("write it as 2026-12-24")
        ) from None
