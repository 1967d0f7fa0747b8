"""Alarms, workers and queues, the audit log, and who may do all this."""

from __future__ import annotations

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _

from aggregator.accounts.audit import list_audit_actions, list_audit_entries
from aggregator.accounts.roles import Role
from aggregator.accounts.sign_in import link_address
from aggregator.accounts.staff import add_staff, list_staff, take_role
from aggregator.catalog.alarms import acknowledge_alarm, list_alarms
from aggregator.catalog.processes import list_processes, list_queues
from aggregator.catalog.stores import get_totals
from aggregator.domain.alarms import AlarmState
from aggregator.domain.errors import Conflict, InvalidInput
from web import context
from web.db import current_session, roll_back
from web.operators import account_id, back_to, operators_blueprint
from web.permissions import needs
from web.told import error_words

pages = operators_blueprint("operations_system", __name__, "/operations")
_ENTRIES = 60


@pages.get("/alarms")
@needs("operate")
def alarms() -> str:
    """What an operator must know, the present ones or those that are over."""
    show = request.args.get("show", "")
    states: tuple[AlarmState, ...] = ("closed",) if show == "over" else ("open", "acknowledged")
    return render_template(
        "operations/alarms.html", alarms=list_alarms(current_session(), states=states), show=show
    )


@pages.post("/alarms/<alarm_id>/acknowledge")
@needs("operate")
def acknowledge(alarm_id: str) -> Response:
    """Say that somebody sees to it."""
    acknowledge_alarm(current_session(), alarm_id, account_id=account_id())
    flash(_("Noted that you see to it. It closes by itself when it is well again."), "alarm")
    return context.go_to(back_to(url_for("operations_system.alarms")))


@pages.get("/workers")
@needs("operate")
def workers() -> str:
    """Which processes live, who leads, and how much waits."""
    session = current_session()
    return render_template(
        "operations/workers.html",
        processes=list_processes(session),
        queues=list_queues(session),
        totals=get_totals(session),
    )


@pages.get("/audit")
@needs("operate")
def audit_log() -> str:
    """Who changed what, newest first."""
    session = current_session()
    before = request.args.get("before", "")
    entries = list_audit_entries(
        session,
        subject=request.args.get("subject") or None,
        action=request.args.get("action") or None,
        before=int(before) if before.isdigit() and len(before) < 18 else None,
        limit=_ENTRIES,
    )
    return render_template(
        "operations/audit.html",
        entries=entries,
        actions=list_audit_actions(session),
        action=request.args.get("action", ""),
        subject=request.args.get("subject", ""),
        goes_on=len(entries) == _ENTRIES,
    )


@pages.get("/people")
@needs("manage_accounts")
def people() -> str:
    """Operators and admins."""
    return _people_page()


@pages.post("/people")
@needs("manage_accounts")
def invite_person() -> str | tuple[str, int] | Response:
    """Give an address a role and show its single-use sign-in link, once."""
    email, given = request.form.get("email", ""), request.form.get("role", "")
    role: Role = "admin" if given == "admin" else "operator"
    try:
        token = add_staff(current_session(), email, role, account_id=account_id())
    except InvalidInput as error:
        roll_back()
        return _people_page(email=email, problem=error_words(error)), 400
    if token is None:
        flash(_("%(email)s may do it from now on, signed in as before.", email=email.strip()), "people")
        return context.go_to(url_for("operations_system.people"))
    return _people_page(link=link_address(context.current_settings(), token), invited=email.strip())


@pages.post("/people/<person_id>/remove")
@needs("manage_accounts")
def remove_person(person_id: str) -> Response | tuple[str, int]:
    """Take operator's and admin's rights away, and end the person's sessions."""
    try:
        take_role(current_session(), person_id, account_id=account_id())
    except Conflict as error:
        roll_back()
        return _people_page(problem=error_words(error)), 409
    flash(_("Done. The account stays, without any rights here, and is signed out everywhere."), "people")
    return context.go_to(url_for("operations_system.people"))


def _people_page(**shown: str) -> str:
    return render_template("operations/people.html", staff=list_staff(current_session()), **shown)
