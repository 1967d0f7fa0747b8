"""Words of the operators' pages: reasons, alarms, anomalies, schedules, actions."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from babel.dates import format_skeleton
from babel.numbers import format_decimal
from flask import url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from aggregator.domain.schedules import Schedule
from web.presenters import Words, duration


def schedule_words(schedule: Schedule) -> str:
    """When a store is read: "every 6 hr", "cron 30 2 * * *, Europe/Berlin"."""
    if schedule.cron is not None:
        said = _("cron %(cron)s, %(zone)s", cron=schedule.cron, zone=schedule.timezone)
    else:
        said = _("every %(time)s", time=duration(timedelta(seconds=schedule.interval or 0)))
    if schedule.jitter:
        said += ", " + _("up to %(time)s later", time=duration(timedelta(seconds=schedule.jitter)))
    if schedule.quiet_from is not None and schedule.quiet_until is not None:
        said += ", " + _(
            "not from %(begin)s to %(end)s (%(zone)s)",
            begin=schedule.quiet_from.strftime("%H:%M"),
            end=schedule.quiet_until.strftime("%H:%M"),
            zone=schedule.timezone,
        )
    return str(said)


def planned_time(at: datetime) -> str:
    """A time of a schedule in its own zone: "Sun, Mar 28, 2027, 03:00"."""
    return f"{format_skeleton('yMMMEd', at, locale=get_locale())}, {at:%H:%M}"


def trigger_words(trigger: str) -> str:
    """Why a run began."""
    words = {
        "schedule": _("It was due."),
        "operator": _("An operator asked for it."),
        "command": _("A command asked for it."),
        "import": _("A feed was imported by hand."),
        "replay": _("Quarantined offers were read again."),
    }
    return str(words.get(trigger, trigger))


def reason_words(reason: str) -> str:
    """Why an offer waits in quarantine."""
    words = {
        "ambiguous": _("The page contradicts itself"),
        "no_price": _("No price"),
        "unreadable_price": _("The price cannot be read"),
        "no_currency": _("No currency"),
        "ambiguous_price": _("The price can be read in two ways"),
        "impossible_price": _("The price cannot be true"),
        "malformed": _("Cannot be read at all"),
        "no_id": _("No identifier"),
        "no_link": _("No address"),
        "no_title": _("No title"),
        "price_jump": _("The price jumped"),
        "currency_change": _("The currency changed"),
    }
    return str(words.get(reason, sentence_of(reason)))


def anomaly_words(kind: str) -> str:
    """What the judgement found."""
    words = {
        "vanished": _("Many offers vanished"),
        "yield_collapse": _("Much less could be read"),
        "currency_flip": _("The currency changed"),
        "prices_moved": _("Most prices moved"),
        "same_price": _("Many prices became one"),
        "price_scale": _("Prices moved by a power of ten"),
        "out_of_stock": _("Most offers are out of stock"),
        "implausible": _("Prices are not plausible"),
    }
    return str(words.get(kind, sentence_of(kind)))


def alarm_kind_words(kind: str) -> str:
    """What an alarm is about."""
    words = {
        "store_unreachable": _("Store cannot be read"),
        "run_held": _("Run held back"),
        "yield_drop": _("Reads much less"),
        "store_stale": _("Not read for too long"),
        "circuit_open": _("Left alone after failures"),
        "robots_disallow": _("robots.txt forbids it now"),
        "certificate": _("Certificate not trusted"),
        "quarantine_growth": _("Quarantine grows"),
        "worker_missing": _("No worker lives"),
        "queue_stuck": _("Due work is not begun"),
        "notices_failing": _("Notices cannot be delivered"),
    }
    return str(words.get(kind, sentence_of(kind)))


def alarm_state_words(state: str) -> Words:
    """Whether somebody sees to an alarm."""
    match state:
        case "open":
            return Words(_("Open"), "bad")
        case "acknowledged":
            return Words(_("Seen to"), "warn")
        case _other:
            return Words(_("Over"), "quiet")


def stage_words(stage: str) -> str:
    """A part of a run's work."""
    words = {
        "fetching": _("Fetching"),
        "reading": _("Reading"),
        "staging": _("Staging"),
        "releasing": _("Releasing"),
    }
    return str(words.get(stage, sentence_of(stage)))


