"""The operators' first page: every store with its health, to filter and sort."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.alarms import list_alarms
from aggregator.catalog.processes import list_processes
from aggregator.catalog.store_health import list_store_health
from aggregator.catalog.stores import get_totals, list_runs, list_stores, request_crawl
from aggregator.domain.normalization.names import fold
from aggregator.domain.operations import StoreHealth, StoreSummary
from web import context
from web.db import current_session
from web.operators import account_id, operators_blueprint
from web.permissions import needs
from web.store_health import needs_attention

pages = operators_blueprint("operations", __name__, "/operations")

_FAR = datetime.max.replace(tzinfo=UTC)
_SORTS: dict[str, Callable[[StoreSummary], Any]] = {
    "name": lambda store: fold(store.name),
    "offers": lambda store: -store.offer_count,
    "read": lambda store: store.checked_at or _FAR.replace(year=1),
    "next": lambda store: store.next_crawl_at or _FAR,
    "quarantine": lambda store: -store.open_quarantine,
}


@pages.get("")
@needs("operate")
def index() -> str:
    """The whole catalogue at a glance."""
    session = current_session()
    stores = list_stores(session)
    health = list_store_health(session)
    shown = [store for store in stores if _is_chosen(store, health[store.slug])]
    sort = request.args.get("sort", "name")
    shown.sort(key=_SORTS.get(sort, _SORTS["name"]))
    return render_template(
        "operations/index.html",
        totals=get_totals(session),
        stores=shown,
        store_count=len(stores),
        attention_count=sum(needs_attention(store, health[store.slug]) for store in stores),
        more=health,
        sort=sort if sort in _SORTS else "name",
        show=request.args.get("show", ""),
        text=request.args.get("q", ""),
        runs=list_runs(session, limit=8),
        alarms=list_alarms(session, limit=5),
        processes=list_processes(session),
    )


@pages.post("/stores/<slug>/crawl")
@needs("operate")
def crawl(slug: str) -> Response:
    """Ask for a crawl: the store becomes due now and a worker takes it."""
    request_crawl(current_session(), slug, account_id=account_id())
    flash(_("Asked for. A worker begins within seconds; this page follows it."), "crawl")
    return context.go_to(context.local_path(request.form.get("next"), url_for("operations.index")))


def _is_chosen(store: StoreSummary, health: StoreHealth) -> bool:
    text = fold(request.args.get("q", "").strip()[:100])
    if text and not any(text in fold(part) for part in (store.name, store.slug, store.url, store.platform)):
        return False
    match request.args.get("show"):
        case "attention":
            return needs_attention(store, health)
        case "paused":
            return not store.is_active
        case "running":
            return store.last_run is not None and store.last_run.state == "running"
        case _other:
            return True
