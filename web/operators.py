"""What all operators' pages share: who is let in, who acts, and the words that their templates use."""

from __future__ import annotations

from flask import Blueprint, request, url_for
from flask_babel import gettext as _

from aggregator.catalog.alarms import count_open_alarms
from web import context, figure_words, operation_words, probe_words, store_health
from web.db import current_session
from web.permissions import may_do

_WORDS = (
    may_do,
    store_health.health,
    store_health.run_words,
    store_health.yield_share,
    store_health.trend,
    operation_words.action_words,
    operation_words.alarm_kind_words,
    operation_words.alarm_state_words,
    operation_words.anomaly_words,
    figure_words.figure_words,
    operation_words.planned_time,
    operation_words.reason_words,
    operation_words.schedule_words,
    operation_words.audit_words,
    operation_words.size,
    operation_words.source_kind_words,
    operation_words.stage_words,
    operation_words.subject_link,
    operation_words.trigger_words,
    probe_words.availability_words,
    probe_words.price_words,
)


def operators_blueprint(name: str, import_name: str, url_prefix: str) -> Blueprint:
    """A blueprint whose every view must declare its permission, or stays closed."""
    blueprint = Blueprint(name, import_name, url_prefix=url_prefix)
    blueprint.context_processor(words)
    return blueprint


def words() -> dict[str, object]:
    """What the operators' templates call."""
    return {function.__name__: function for function in _WORDS} | {
        "sections": sections,
        "section_of": section_of,
        "no_figures": lambda figures: [],
    }


def sections() -> list[tuple[str, str, int]]:
    """The operators' navigation: (endpoint, words, how many wait there)."""
    alarms = sum(count_open_alarms(current_session()).values())
    found = [
        ("operations.index", _("Stores"), 0),
        ("operations_runs.index", _("Runs"), 0),
        ("operations_quarantine.index", _("Quarantine"), 0),
        ("matches.index", _("Doubtful pairs"), 0),
        ("operations_categories.index", _("Categories"), 0),
        ("operations_system.alarms", _("Alarms"), alarms),
        ("operations_system.workers", _("Workers"), 0),
        ("operations_system.audit_log", _("Audit log"), 0),
    ]
    if may_do("manage_accounts"):
        found.append(("operations_system.people", _("People"), 0))
    return found


def section_of(endpoint: str | None) -> str | None:
    """The section that a page without one of its own belongs to."""
    blueprint = (endpoint or "").partition(".")[0]
    return {
        "operations_stores": "operations.index",
        "operations_settings": "operations.index",
        "add_store": "operations.index",
        "operations_runs": "operations_runs.index",
        "operations_quarantine": "operations_quarantine.index",
        "matches": "matches.index",
        "operations_categories": "operations_categories.index",
    }.get(blueprint)


def account_id() -> int | None:
    """Who acts, for the audit log."""
    account = context.current_account()
    return account.account_id if account else None


def back_to(default: str) -> str:
    """Where the form says that its page is, if that is here; else the default."""
    return context.local_path(request.form.get("next"), default)


def page_address(endpoint: str, **changed: str | None) -> str:
    """This page's address with some of its filters changed; None takes one away."""
    kept = {**request.args.to_dict(), **changed}
    return url_for(endpoint, **{name: value for name, value in kept.items() if value})  # type: ignore[arg-type]  # values of any name are query parameters
