"""Quarantine: what could not be read or believed, kept until a rule, a person or a later run settles it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from aggregator.catalog.reading_rules import believe_source, read_candidates
from aggregator.db.models import AuditEntryRow, QuarantinedOfferRow, RunRow, StoreRow
from aggregator.domain.errors import Conflict, NotFound
from aggregator.domain.operations import QuarantinedOffer, QuarantineGroup

_Found = Select[QuarantinedOfferRow, StoreRow, str]


def list_quarantine(
    session: Session,
    *,
    store_slug: str | None = None,
    reason: str | None = None,
    run: str | None = None,
    state: str = "open",
    before: str | None = None,
    limit: int = 100,
) -> list[QuarantinedOffer]:
    """Newest first. `run` and `before` are public ids; `before` goes on behind the last one of another page."""
    query = _found().where(QuarantinedOfferRow.state == state)
    if store_slug is not None:
        query = query.where(StoreRow.slug == store_slug)
    if reason is not None:
        query = query.where(QuarantinedOfferRow.reason == reason)
    if run is not None:
        query = query.where(RunRow.public_id == run)
    if before is not None:
        last = select(QuarantinedOfferRow.id).where(QuarantinedOfferRow.public_id == before)
        query = query.where(QuarantinedOfferRow.id < last.scalar_subquery())
    rows = session.execute(query.order_by(QuarantinedOfferRow.id.desc()).limit(limit))
    return [_value(*row) for row in rows]


def group_quarantine(session: Session, *, store_slug: str | None = None) -> list[QuarantineGroup]:
    """How many wait, by store and reason, most first."""
    count = func.count()
    query = (
        select(
            StoreRow.slug,
            StoreRow.name,
            QuarantinedOfferRow.reason,
            count,
            func.max(QuarantinedOfferRow.created_at),
        )
        .join(StoreRow, StoreRow.id == QuarantinedOfferRow.store_id)
        .where(QuarantinedOfferRow.state == "open")
        .group_by(StoreRow.slug, StoreRow.name, QuarantinedOfferRow.reason)
        .order_by(count.desc(), StoreRow.slug, QuarantinedOfferRow.reason)
    )
    if store_slug is not None:
        query = query.where(StoreRow.slug == store_slug)
    return [QuarantineGroup(*row) for row in session.execute(query)]


def get_quarantined(session: Session, public_id: str) -> QuarantinedOffer:
    """One quarantined offer with its candidates; raises NotFound."""
    found = session.execute(_found().where(QuarantinedOfferRow.public_id == public_id)).first()
    if found is None:
        raise NotFound("quarantined offer", public_id)
    return _value(*found)


def quarantined_by_store(session: Session, public_ids: Sequence[str]) -> dict[str, list[str]]:
    """These, by the slugs of their stores; raises NotFound."""
    rows = session.execute(
        select(QuarantinedOfferRow.public_id, StoreRow.slug)
        .join(StoreRow, StoreRow.id == QuarantinedOfferRow.store_id)
        .where(QuarantinedOfferRow.public_id.in_(public_ids))
    ).all()
    if missing := set(public_ids) - {row.public_id for row in rows}:
        raise NotFound("quarantined offer", min(missing))
    found: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.slug):
        found.setdefault(row.slug, []).append(row.public_id)
    return found


def choose_candidate(
    session: Session, public_id: str, field: str, source: str, *, account_id: int | None = None
) -> None:
    """Believe this source about the field at the whole store from now on; replay then reads what waits by it.

    Raises NotFound, and InvalidInput for a choice that no ambiguous offer of the store gives.
    """
    offer = get_quarantined(session, public_id)
    believe_source(session, offer.store_slug, field, source, account_id=account_id)


def discard_quarantined(session: Session, public_ids: Sequence[str], *, account_id: int | None = None) -> int:
    """Let nobody see these again: refused once more for the same reason, they are discarded at once.

    How many were open. Raises NotFound for an unknown one.
    """
    rows = session.scalars(
        select(QuarantinedOfferRow)
        .where(QuarantinedOfferRow.public_id.in_(public_ids))
        .order_by(QuarantinedOfferRow.id)
        .with_for_update()
    ).all()
    if missing := set(public_ids) - {row.public_id for row in rows}:
        raise NotFound("quarantined offer", min(missing))
    opened = [row for row in rows if row.state == "open"]
    for row in opened:
        row.state, row.settled_at = "discarded", datetime.now(UTC)
        session.add(
            AuditEntryRow(
                account_id=account_id,
                action="quarantine_discarded",
                subject=f"quarantined:{row.public_id}",
                detail={},
            )
        )
    session.flush()
    return len(opened)


def open_quarantined_rows(
    session: Session,
    store_id: int,
    *,
    public_ids: Sequence[str] | None,
    reason: str | None,
    at_most: int | None = None,
) -> list[QuarantinedOfferRow]:
    """The open ones of a store to be read again, oldest first, locked; Conflict for one that is settled already."""
    query = select(QuarantinedOfferRow).where(QuarantinedOfferRow.store_id == store_id)
    if public_ids is not None:
        query = query.where(QuarantinedOfferRow.public_id.in_(public_ids))
    else:
        query = query.where(QuarantinedOfferRow.state == "open")
    if reason is not None:
        query = query.where(QuarantinedOfferRow.reason == reason)
    rows = list(session.scalars(query.order_by(QuarantinedOfferRow.id).limit(at_most).with_for_update()))
    for row in rows:
        if row.state != "open":
            raise Conflict(f"{row.public_id} is {row.state} already")
    return rows


def _found() -> _Found:
    return (
        select(QuarantinedOfferRow, StoreRow, RunRow.public_id)
        .join(StoreRow, StoreRow.id == QuarantinedOfferRow.store_id)
        .join(RunRow, RunRow.id == QuarantinedOfferRow.run_id)
    )


def _value(row: QuarantinedOfferRow, store: StoreRow, run: str) -> QuarantinedOffer:
    return QuarantinedOffer(
        id=row.public_id,
        store_slug=store.slug,
        store_name=store.name,
        run=run,
        external_id=row.external_id,
        title=row.title,
        url=row.url,
        reason=row.reason,
        detail=row.detail,
        raw=json.dumps(row.raw, ensure_ascii=False, indent=1)[:5000],
        offer=row.offer,
        state=row.state,  # type: ignore[arg-type]  # the table's check constraint holds the same words
        created_at=row.created_at,
        settled_at=row.settled_at,
        candidates=read_candidates(row.raw) if row.reason == "ambiguous" else (),
    )
