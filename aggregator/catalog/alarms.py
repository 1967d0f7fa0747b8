"""Alarms: opened once, updated while they last, closed when it is well again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.db.models import AlarmRow, AuditEntryRow, RunRow, StoreRow
from aggregator.domain.alarms import Alarm, AlarmKind, AlarmState
from aggregator.domain.errors import NotFound
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.normalization import safe_json
from aggregator.domain.normalization.names import clean_text

_PRESENT: tuple[AlarmState, ...] = ("open", "acknowledged")
_Found = Select[AlarmRow, StoreRow, str]


def raise_alarm(
    session: Session,
    kind: AlarmKind,
    *,
    subject: str,
    message: str,
    store_id: int | None = None,
    run_id: int | None = None,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Open an alarm, or say of the one that is open that it was seen again. Safe from several processes at once.

    `subject` tells two alarms of one kind apart, such as a store's slug.
    """
    now = datetime.now(UTC)
    said = {
        "message": clean_text(message, 500),
        "figures": safe_json(dict(figures or {})),
        "run_id": run_id,
        "last_seen_at": now,
    }
    opened = insert(AlarmRow).values(
        public_id=new_public_id(), kind=kind, subject=subject, store_id=store_id, first_seen_at=now, **said
    )
    session.execute(
        opened.on_conflict_do_update(
            index_elements=["kind", "subject"],
            # Spelt out: a bound value would match no index once the statement is prepared.
            index_where=text("state <> 'closed'"),
            set_={**said, "sightings": AlarmRow.sightings + 1},
        )
    )


def settle_alarms(session: Session, subject: str, *kinds: AlarmKind) -> int:
    """Close what is open of these kinds about this subject, because it is well again; how many."""
    closed = session.scalars(
        update(AlarmRow)
        .where(AlarmRow.kind.in_(kinds), AlarmRow.subject == subject, AlarmRow.state != "closed")
        .values(state="closed", closed_at=datetime.now(UTC))
        .returning(AlarmRow.id)
    )
    return len(closed.all())


def acknowledge_alarm(session: Session, public_id: str, *, account_id: int | None = None) -> Alarm:
    """Say that somebody sees to it; it closes by itself when it is well again. Raises NotFound."""
    row = session.scalar(select(AlarmRow).where(AlarmRow.public_id == public_id).with_for_update())
    if row is None:
        raise NotFound("alarm", public_id)
    if row.state == "open":
        row.state, row.acknowledged_at, row.acknowledged_by = "acknowledged", datetime.now(UTC), account_id
        session.add(
            AuditEntryRow(
                account_id=account_id, action="alarm_acknowledged", subject=f"alarm:{public_id}", detail={}
            )
        )
        session.flush()
    return get_alarm(session, public_id)


def list_alarms(
    session: Session,
    *,
    states: Sequence[AlarmState] = _PRESENT,
    store_slug: str | None = None,
    limit: int = 200,
) -> list[Alarm]:
    """Alarms, the last seen first."""
    query = _found().where(AlarmRow.state.in_(states))
    if store_slug is not None:
        query = query.where(StoreRow.slug == store_slug)
    rows = session.execute(query.order_by(AlarmRow.last_seen_at.desc(), AlarmRow.id.desc()).limit(limit))
    return [_value(*row) for row in rows]


def get_alarm(session: Session, public_id: str) -> Alarm:
    """One alarm; raises NotFound."""
    found = session.execute(_found().where(AlarmRow.public_id == public_id)).first()
    if found is None:
        raise NotFound("alarm", public_id)
    return _value(*found)


def count_open_alarms(session: Session) -> dict[str, int]:
    """Open and acknowledged alarms by kind."""
    counted = session.execute(
        select(AlarmRow.kind, func.count()).where(AlarmRow.state != "closed").group_by(AlarmRow.kind)
    )
    return {str(kind): int(count) for kind, count in counted}


def take_untold_alarms(session: Session, *, limit: int = 500) -> list[Alarm]:
    """Alarms whose opening or closing nobody was told of, oldest first; from here on they count as told.

    Write the notices of them in the same transaction. One that opened and closed before anybody was told of it is
    told of neither way.
    """
    is_closed = AlarmRow.state == "closed"
    session.execute(
        update(AlarmRow).where(is_closed, AlarmRow.told_state.is_(None)).values(told_state="closed")
    )
    rows = session.scalars(
        select(AlarmRow)
        .where(or_(AlarmRow.told_state.is_(None), is_closed & (AlarmRow.told_state == "open")))
        .order_by(AlarmRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.told_state = "closed" if row.state == "closed" else "open"
    session.flush()
    ids = [row.id for row in rows]
    told = session.execute(_found().where(AlarmRow.id.in_(ids)).order_by(AlarmRow.id))
    return [_value(*row) for row in told]


def _found() -> _Found:
    return (
        select(AlarmRow, StoreRow, RunRow.public_id)
        .outerjoin(StoreRow, StoreRow.id == AlarmRow.store_id)
        .outerjoin(RunRow, RunRow.id == AlarmRow.run_id)
    )


def _value(row: AlarmRow, store: StoreRow | None, run: str | None) -> Alarm:
    return Alarm(
        id=row.public_id,
        kind=row.kind,  # type: ignore[arg-type]  # only `raise_alarm` writes it
        state=row.state,  # type: ignore[arg-type]  # the table's check constraint holds the same words
        store_slug=store.slug if store else None,
        store_name=store.name if store else None,
        run=run,
        message=row.message,
        figures=row.figures,
        sightings=row.sightings,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        acknowledged_at=row.acknowledged_at,
        closed_at=row.closed_at,
    )
