"""Quarantine: what could not be read, by store and reason; settled by a rule, a person or reading again."""

from __future__ import annotations

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.catalog.quarantine import (
    choose_candidate,
    discard_quarantined,
    get_quarantined,
    group_quarantine,
    list_quarantine,
    quarantined_by_store,
)
from aggregator.catalog.reading_rules import get_reading_rules
from aggregator.catalog.replays import ReplayReport, replay_quarantine
from aggregator.domain.errors import InvalidInput
from web import context
from web.db import current_session
from web.operators import account_id, back_to, operators_blueprint
from web.permissions import needs

pages = operators_blueprint("operations_quarantine", __name__, "/operations/quarantine")
_SHOWN = 50
# A person waits for these; a store may have contradicted itself on half a million pages.
_READ_AT_ONCE = 2_000
_STATES = ("open", "settled", "replayed", "discarded")


@pages.get("")
@needs("operate")
def index() -> str:
    """How much waits, by store and reason; with filters, the offers themselves."""
    session = current_session()
    slug, reason = request.args.get("store") or None, request.args.get("reason") or None
    state = request.args.get("state", "open")
    state = state if state in _STATES else "open"
    offers = list_quarantine(
        session,
        store_slug=slug,
        reason=reason,
        run=request.args.get("run") or None,
        state=state,
        before=request.args.get("before") or None,
        limit=_SHOWN,
    )
    return render_template(
        "operations/quarantine.html",
        groups=group_quarantine(session, store_slug=slug),
        offers=offers,
        store_slug=slug,
        reason=reason,
        state=state,
        states=_STATES,
        goes_on=len(offers) == _SHOWN,
    )


@pages.get("/<offer_id>")
@needs("operate")
def show(offer_id: str) -> str:
    """One offer with its raw text, and the candidates where the page contradicts itself."""
    session = current_session()
    offer = get_quarantined(session, offer_id)
    return render_template(
        "operations/quarantined.html", offer=offer, rules=get_reading_rules(session, offer.store_slug)
    )


@pages.post("/<offer_id>/choose")
@needs("operate")
def choose(offer_id: str) -> Response:
    """Believe one source about a field: it becomes the store's rule, and what waits is read again by it."""
    session = current_session()
    field, source = request.form.get("field", ""), request.form.get("source", "")
    choose_candidate(session, offer_id, field, source, account_id=account_id())
    slug = get_quarantined(session, offer_id).store_slug
    report = replay_quarantine(
        session, slug, reason="ambiguous", at_most=_READ_AT_ONCE, account_id=account_id()
    )
    flash(
        _("From now on, the %(field)s is taken from %(source)s.", field=field, source=source)
        + " "
        + _replayed(report),
        "quarantine",
    )
    return context.go_to(url_for("operations_quarantine.show", offer_id=offer_id))


@pages.post("/settle")
@needs("operate")
def settle() -> Response:
    """Discard the chosen offers, read them again, or vouch for their prices."""
    session = current_session()
    chosen = request.form.getlist("offer")[:1000]
    if not chosen:
        raise InvalidInput(
            _("no offer was chosen"), place=_("Quarantine"), remedy=_("tick at least one and press again")
        )
    act = request.form.get("act")
    if act == "discard":
        count = discard_quarantined(session, chosen, account_id=account_id())
        words = ngettext(
            "%(num)d offer is discarded; it comes back here only for another reason.",
            "%(num)d offers are discarded; they come back here only for another reason.",
            count,
        )
    else:
        words = " ".join(
            _replayed(
                replay_quarantine(
                    session, slug, public_ids=ids, vouched=act == "vouch", account_id=account_id()
                )
            )
            for slug, ids in quarantined_by_store(session, chosen).items()
        )
    flash(words, "quarantine")
    return context.go_to(back_to(url_for("operations_quarantine.index")))


def _replayed(report: ReplayReport) -> str:
    if report.run is None:
        return str(_("Nothing could be read again: too little was kept."))
    if report.run.state == "held":
        return str(_("Read again, and held back: look at its run."))
    released = report.run.seen - report.run.quarantined
    words = ngettext(
        "%(num)d offer was read again and is shown to shoppers.",
        "%(num)d offers were read again and are shown to shoppers.",
        released,
    )
    if report.run.quarantined:
        words += " " + ngettext("%(num)d waits still.", "%(num)d wait still.", report.run.quarantined)
    if report.is_more:
        words += " " + _("More wait than are read at once: the next crawl reads them by this rule.")
    return str(words)