def action_words(action: str) -> str:
    """What was done, for the audit log."""
    words = {
        "account.invited": _("Invited"),
        "account.signed_in": _("Signed in"),
        "account.signed_out_everywhere": _("Signed out everywhere"),
        "account.password_set": _("Password set"),
        "account.role_given": _("Role given"),
        "account.role_taken": _("Role taken away"),
        "account.registered": _("Registered"),
        "account.mail_changed": _("Mail address changed"),
        "account.phone_set": _("Phone number confirmed"),
        "account.phone_removed": _("Phone number forgotten"),
        "account.second_factor_on": _("Second factor turned on"),
        "account.second_factor_off": _("Second factor turned off"),
        "account.passkey_added": _("Passkey added"),
        "account.passkey_removed": _("Passkey removed"),
        "account.token_made": _("Token made"),
        "account.token_revoked": _("Token revoked"),
        "account.refresh_token_reused": _("Spent refresh token used again"),
        "account.deletion_asked": _("Deletion asked for"),
        "account.deletion_withdrawn": _("Deletion taken back"),
        "account.deleted": _("Account deleted"),
        "alarm_acknowledged": _("Alarm seen to"),
        "crawl_requested": _("Crawl asked for"),
        "probe_requested": _("Address looked at"),
        "quarantine_discarded": _("Quarantined offer discarded"),
        "quarantine_replayed": _("Quarantined offers read again"),
        "reading_rule_set": _("Reading rule"),
        "run_accepted": _("Held run accepted"),
        "run_cancelled": _("Run cancelled"),
        "run_discarded": _("Held run discarded"),
        "match_reported": _("Pair reported as wrong"),
        "category_rule_set": _("Said what a category's path means"),
        "category_rule_removed": _("Took back what a category's path means"),
        "store_added": _("Store added"),
        "store_imported": _("Settings imported"),
        "store_paused": _("Store paused"),
        "store_removed": _("Store removed"),
        "store_resumed": _("Store resumed"),
        "store_schedule_set": _("Schedule changed"),
        "store_settings_changed": _("Settings changed"),
        "verdict_said": _("Verdict on a pair"),
        "verdict_withdrawn": _("Verdict withdrawn"),
    }
    return str(words.get(action, sentence_of(action.replace(".", " "))))


def audit_words(value: Any) -> str:
    """A value of the audit log on one line; "" for nothing."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:159]}…"


def source_kind_words(source: str) -> str:
    """Where in a page a value stands, for whom "json_ld" says nothing."""
    words = {
        "json_ld": _("structured data"),
        "microdata": _("marks in the page"),
        "open_graph": _("what it tells social networks"),
        "embedded_state": _("the page's scripts"),
        "visible_text": _("what visitors see"),
    }
    return str(words.get(source, ""))


def subject_link(subject: str) -> str | None:
    """Where the subject of an audit entry can be looked at; None where there is no page of it."""
    kind, _colon, key = subject.partition(":")
    pages = {
        "store": ("operations_stores.show", "slug"),
        "run": ("operations_runs.show", "run_id"),
        "quarantined": ("operations_quarantine.show", "offer_id"),
        "probe": ("add_store.show", "probe_id"),
    }
    if not key or kind not in pages:
        return None
    endpoint, argument = pages[kind]
    return url_for(endpoint, **{argument: key})  # type: ignore[arg-type]  # one named argument of the route


def size(count: int) -> str:
    """Bytes, as people read them: "1.2 MB"."""
    amount, unit = float(count), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, bigger
    return f"{format_decimal(round(amount, 1 if unit != 'B' else 0), locale=get_locale())} {unit}"


def sentence_of(name: str) -> str:
    """A program's word as people read it: "price_scale" -> "Price scale"."""
    return name.replace("_", " ").capitalize()
