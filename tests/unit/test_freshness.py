"""How a store is being read, in a word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.domain.freshness import Freshness, freshness_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours_ago", "interval_hours", "failures", "found"),
    [
        (1, 6, 0, Freshness.FRESH),
        (23, 6, 0, Freshness.FRESH),
        (25, 6, 0, Freshness.STALE),
        (47, 24, 0, Freshness.FRESH),
        (49, 24, 0, Freshness.STALE),
        (None, 6, 0, Freshness.STALE),
        (1, 6, 1, Freshness.FAILING),
        (None, 6, 3, Freshness.FAILING),
    ],
)
def test_a_store_is_fresh_stale_or_failing(
    hours_ago: int | None, interval_hours: int, failures: int, found: Freshness
) -> None:
    checked_at = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    interval = timedelta(hours=interval_hours)
    assert freshness_of(checked_at, crawl_interval=interval, failures=failures, now=NOW) == found
