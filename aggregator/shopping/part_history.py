"""The history of a checkout's parts: each change of state, and what was taken back."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from aggregator.db.models import HandOffEventRow
from aggregator.domain.purchases import OPEN_STATES, PartEvent, PartState


def record_change(session: Session, hand_off_id: int, state: PartState, *, note: str = "") -> None:
    """Keep that a part is in this state now; the same state again is no change."""
    standing = _standing(session, hand_off_id)
    if not standing or standing[-1].state != state or note:
        session.execute(insert(HandOffEventRow).values(hand_off_id=hand_off_id, state=state, note=note))


def take_back_last(session: Session, hand_off_id: int) -> tuple[PartEvent, ...]:
    """Mark the last change as taken back; the changes that stand before it, oldest first."""
    last = (
        select(HandOffEventRow.id)
        .where(HandOffEventRow.hand_off_id == hand_off_id, HandOffEventRow.taken_back_at.is_(None))
        .order_by(HandOffEventRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    session.execute(
        update(HandOffEventRow)
        .where(HandOffEventRow.id == last)
        .values(taken_back_at=datetime.now(UTC))
        .execution_options(synchronize_session=False)
    )
    return _standing(session, hand_off_id)


def take_back_all(session: Session, hand_off_id: int) -> None:
    """Mark every change as taken back but that the store was opened."""
    session.execute(
        update(HandOffEventRow)
        .where(HandOffEventRow.hand_off_id == hand_off_id, HandOffEventRow.taken_back_at.is_(None))
        .where(HandOffEventRow.state.not_in(OPEN_STATES))
        .values(taken_back_at=datetime.now(UTC))
        .execution_options(synchronize_session=False)
    )


def read_history(session: Session, hand_off_ids: list[int]) -> dict[int, tuple[PartEvent, ...]]:
    """The changes of these parts, oldest first."""
    rows = session.execute(
        select(
            HandOffEventRow.hand_off_id,
            HandOffEventRow.state,
            HandOffEventRow.created_at,
            HandOffEventRow.note,
            HandOffEventRow.taken_back_at,
        )
        .where(HandOffEventRow.hand_off_id.in_(hand_off_ids))
        .order_by(HandOffEventRow.id)
    ).all()
    found: dict[int, list[PartEvent]] = {}
    for row in rows:
        found.setdefault(row.hand_off_id, []).append(
            PartEvent(state=row.state, at=row.created_at, note=row.note, taken_back_at=row.taken_back_at)
        )
    return {hand_off_id: tuple(events) for hand_off_id, events in found.items()}


def _standing(session: Session, hand_off_id: int) -> tuple[PartEvent, ...]:
    """The changes that were not taken back, oldest first."""
    events = read_history(session, [hand_off_id]).get(hand_off_id, ())
    return tuple(event for event in events if event.taken_back_at is None)
