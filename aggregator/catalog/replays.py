"""Replaying: what waits in quarantine is read again from what was kept of it, by the rules that hold now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.catalog.ingest import IngestReport, release_run, stage_offers
from aggregator.catalog.quarantine import open_quarantined_rows
from aggregator.catalog.reading_rules import read_candidates
from aggregator.catalog.runs import open_replay
from aggregator.db import audit
from aggregator.db.models import QuarantinedOfferRow, StoreRow
from aggregator.db.session import database_now
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.normalization import refuse
from aggregator.domain.normalization.rules import raw_offer_from_json
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.runs import CrawlCounts

# These were read well; only a person can say that they are right.
_DOUBTED = ("price_jump", "currency_change")
_AMOUNTS = ("price", "list_price", "shipping_cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """`replayed` offers were read again, `left` of those asked for kept too little to be; `run` is their run.

    Where there `is_more`, others wait that were too many for once.
    """

    replayed: int
    left: int
    run: IngestReport | None
    is_more: bool = False


def replay_quarantine(
    session: Session,
    slug: str,
    *,
    public_ids: Sequence[str] | None = None,
    reason: str | None = None,
    vouched: bool = False,
    at_most: int | None = None,
    account_id: int | None = None,
) -> ReplayReport:
    """Read what waits (these, or all of a store, or those of one reason) again and release what is now readable.

    Of many the oldest `at_most` are read. Prices that leapt are left alone unless `vouched`: then a person says that
    they are right. What is refused again waits anew. Raises NotFound, InvalidInput for doubted prices asked for by name
    without a voucher, and Conflict where the store is being crawled or one of them is settled already.
    """
    store = session.scalar(select(StoreRow).where(StoreRow.slug == slug))
    if store is None:
        raise NotFound("store", slug)
    rows = open_quarantined_rows(
        session,
        store.id,
        public_ids=public_ids,
        reason=reason,
        at_most=None if at_most is None else at_most + 1,
    )
    is_more = at_most is not None and len(rows) > at_most
    rows = rows[:at_most]
    if public_ids is not None and (missing := set(public_ids) - {row.public_id for row in rows}):
        raise NotFound(f"quarantined offer of {slug}", min(missing))
    doubted = [row for row in rows if row.reason in _DOUBTED]
    if doubted and not vouched and public_ids is not None:
        raise InvalidInput(
            f"the price of {doubted[0].title!r} is doubted",
            place=doubted[0].public_id,
            remedy="accept it, or discard it",
        )
    chosen = [row for row in rows if vouched or row.reason not in _DOUBTED]
    offers = [(row, _read_again(row, store.reading_rules)) for row in chosen]
    readable = [(row, offer) for row, offer in offers if offer is not None]
    if not readable:
        return ReplayReport(replayed=0, left=len(rows), run=None, is_more=is_more)
    for row, _ in readable:
        row.state, row.settled_at = "replayed", database_now(session)
    audit.record(
        session, account_id, "quarantine_replayed", f"store:{slug}", offers=len(readable), vouched=vouched
    )
    session.flush()
    ticket = open_replay(session, slug)
    stage_offers(session, ticket, [offer for _, offer in readable], CrawlCounts())
    report = release_run(session, ticket, is_complete=False, must_judge=not vouched)
    return ReplayReport(replayed=len(readable), left=len(rows) - len(readable), run=report, is_more=is_more)


def _read_again(row: QuarantinedOfferRow, rules: Mapping[str, str]) -> RawOffer | InvalidOffer | None:
    """The raw offer with each contradiction settled by the store's rules; None where too little was kept."""
    raw = raw_offer_from_json(row.offer or {})
    if raw is None:
        return None
    if row.reason != "ambiguous":
        return raw
    candidates = read_candidates(row.raw)
    for field in sorted({candidate.field for candidate in candidates}):
        believed = next(
            (each for each in candidates if each.field == field and each.source == rules.get(field)), None
        )
        if believed is None:
            invalid = refuse(raw, "ambiguous", row.detail)
            return replace(invalid, raw=row.raw, offer=row.offer)
        raw = _with(raw, field, believed.value)
    return raw


def _with(raw: RawOffer, field: str, value: str) -> RawOffer:
    if field not in RawOffer.__dataclass_fields__:
        return raw
    changes: dict[str, Any] = {field: value}
    if field in _AMOUNTS:
        # A candidate's amount was read already: its point parts off a fraction.
        with suppress(InvalidOperation):
            changes[field] = Decimal(value)
    return replace(raw, **changes)
