"""Held runs that a person wants accepted: asked for at once, merged by a worker, however many offers they hold."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from aggregator.catalog.ingest import IngestReport, lock_held_run, settle_held_run
from aggregator.catalog.runs import write_log
from aggregator.db.models import RunRow
from aggregator.db.session import database_now
from aggregator.domain.errors import Conflict
from aggregator.domain.runs import LogLine

_ASK_AGAIN_AFTER = timedelta(seconds=60)


def ask_to_accept(session: Session, public_id: str, *, account_id: int | None = None) -> None:
    """Have a held run merged by a worker; asked twice it stays asked once. Discarding it before takes that back.

    Raises NotFound, and Conflict where it is not held, a newer run was released, or its staged offers were lost.
    """
    run = lock_held_run(session, public_id, accept=True)
    if run.accept_asked_at is None:
        run.accept_asked_at, run.accept_asked_by = database_now(session), account_id
        session.flush()


def accepting_is_due(session: Session) -> bool:
    """Whether a held run waits to be accepted; marks it as asked for, so that the queue is not filled with repeats."""
    now = database_now(session)
    asked = session.scalars(
        update(RunRow)
        .where(
            RunRow.accept_asked_at.is_not(None),
            RunRow.state == "held",
            or_(RunRow.accept_sent_at.is_(None), RunRow.accept_sent_at < now - _ASK_AGAIN_AFTER),
        )
        .values(accept_sent_at=now)
        .returning(RunRow.id)
    )
    return bool(asked.all())


def accept_next(session: Session) -> IngestReport | None:
    """Accept the run that waits longest, in the name of who asked; None where none waits.

    A run that can no longer be accepted stays held, its log says why, and nobody is asked for it again.
    """
    run = session.scalar(
        select(RunRow)
        .where(RunRow.accept_asked_at.is_not(None), RunRow.state == "held")
        .order_by(RunRow.accept_asked_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if run is None:
        return None
    try:
        return settle_held_run(session, run.public_id, accept=True, account_id=run.accept_asked_by)
    except Conflict as error:
        run.accept_asked_at = run.accept_sent_at = None
        line = LogLine(
            at=database_now(session), level="error", message=f"It was not accepted: {error}", data={}
        )
        write_log(session, run.id, [line])
        return accept_next(session)
