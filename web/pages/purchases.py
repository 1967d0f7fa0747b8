"""Purchases: what became of each store's part, what was spent, and the same to keep and to print."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from aggregator.domain.errors import EnvironmentProblem, InvalidInput
from aggregator.domain.money import Money, currency_exponent
from aggregator.domain.normalization.prices import UnreadablePrice, read_price
from aggregator.shopping.purchases import Receipt, change_part, get_purchase, list_purchases, take_back
from aggregator.shopping.rest_plans import plan_rest, take_bought_out
from aggregator.shopping.spending import export_rows, get_spending, list_orders
from web import context, purchase_words
from web.db import current_session
from web.printing import pdf_answer
from web.spreadsheets import csv_answer
from web.told import error_words

pages = Blueprint("purchases", __name__, url_prefix="/purchases")

PAGE_SIZE = 20
SUMMARY_PARTS = 500


@pages.get("")
def index() -> str:
    """What was spent by month and store, and every purchase."""
    session, token = current_session(), context.cart_token()
    found = list_purchases(session, token, before=request.args.get("before"), limit=PAGE_SIZE + 1)
    year = _year()
    return render_template(
        "purchases/index.html",
        purchases=found[:PAGE_SIZE],
        has_more=len(found) > PAGE_SIZE,
        spending=get_spending(session, token, year=year),
        year=year,
        words=purchase_words,
    )


@pages.get("/export.csv")
def export() -> Response:
    """The same as a file for a spreadsheet."""
    year = _year()
    orders = list_orders(current_session(), context.cart_token(), year=year)
    return csv_answer(export_rows(orders), f"click2cart-purchases{f'-{year}' if year else ''}.csv")


@pages.get("/summary")
def summary() -> str:
    """What was bought, made to be printed."""
    return _summary()


@pages.get("/summary.pdf")
def summary_pdf() -> Response:
    """The same as PDF; where this machine cannot draw one, the page with a word on what to do."""
    try:
        return pdf_answer(_summary(is_pdf=True), "css/printed.css", "click2cart-purchases.pdf")
    except EnvironmentProblem as error:
        flash(error_words(error), "warn")
        return context.go_to(url_for("purchases.summary", year=_year()))


@pages.get("/<purchase_id>")
def show(purchase_id: str) -> str:
    """One purchase, store by store, with its history."""
    return _page(purchase_id)


@pages.post("/<purchase_id>/parts/<part_id>")
def change(purchase_id: str, part_id: str) -> Response | tuple[str, int]:
    """Move a part on, or keep what its receipt says; the last change is taken back by its own button."""
    session, token = current_session(), context.cart_token()
    if "take_back" in request.form:
        take_back(session, token, purchase_id, part_id)
        flash(_("It was taken back."), "purchase")
    else:
        try:
            receipt = _receipt()
        except InvalidInput as error:
            return _page(purchase_id, problem=error_words(error), problem_part=part_id), 400
        change_part(
            session,
            token,
            purchase_id,
            part_id,
            request.form.get("state", ""),
            receipt=receipt,
            note=request.form.get("note", "").strip(),
        )
        flash(_("It is written down."), "purchase")
    return context.go_to(url_for("purchases.show", purchase_id=purchase_id, _anchor=f"part-{part_id}"))


@pages.post("/<purchase_id>/rest")
def plan_again(purchase_id: str) -> Response:
    """Plan what was not bought anew, without the store that failed."""
    rest = plan_rest(
        current_session(), context.cart_token(), purchase_id, note=_("planned again with the rest")
    )
    flash(
        _("The rest is planned anew without %(stores)s.", stores=", ".join(rest.failed_stores))
        + (
            " " + _("What you bought at %(stores)s stays bought.", stores=", ".join(rest.kept_stores))
            if rest.kept_stores
            else ""
        ),
        "purchase",
    )
    if rest.lost_titles:
        flash(_("Not in the catalogue any more: %(titles)s", titles=", ".join(rest.lost_titles)), "warn")
    return context.go_to(url_for("carts.show"))


@pages.post("/<purchase_id>/bought-out")
def take_out(purchase_id: str) -> Response:
    """Take what was bought out of the cart."""
    count = take_bought_out(current_session(), context.cart_token(), purchase_id)
    if count:
        flash(
            ngettext(
                "What you bought at %(num)d store is out of your cart.",
                "What you bought at %(num)d stores is out of your cart.",
                count,
            ),
            "purchase",
        )
    return context.go_to(url_for("purchases.show", purchase_id=purchase_id))


def _page(purchase_id: str, *, problem: str = "", problem_part: str = "") -> str:
    purchase = get_purchase(current_session(), context.cart_token(), purchase_id)
    return render_template(
        "purchases/show.html",
        purchase=purchase,
        words=purchase_words,
        today=datetime.now(UTC).date(),
        problem=problem,
        problem_part=problem_part,
    )


def _summary(*, is_pdf: bool = False) -> str:
    session, token, year = current_session(), context.cart_token(), _year()
    orders = list_orders(session, token, year=year)
    return render_template(
        "purchases/printed.html" if is_pdf else "purchases/summary.html",
        spending=get_spending(session, token, year=year),
        orders=orders[-SUMMARY_PARTS:],
        is_shortened=len(orders) > SUMMARY_PARTS,
        year=year,
        words=purchase_words,
        today=datetime.now(UTC).date(),
        language=str(get_locale()).replace("_", "-"),
    )


def _year() -> int | None:
    text = request.args.get("year", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) == 4 and int(text) > 0 else None


def _receipt() -> Receipt:
    return Receipt(
        paid=_paid(request.form.get("paid", "").strip(), request.form.get("currency", "").strip().upper()),
        order_number=" ".join(request.form.get("order_number", "").split()) or None,
        bought_on=_day(request.form.get("bought_on", "").strip()),
    )


def _paid(text: str, currency: str) -> Money | None:
    if not text:
        return None
    currency_exponent(currency)  # what is no currency is told as such
    try:
        amount, _is_from = read_price(text, currency)
    except UnreadablePrice as error:
        raise InvalidInput(
            f"{text[:40]!r} is not an amount", place="paid", remedy="write it as 19.90"
        ) from error
    if amount.currency != currency:
        raise InvalidInput(
            f"{text[:40]!r} is not in {currency}", place="paid", remedy="set the currency beside it"
        )
    return amount


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text[:40]!r} is not a day", place="bought_on", remedy="write it as 2026-03-31"
        ) from error
