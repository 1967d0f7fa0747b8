"""Where stores' own paths stand in our tree, and operators' rules for those that are wrong."""

from __future__ import annotations

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.catalog.taxonomy import list_paths, list_rules, remove_category_rule, set_category_rule
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.taxonomy import categories
from web import context
from web.db import current_session
from web.operators import account_id, operators_blueprint
from web.permissions import needs

pages = operators_blueprint("operations_categories", __name__, "/operations/categories")
_SHOWN = 100


@pages.get("")
@needs("operate")
def index() -> str:
    """The paths with most products, or those that mean nothing to us; and the rules."""
    only_other = request.args.get("show") == "other"
    session = current_session()
    return render_template(
        "operations/categories.html",
        paths=list_paths(session, only_other=only_other, limit=_SHOWN),
        rules=list_rules(session),
        only_other=only_other,
        tree=categories(),
        path=request.args.get("path", ""),
    )


@pages.post("")
@needs("operate")
def set_rule() -> Response:
    """Say what a path means."""
    moved = set_category_rule(
        current_session(),
        request.form.get("path", ""),
        request.form.get("category", ""),
        account_id=account_id(),
    )
    flash(ngettext("Done. %(num)s product moved.", "Done. %(num)s products moved.", moved), "categories")
    return context.go_to(url_for("operations_categories.index"))


@pages.post("/remove")
@needs("operate")
def remove_rule() -> Response:
    """Let the words decide again."""
    try:
        moved = remove_category_rule(current_session(), request.form.get("path", ""), account_id=account_id())
    except NotFound as error:
        raise InvalidInput(_("there is no such rule any more"), place="path") from error
    flash(
        ngettext(
            "The rule is gone. %(num)s product moved.", "The rule is gone. %(num)s products moved.", moved
        ),
        "categories",
    )
    return context.go_to(url_for("operations_categories.index"))
