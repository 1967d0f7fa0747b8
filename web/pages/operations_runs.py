"""Runs: the list, and each as a story that can be followed live, cancelled, accepted or discarded."""

from __future__ import annotations

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.held_runs import ask_to_accept
from aggregator.catalog.ingest import settle_held_run
from aggregator.catalog.run_details import get_run_detail, get_run_log
from aggregator.catalog.runs import cancel_run
from aggregator.catalog.stores import list_runs
from aggregator.domain.operations import RunState
from web import context
from web.db import current_session
from web.operators import account_id, operators_blueprint
from web.permissions import needs

pages = operators_blueprint("operations_runs", __name__, "/operations/runs")
_STATES: tuple[RunState, ...] = ("running", "held", "failed", "finished", "cancelled")


@pages.get("")
@needs("operate")
def index() -> str:
    """The newest runs of every store, or of one."""
    slug = request.args.get("store") or None
    asked = request.args.get("state", "")
    state = next((known for known in _STATES if known == asked), None)
    runs = list_runs(current_session(), store_slug=slug, state=state, limit=60)
    return render_template("operations/runs.html", runs=runs, store_slug=slug, state=state, states=_STATES)


@pages.get("/<run_id>")
@needs("operate")
def show(run_id: str) -> str:
    """One run as a story."""
    return render_template("operations/run.html", detail=get_run_detail(current_session(), run_id))


@pages.get("/<run_id>/live")
@needs("operate")
def live(run_id: str) -> str:
    """The part of a run's page that moves: what the page's script asks for while the run goes on."""
    return render_template("operations/run_live.html", detail=get_run_detail(current_session(), run_id))


@pages.get("/<run_id>/log")
@needs("operate")
def log(run_id: str) -> str:
    """All that the run's log keeps."""
    session = current_session()
    detail = get_run_detail(session, run_id, log_tail=1)
    return render_template(
        "operations/run_log.html", detail=detail, lines=get_run_log(session, run_id, limit=2000)
    )


@pages.post("/<run_id>/cancel")
@needs("operate")
def cancel(run_id: str) -> Response:
    """Stop a running run."""
    cancel_run(current_session(), run_id, account_id=account_id())
    flash(_("Cancelled. What it had read is thrown away; the catalogue stays as it was."), "run")
    return context.go_to(url_for("operations_runs.show", run_id=run_id))


@pages.post("/<run_id>/settle")
@needs("operate")
def settle(run_id: str) -> Response:
    """Have a held run accepted by a worker, or discard it."""
    if request.form.get("verdict") == "accept":
        ask_to_accept(current_session(), run_id, account_id=account_id())
        words = _(
            "Accepted. A worker lets its offers into the catalogue now; this page shows when it is done."
        )
    else:
        settle_held_run(current_session(), run_id, accept=False, account_id=account_id())
        words = _("Discarded. Shoppers go on seeing what the run before had read.")
    flash(words, "run")
    return context.go_to(url_for("operations_runs.show", run_id=run_id))
