"""How a store is being read, in the one word that a shopper needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

_ALWAYS_FRESH = timedelta(hours=24)


class Freshness(StrEnum):
    """FRESH: its range was read in time; STALE: that is overdue; FAILING: its last readings got nothing."""

    FRESH = "fresh"
    STALE = "stale"
    FAILING = "failing"


def freshness_of(
    checked_at: datetime | None, *, crawl_interval: timedelta, failures: int, now: datetime
) -> Freshness:
    """`checked_at` is when the last complete run began, `failures` the runs in a row since that got nothing.

    Two intervals may pass, and a day in any case: one run may be late, held or broken off.
    """
    if failures:
        return Freshness.FAILING
    if checked_at is None or now - checked_at > max(_ALWAYS_FRESH, 2 * crawl_interval):
        return Freshness.STALE
    return Freshness.FRESH
