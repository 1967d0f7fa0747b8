"""Operators' pages: stores with their health, runs, quarantine, reading rules, and "crawl now"."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.quarantine import list_quarantine
from aggregator.catalog.reading_rules import believe_source, forget_rule, get_reading_rules
from aggregator.catalog.stores import (
    get_run,
    get_store_summary,
    get_totals,
    list_runs,
    list_stores,
    request_crawl,
)
from web import context
from web.db import current_session
from web.store_health import health, run_words, yield_share

pages = Blueprint("operations", __name__, url_prefix="/operations")


@pages.before_request
def admit_operators() -> Response | None:
    """Strangers may sign in; people without the role are told so."""
    if not context.may_operate():
        if context.current_account() is None and request.method == "GET":
            return context.go_to(url_for("accounts.sign_in_form", next=request.path))
        abort(403, _("These pages are for operators. Sign in with an operator's account."))
    return None


@pages.context_processor
def words() -> dict[str, object]:
    """What the operators' templates call."""
    return {"health": health, "run_words": run_words, "yield_share": yield_share}


@pages.get("")
def index() -> str:
    """The whole catalogue at a glance."""
    session = current_session()
    return render_template(
        "operations/index.html",
        totals=get_totals(session),
        stores=list_stores(session),
        runs=list_runs(session, limit=30),
    )


@pages.get("/runs/<run_id>")
def run(run_id: str) -> str:
    """One run as a story."""
    return render_template("operations/run.html", run=get_run(current_session(), run_id))


@pages.get("/stores/<slug>")
def store(slug: str) -> str:
    """One store: its runs, and what could not be read of it."""
    session = current_session()
    return render_template(
        "operations/store.html",
        store=get_store_summary(session, slug),
        runs=list_runs(session, store_slug=slug, limit=20),
        quarantine=list_quarantine(session, store_slug=slug, limit=100),
        rules=get_reading_rules(session, slug),
    )


@pages.post("/stores/<slug>/reading-rules")
def set_reading_rule(slug: str) -> Response:
    """Believe one source about a field from the next crawl on, or (without a source) no longer."""
    account = context.current_account()
    account_id = account.account_id if account else None
    field, source = request.form.get("field", ""), request.form.get("source", "")
    if source:
        believe_source(current_session(), slug, field, source, account_id=account_id)
        words = _(
            "From the next crawl on, the %(field)s is taken from %(source)s.", field=field, source=source
        )
    else:
        forget_rule(current_session(), slug, field, account_id=account_id)
        words = _("The rule about the %(field)s is taken back; it holds until the next crawl.", field=field)
    flash(words, "reading")
    return context.go_to(url_for("operations.store", slug=slug, _anchor="quarantine"))


@pages.post("/stores/<slug>/crawl")
def crawl(slug: str) -> Response:
    """Ask for a crawl: the store becomes due now and a worker takes it."""
    account = context.current_account()
    request_crawl(current_session(), slug, account_id=account.account_id if account else None)
    flash(_("Asked for. A worker begins within seconds; this page follows it."), "crawl")
    return context.go_to(context.local_path(request.form.get("next"), url_for("operations.index")))
