"""Forgetting what nobody needs any more, in steps small enough not to hold anybody up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.staging import drop_abandoned_staging
from aggregator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept, in days."""

    runs: int = 90
    logs: int = 30
    quarantine: int = 30
    prices: int = 3650
    alarms: int = 365

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """As the operator set it."""
        return cls(
            runs=settings.keep_runs,
            logs=settings.keep_logs,
            quarantine=settings.keep_quarantine,
            prices=settings.keep_prices,
            alarms=settings.keep_alarms,
        )


_USUAL = Retention()


def _kept(retention: Retention) -> Iterator[tuple[str, str, timedelta]]:
    """(table, condition on :before, how long it is kept)."""
    day = timedelta(days=1)
    yield (
        "quarantined_offers",
        "created_at < :before and state in ('settled', 'replayed')",
        max(retention.quarantine / 4, 1) * day,
    )
    yield "quarantined_offers", "created_at < :before", retention.quarantine * day
    yield "run_log", "at < :before", retention.logs * day
    yield "runs", "state <> 'running' and state <> 'held' and started_at < :before", retention.runs * day
    # What was asked at that time is still asked for: the last row before it says so.
    yield (
        "offer_prices",
        "recorded_at < :before and exists (select from offer_prices n where n.offer_id = offer_prices.offer_id"
        " and n.recorded_at > offer_prices.recorded_at and n.recorded_at <= :before)",
        retention.prices * day,
    )
    yield "alarms", "state = 'closed' and closed_at < :before", retention.alarms * day
    yield "notices", "state <> 'waiting' and created_at < :before", retention.alarms * day
    yield "alert_events", "told_at is not null and created_at < :before", retention.alarms * day
    yield "probes", "created_at < :before", 30 * day
    yield "sign_in_links", "expires_at < :before", day
    yield "account_sessions", "expires_at < :before", day
    yield "mailed_tokens", "expires_at < :before", day
    yield "account_challenges", "expires_at < :before", day
    yield "app_sign_ins", "expires_at < :before", day
    # An index that was away for longer is made anew; the newest row is where the others stand.
    yield "search_changes", "changed_at < :before and id < (select max(id) from search_changes)", 7 * day
    yield "repeated_requests", "created_at < :before", day
    yield "rate_limits", "window_starts_at < :before", day
    yield "carts", "account_id is null and updated_at < :before", 90 * day


def forget_old(
    session: Session,
    *,
    now: datetime | None = None,
    at_most: int = 10_000,
    retention: Retention = _USUAL,
) -> dict[str, int]:
    """Delete what is past its time, at most so many rows a table and call; rows deleted by table.

    A run that nobody settled in all that time is discarded, and what it had staged is let go of.
    """
    now = now or datetime.now(UTC)
    session.execute(
        text(
            """
            update runs set state = 'cancelled', problem = concat('nobody settled it in time: ', problem)
            where state = 'held' and started_at < :before
            """
        ),
        {"before": now - timedelta(days=retention.runs)},
    )
    deleted = {"staged_offers": drop_abandoned_staging(session)}
    for table, condition, kept in _kept(retention):
        result = session.execute(
            text(
                f"delete from {table} where ctid in (select ctid from {table} where {condition} limit :at_most)"
            ),
            {"before": now - kept, "at_most": at_most},
        )
        deleted[table] = deleted.get(table, 0) + int(result.rowcount)  # type: ignore[attr-defined]  # a cursor result
    return deleted
