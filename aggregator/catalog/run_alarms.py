"""What the end of a run says of its store: alarms that open, and those that close because it is well again."""

from __future__ import annotations

import statistics

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from aggregator.catalog.alarms import raise_alarm, settle_alarms
from aggregator.catalog.runs import REPLAY
from aggregator.db.models import RunRow, StoreRow
from aggregator.domain.alarms import AlarmKind

# How many runs before are looked at to know what is usual.
_USUAL = 5
# By this much of what is listed less may be readable than is usual, and so many more wait in quarantine.
_DROP = 0.2
_GROWTH = 3
_FEWEST = 5

# What a store's own failure is called, by words of our errors.
_FAILURES: tuple[tuple[str, AlarmKind], ...] = (
    # A certificate that is not trusted makes robots.txt unreadable, too.
    ("certificate", "certificate"),
    ("robots.txt", "robots_disallow"),
)
_OF_FAILURE: tuple[AlarmKind, ...] = ("store_unreachable", "robots_disallow", "certificate")


def note_run_end(session: Session, run: RunRow) -> None:
    """Open and close the alarms of a run that has just been released, held, discarded or given up.

    What was replayed out of quarantine says nothing of the store.
    """
    if run.trigger == REPLAY:
        return
    store = session.execute(select(StoreRow.slug, StoreRow.name).where(StoreRow.id == run.store_id)).one()
    match run.state:
        case "held":
            raise_alarm(
                session,
                "run_held",
                subject=store.slug,
                store_id=run.store_id,
                run_id=run.id,
                message=f"What was read of {store.name} is held back: {run.problem}. "
                "Shoppers see what was read before, with its age.",
                figures={"held": run.held, "quarantined": run.quarantined},
            )
        case "failed":
            _note_failure(session, run, store.slug, store.name)
            is_held = exists().where(RunRow.store_id == run.store_id, RunRow.state == "held")
            if not session.scalar(select(is_held)):
                settle_alarms(session, store.slug, "run_held")
        case "finished":
            settle_alarms(session, store.slug, *_OF_FAILURE, "run_held", "store_stale")
            _compare_yield(session, run, store.slug, store.name)
        case "cancelled":
            settle_alarms(session, store.slug, "run_held")


def failure_kind(problem: str) -> AlarmKind:
    """Which alarm a run's problem is about."""
    words = problem.lower()
    return next((kind for word, kind in _FAILURES if word in words), "store_unreachable")


def _note_failure(session: Session, run: RunRow, slug: str, name: str) -> None:
    kind = failure_kind(run.problem or "")
    settle_alarms(session, slug, *(other for other in _OF_FAILURE if other != kind))
    raise_alarm(
        session,
        kind,
        subject=slug,
        store_id=run.store_id,
        run_id=run.id,
        message=f"{name} could not be read to its end: {run.problem or 'no reason was given'}",
        figures={"requests": run.requests, "seen": run.seen},
    )


def _compare_yield(session: Session, run: RunRow, slug: str, name: str) -> None:
    before = session.execute(
        select(RunRow.seen, RunRow.quarantined)
        .where(
            RunRow.store_id == run.store_id,
            RunRow.id != run.id,
            RunRow.started_at < run.started_at,
            RunRow.state == "finished",
            RunRow.is_complete,
        )
        .order_by(RunRow.started_at.desc())
        .limit(_USUAL)
    ).all()
    if not before:
        return
    readable = run.seen - run.quarantined
    usual = statistics.median(seen - quarantined for seen, quarantined in before)
    if usual - readable >= _FEWEST and readable < usual * (1 - _DROP):
        raise_alarm(
            session,
            "yield_drop",
            subject=slug,
            store_id=run.store_id,
            run_id=run.id,
            message=f"{name} yielded {readable} offers; {usual:g} are usual.",
            figures={"readable": readable, "usual": usual},
        )
    else:
        settle_alarms(session, slug, "yield_drop")
    usual_refused = statistics.median(quarantined for _, quarantined in before)
    if run.quarantined - usual_refused >= _FEWEST and run.quarantined > usual_refused * _GROWTH:
        raise_alarm(
            session,
            "quarantine_growth",
            subject=slug,
            store_id=run.store_id,
            run_id=run.id,
            message=f"{run.quarantined} offers of {name} could not be read or believed; {usual_refused:g} are usual.",
            figures={"quarantined": run.quarantined, "usual": usual_refused, "by_reason": run.rejected},
        )
    else:
        settle_alarms(session, slug, "quarantine_growth")
