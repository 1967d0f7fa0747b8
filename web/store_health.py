"""How a store and a run fare, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from flask_babel import gettext as _

from aggregator.domain.operations import RunSummary, StoreHealth, StoreSummary
from web.presenters import Words

# A reader beats every few seconds; the pages call it silent a little later than its successor does.
SILENT_AFTER = timedelta(seconds=60)


def health(store: StoreSummary, more: StoreHealth | None = None, now: datetime | None = None) -> Words:
    """The one thing an operator should know about a store."""
    now = now or datetime.now(UTC)
    run = store.last_run
    if store.removal_asked_at is not None:
        return Words(_("Being removed"), "quiet")
    if run is not None and run.state == "running":
        return run_words(run, now)
    if not store.is_active:
        return Words(_("Paused"), "quiet")
    if more is not None and more.circuit == "open":
        return Words(_("Left alone after failures"), "bad")
    if run is None:
        return Words(_("Never read"), "warn")
    if run.state in {"failed", "held"}:
        return run_words(run, now)
    if store.checked_at is None:
        return Words(_("Never read to the end"), "warn")
    if now - store.checked_at > 2 * timedelta(seconds=store.crawl_interval):
        return Words(_("Late"), "warn")
    if more is not None and more.usual_yield and more.recent_yields[-1] < more.usual_yield / 2:
        return Words(_("Reads much less"), "warn")
    return Words(_("Fresh"), "good")


def needs_attention(store: StoreSummary, more: StoreHealth | None = None) -> bool:
    """Whether an operator has something to do about a store."""
    alarms = more.open_alarms if more else 0
    return health(store, more).tone in {"warn", "bad"} or bool(alarms or store.open_quarantine)


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


def trend(values: Sequence[int], *, width: int = 72, height: int = 18) -> str:
    """The points of a small line through the values, as SVG writes them; "" for fewer than two."""
    if len(values) < 2:
        return ""
    most, least = max(values), min(values)
    span = (most - least) or 1
    step = (width - 2) / (len(values) - 1)
    return " ".join(
        f"{1 + number * step:.1f},{height - 2 - (value - least) * (height - 4) / span:.1f}"
        for number, value in enumerate(values)
    )
