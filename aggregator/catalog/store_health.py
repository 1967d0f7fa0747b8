"""How stores fare beside their last run: alarms, circuits, and what their runs usually yield."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median_high

from sqlalchemy import func, lateral, select, true
from sqlalchemy.orm import Session

from aggregator.db.models import AlarmRow, RunRow, StoreCrawlStateRow, StoreRow
from aggregator.domain.operations import StoreHealth

_RUNS_LOOKED_AT = 12


def list_store_health(session: Session, slugs: Sequence[str] | None = None) -> dict[str, StoreHealth]:
    """By slug how these stores fare, or all of them; three queries, however many they are."""
    stores = select(StoreRow.id, StoreRow.slug)
    if slugs is not None:
        stores = stores.where(StoreRow.slug.in_(slugs))
    known = {row.id: row.slug for row in session.execute(stores)}
    alarms = session.execute(
        select(AlarmRow.store_id, func.count())
        .where(AlarmRow.state != "closed", AlarmRow.store_id.in_(known))
        .group_by(AlarmRow.store_id)
    )
    alarm_counts = {row[0]: row[1] for row in alarms}
    circuits = {
        row.store_id: row
        for row in session.scalars(select(StoreCrawlStateRow).where(StoreCrawlStateRow.store_id.in_(known)))
    }
    yields = _yields(session, list(known))
    found = {}
    for store_id, slug in known.items():
        circuit = circuits.get(store_id)
        runs = yields[store_id]
        complete = [read for read, is_complete in runs[:-1] if is_complete]
        found[slug] = StoreHealth(
            open_alarms=alarm_counts.get(store_id, 0),
            circuit=circuit.circuit if circuit else "closed",  # type: ignore[arg-type]  # the table's check constraint holds the same words
            circuit_reason=circuit.reason if circuit else None,
            circuit_retry_at=circuit.retry_at if circuit else None,
            recent_yields=tuple(read for read, _ in runs),
            usual_yield=median_high(complete) if complete else None,
        )
    return found


def _yields(session: Session, store_ids: Sequence[int]) -> defaultdict[int, list[tuple[int, bool]]]:
    """By store (readable offers, whether complete) of its newest ended runs, oldest first."""
    newest = lateral(
        select(RunRow.started_at, (RunRow.seen - RunRow.quarantined).label("readable"), RunRow.is_complete)
        .where(RunRow.store_id == StoreRow.id, RunRow.state.in_(("finished", "held", "failed")))
        .order_by(RunRow.started_at.desc())
        .limit(_RUNS_LOOKED_AT)
    )
    rows = session.execute(
        select(StoreRow.id, newest.c.readable, newest.c.is_complete)
        .join(newest, true())
        .where(StoreRow.id.in_(store_ids))
        .order_by(StoreRow.id, newest.c.started_at)
    )
    found: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
    for store_id, readable, is_complete in rows:
        found[store_id].append((readable, is_complete))
    return found
