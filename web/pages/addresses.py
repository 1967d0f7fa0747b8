"""The address book."""

from __future__ import annotations

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from aggregator.accounts.addresses import (
    add_address,
    change_address,
    get_address,
    list_addresses,
    make_default,
    remove_address,
)
from aggregator.domain.errors import InvalidInput
from aggregator.domain.postal_addresses import PostalAddress, country_codes
from web import context
from web.account_area import own_account
from web.db import current_session

pages = Blueprint("addresses", __name__, url_prefix="/account/addresses")
_FIELDS = tuple(PostalAddress.__dataclass_fields__)


@pages.get("")
def index() -> str:
    """Every address, and a form for another."""
    return _page()


@pages.post("")
def add() -> str | tuple[str, int] | Response:
    """Put an address into the book."""
    try:
        add_address(
            current_session(),
            context.current_settings(),
            own_account().account_id,
            _typed(),
            is_default="is_default" in request.form,
        )
    except InvalidInput as error:
        return _page(problem=error, typed=request.form), 400
    return _done(_("The address is in your book."))


@pages.get("/<address_id>")
def edit(address_id: str) -> str:
    """One address in a form."""
    kept = get_address(current_session(), context.current_settings(), own_account().account_id, address_id)
    typed = {field: getattr(kept.address, field) for field in _FIELDS}
    return render_template("accounts/address.html", kept=kept, typed=typed, countries=countries())


@pages.post("/<address_id>")
def change(address_id: str) -> str | tuple[str, int] | Response:
    """Change an address, make it the default, or take it out."""
    session, settings, account_id = (
        current_session(),
        context.current_settings(),
        own_account().account_id,
    )
    if "remove" in request.form:
        remove_address(session, account_id, address_id)
        return _done(_("The address is gone."))
    if "make_default" in request.form:
        make_default(session, account_id, address_id)
        return _done(_("Parcels go there unless you say otherwise."))
    kept = get_address(session, settings, account_id, address_id)
    try:
        change_address(session, settings, account_id, address_id, _typed())
    except InvalidInput as error:
        page = render_template(
            "accounts/address.html", kept=kept, typed=request.form, countries=countries(), problem=error
        )
        return page, 400
    return _done(_("The address is changed."))


def countries() -> list[tuple[str, str]]:
    """(code, name) of every country in the visitor's language, by name."""
    locale = get_locale()
    names = locale.territories if locale else {}
    return sorted(((code, names.get(code, code)) for code in country_codes()), key=lambda pair: pair[1])


def _typed() -> PostalAddress:
    return PostalAddress.read(**{field: request.form.get(field, "") for field in _FIELDS})


def _page(problem: InvalidInput | None = None, typed: object = None) -> str:
    kept = list_addresses(current_session(), context.current_settings(), own_account().account_id)
    return render_template(
        "accounts/addresses.html", kept=kept, problem=problem, typed=typed or {}, countries=countries()
    )


def _done(words: str) -> Response:
    flash(words, "account")
    return context.go_to(url_for("addresses.index"))
