"""One store: how it fares, its rules, pausing, removing, and the export and import of settings."""

from __future__ import annotations

import json

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.alarms import list_alarms
from aggregator.catalog.offer_rules import get_offer_rules, set_offer_rule
from aggregator.catalog.quarantine import group_quarantine
from aggregator.catalog.reading_rules import believe_source, forget_rule, get_reading_rules
from aggregator.catalog.schedules import pause_store, resume_store
from aggregator.catalog.store_health import list_store_health
from aggregator.catalog.store_removal import ask_for_removal, count_belongings
from aggregator.catalog.store_settings import (
    export_settings,
    get_store_settings,
    import_stores,
    list_store_settings,
    read_export,
)
from aggregator.catalog.stores import get_store_summary, list_runs
from aggregator.domain.errors import InvalidInput
from web import context
from web.db import current_session, roll_back
from web.operation_words import reason_words
from web.operators import account_id, operators_blueprint
from web.permissions import needs
from web.told import error_words

pages = operators_blueprint("operations_stores", __name__, "/operations/stores")
OFFER_RULES = ("currency", "decimal_mark")


@pages.get("/<slug>")
@needs("operate")
def show(slug: str) -> str:
    """One store: its health, its runs, what waits, and what can be done."""
    session = current_session()
    return render_template(
        "operations/store.html",
        store=get_store_summary(session, slug),
        more=list_store_health(session, [slug])[slug],
        settings=get_store_settings(session, slug),
        runs=list_runs(session, store_slug=slug, limit=12),
        groups=group_quarantine(session, store_slug=slug),
        alarms=list_alarms(session, store_slug=slug),
        rules=get_reading_rules(session, slug),
    )


@pages.post("/<slug>/pause")
@needs("operate")
def pause(slug: str) -> Response:
    """Plan no more crawls."""
    pause_store(current_session(), slug, account_id=account_id())
    flash(
        _("Paused. What it offers stays; prices show their age. A run that goes on now ends by itself."),
        "store",
    )
    return context.go_to(url_for("operations_stores.show", slug=slug))


@pages.post("/<slug>/resume")
@needs("operate")
def resume(slug: str) -> Response:
    """Crawl by the schedule again."""
    resume_store(current_session(), slug, account_id=account_id())
    flash(_("It is read by its schedule again."), "store")
    return context.go_to(url_for("operations_stores.show", slug=slug))


@pages.get("/<slug>/rules")
@needs("operate")
def rules(slug: str) -> str:
    """Whom this store's pages are believed where they contradict themselves, and how its prices are taken."""
    return _rules_page(slug)


@pages.post("/<slug>/rules")
@needs("operate")
def set_rule(slug: str) -> Response:
    """Believe one source about a field from the next crawl on, or (without a source) no longer."""
    field, source = request.form.get("field", ""), request.form.get("source", "")
    if source:
        believe_source(current_session(), slug, field, source, account_id=account_id())
        words = _("From now on, the %(field)s is taken from %(source)s.", field=field, source=source)
    else:
        forget_rule(current_session(), slug, field, account_id=account_id())
        words = _("The rule about the %(field)s is taken back; it holds until the next crawl.", field=field)
    flash(words, "reading")
    return context.go_to(url_for("operations_stores.rules", slug=slug))


@pages.post("/<slug>/offer-rules")
@needs("operate")
def set_offer_rules(slug: str) -> Response | tuple[str, int]:
    """How this store's prices are to be taken, whatever its pages say."""
    try:
        for name in OFFER_RULES:
            set_offer_rule(
                current_session(), slug, name, request.form.get(name, "").strip(), account_id=account_id()
            )
    except InvalidInput as error:
        roll_back()
        return _rules_page(slug, problem=error_words(error)), 400
    flash(_("Saved. The next crawl reads by it; what waits in quarantine can be read again now."), "reading")
    return context.go_to(url_for("operations_stores.rules", slug=slug))


@pages.get("/<slug>/remove")
@needs("manage_stores")
def removal(slug: str) -> str:
    """What goes with the store, and the field that confirms it."""
    return _removal_page(slug)


@pages.post("/<slug>/remove")
@needs("manage_stores")
def remove(slug: str) -> Response | tuple[str, int]:
    """Have a worker remove the store with all that was read of it."""
    typed = request.form.get("slug", "")
    try:
        ask_for_removal(current_session(), slug, confirmed_slug=typed, account_id=account_id())
    except InvalidInput as error:
        roll_back()
        return _removal_page(slug, problem=error_words(error)), 400
    flash(_("A worker removes it now, step by step; it disappears from this list when it is done."), "store")
    return context.go_to(url_for("operations.index"))


@pages.get("/export.json")
@needs("operate")
def export() -> Response:
    """The settings of all stores, or of one, as a file; secrets are left out."""
    slug = request.args.get("store")
    document = export_settings(list_store_settings(current_session(), [slug] if slug else None))
    name = f"click2cart-{slug or 'stores'}.json"
    response = Response(json.dumps(document, ensure_ascii=False, indent=1), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@pages.get("/import")
@needs("manage_stores")
def import_form() -> str:
    """A field for the file."""
    return render_template("operations/import.html", text="", found=None)


@pages.post("/import")
@needs("manage_stores")
def import_file() -> tuple[str, int] | str | Response:
    """Say what the file would change; with "confirmed", change it."""
    uploaded = request.files.get("file")
    text = request.form.get("text", "")
    is_confirmed = "confirmed" in request.form
    try:
        if uploaded is not None and uploaded.filename:
            text = uploaded.read().decode("utf-8-sig")
        found = import_stores(current_session(), read_export(json.loads(text)), account_id=account_id())
    except InvalidInput as error:
        roll_back()
        return render_template(
            "operations/import.html", text=text, found=None, problem=error_words(error)
        ), 400
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        problem = _("The file is no JSON: %(problem)s", problem=str(error)[:200])
        return render_template("operations/import.html", text=text, found=None, problem=problem), 400
    if not is_confirmed:
        roll_back()
        return render_template("operations/import.html", text=text, found=found)
    flash(_("Imported: %(count)d stores.", count=len(found)), "store")
    return context.go_to(url_for("operations.index"))


def _removal_page(slug: str, *, problem: str | None = None) -> str:
    session = current_session()
    return render_template(
        "operations/remove.html",
        store=get_store_summary(session, slug),
        belongings=count_belongings(session, slug),
        problem=problem,
    )


def _rules_page(slug: str, *, problem: str | None = None) -> str:
    session = current_session()
    offer_rules = get_offer_rules(session, slug)
    return render_template(
        "operations/rules.html",
        store=get_store_summary(session, slug),
        rules=get_reading_rules(session, slug),
        offer_rules=offer_rules,
        ignored=", ".join(reason_words(reason) for reason in sorted(offer_rules.ignored)),
        problem=problem,
    )
