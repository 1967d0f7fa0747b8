"""How a store and a run fare, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask_babel import gettext as _

from aggregator.domain.operations import RunSummary, StoreSummary
from web.presenters import Words

# A reader beats every few seconds; the pages call it silent a little later than its successor does.
SILENT_AFTER = timedelta(seconds=60)


def health(store: StoreSummary, now: datetime | None = None) -> Words:
    """The one thing an operator should know about a store."""
    now = now or datetime.now(UTC)
    run = store.last_run
    if run is not None and run.state == "running":
        return run_words(run, now)
    if not store.is_active:
        return Words(_("Paused"), "quiet")
    if run is None:
        return Words(_("Never read"), "warn")
    if run.state in {"failed", "held"}:
        return run_words(run, now)
    if store.checked_at is None:
        return Words(_("Never read to the end"), "warn")
    if now - store.checked_at > 2 * timedelta(seconds=store.crawl_interval):
        return Words(_("Late"), "warn")
    return Words(_("Fresh"), "good")


def run_words(run: RunSummary, now: datetime | None = None) -> Words:
    """A run's state."""
    match run.state:
        case "running":
            if (now or datetime.now(UTC)) - run.heartbeat_at > SILENT_AFTER:
                return Words(_("Silent"), "warn")
            return Words(_("Reading now"), "info")
        case "finished":
            return Words(_("Finished"), "good") if run.is_complete else Words(_("Finished in part"), "warn")
        case "held":
            return Words(_("Held for a person"), "warn")
        case "failed":
            return Words(_("Failed"), "bad")
        case "cancelled":
            return Words(_("Cancelled"), "quiet")


def yield_share(run: RunSummary | None) -> float | None:
    """Which share of what a run saw could be read; None where it saw nothing."""
    if run is None or not run.seen:
        return None
    return (run.seen - run.quarantined) / run.seen
