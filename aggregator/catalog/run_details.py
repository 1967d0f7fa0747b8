"""One run as operators see it: counts, log, anomalies, and what it changes beside the run before."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aggregator.catalog.runs import REPLAY
from aggregator.catalog.stores import get_run
from aggregator.db.models import QuarantinedOfferRow, RunLogRow, RunRow
from aggregator.domain.errors import NotFound
from aggregator.domain.runs import (
    Anomaly,
    CrawlCounts,
    LogLine,
    OfferChange,
    RunDetail,
    RunDifference,
)


def get_run_detail(session: Session, public_id: str, *, log_tail: int = 200) -> RunDetail:
    """One run whole, with the last `log_tail` lines of its log; a constant number of queries. Raises NotFound."""
    run = _row(session, public_id)
    summary = get_run(session, public_id)
    before = session.scalar(
        select(RunRow)
        .where(
            RunRow.store_id == run.store_id,
            RunRow.started_at < run.started_at,
            RunRow.state.in_(("finished", "failed")),
            RunRow.trigger != REPLAY,
        )
        .order_by(RunRow.is_complete.desc(), RunRow.started_at.desc())
        .limit(1)
    )
    return RunDetail(
        run=summary,
        counts=_counts(run),
        rejected=_rejected(session, run),
        anomalies=tuple(Anomaly(**anomaly) for anomaly in run.anomalies),
        difference=None if run.difference is None else _difference(run.difference),
        before=None if before is None else get_run(session, before.public_id),
        before_counts=None if before is None else _counts(before),
        log=tuple(_log(session, run.id, log_tail)),
        log_lines=run.log_lines,
        progress=_progress(run, before),
        attempt=run.attempt,
        worker=run.worker,
    )


def get_run_log(session: Session, public_id: str, *, limit: int = 1000) -> list[LogLine]:
    """The newest lines of a run's log, oldest first; raises NotFound."""
    return _log(session, _row(session, public_id).id, limit)


def _row(session: Session, public_id: str) -> RunRow:
    run = session.scalar(select(RunRow).where(RunRow.public_id == public_id))
    if run is None:
        raise NotFound("run", public_id)
    return run


def _counts(run: RunRow) -> CrawlCounts:
    return CrawlCounts(
        requests=run.requests,
        bytes_received=run.bytes_received,
        not_modified=run.not_modified,
        pages=run.pages,
        pages_without_offers=run.pages_without_offers,
        listed=run.listed,
        stage_seconds={name: float(seconds) for name, seconds in run.stage_seconds.items()},
    )


def _rejected(session: Session, run: RunRow) -> dict[str, int]:
    if run.state != "running":
        return {reason: int(count) for reason, count in run.rejected.items()}
    return count_rejected(session, run)


def count_rejected(session: Session, run: RunRow) -> dict[str, int]:
    """A run's quarantined offers by reason, most first."""
    counted = session.execute(
        select(QuarantinedOfferRow.reason, func.count())
        .where(QuarantinedOfferRow.run_id == run.id, QuarantinedOfferRow.attempt == run.attempt)
        .group_by(QuarantinedOfferRow.reason)
    )
    by_reason = [(str(reason), int(count)) for reason, count in counted]
    return dict(sorted(by_reason, key=lambda pair: (-pair[1], pair[0])))


def _log(session: Session, run_id: int, limit: int) -> list[LogLine]:
    rows = session.scalars(
        select(RunLogRow).where(RunLogRow.run_id == run_id).order_by(RunLogRow.id.desc()).limit(limit)
    ).all()
    return [
        LogLine(at=row.at, level=row.level, message=row.message, data=row.data)  # type: ignore[arg-type]  # the table's check constraint holds the same words
        for row in reversed(rows)
    ]


def _progress(run: RunRow, before: RunRow | None) -> float | None:
    """Pages or offers read of those to be expected; never quite all of them while it runs."""
    if run.state != "running":
        return 1.0
    expected = run.listed or (before.seen if before is not None and before.is_complete else 0)
    if not expected:
        return None
    return min(max(run.seen, run.pages + run.not_modified) / expected, 0.99)


def _difference(kept: dict[str, Any]) -> RunDifference:
    counts = {name: value for name, value in kept.items() if name != "samples"}
    return RunDifference(**counts, samples=tuple(_change(sample) for sample in kept.get("samples", ())))


def _change(kept: dict[str, Any]) -> OfferChange:
    amounts = {name: None if kept[name] is None else Decimal(kept[name]) for name in ("before", "after")}
    return OfferChange(**{**kept, **amounts})
