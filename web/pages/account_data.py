"""One's own data: all of it as a file, and its deletion."""

from __future__ import annotations

import json

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.accounts.privacy import GRACE, ask_deletion, keep_account
from aggregator.accounts.sign_in import confirm_password, has_password
from aggregator.domain.errors import InvalidInput
from aggregator.shopping.account_data import export_account
from web import context
from web.account_area import own_account
from web.db import current_session

pages = Blueprint("account_data", __name__, url_prefix="/account/data")


@pages.get("")
def show() -> str:
    """What one may ask for."""
    return _page()


@pages.post("/export")
def export() -> Response:
    """Everything, as one JSON file. By a button, so that no link of others makes the server work."""
    document = export_account(current_session(), context.current_settings(), own_account().account_id)
    return Response(
        json.dumps(document, ensure_ascii=False, indent=2),
        mimetype="application/json",
        headers={
            "Content-Disposition": 'attachment; filename="click2cart-account.json"',
            "Cache-Control": "no-store",
        },
    )


@pages.post("/delete")
def delete() -> tuple[str, int] | Response:
    """Have the account deleted in 30 days."""
    account_id = own_account().account_id
    try:
        confirm_password(
            current_session(),
            account_id,
            request.form.get("present_password", ""),
            limits=context.rate_limits(),
        )
    except InvalidInput as error:
        return _page(problem=error), 400
    due_at = ask_deletion(current_session(), context.current_settings(), account_id)
    response = context.go_to(url_for("home.show"))
    response.delete_cookie(context.ACCOUNT_COOKIE)
    flash(
        _(
            "Your account will be deleted on %(day)s. Sign in before then to keep it.",
            day=f"{due_at:%Y-%m-%d}",
        ),
        "account",
    )
    return response


@pages.post("/keep")
def keep() -> Response:
    """Not to be deleted after all."""
    keep_account(current_session(), own_account().account_id)
    flash(_("Your account stays."), "account")
    return context.go_to(url_for("account_data.show"))


def _page(problem: InvalidInput | None = None) -> str:
    return render_template(
        "accounts/data.html",
        problem=problem,
        grace_days=GRACE.days,
        has_password=has_password(current_session(), own_account().account_id),
    )
