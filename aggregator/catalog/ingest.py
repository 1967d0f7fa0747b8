"""Ingestion: raw offers wait in their run's staging rows and are released in one step when it was judged."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from aggregator.catalog.circuits import judge_lastmod
from aggregator.catalog.judgement import Limits, judge_run
from aggregator.catalog.locks import lock_catalogue
from aggregator.catalog.merging import StagedKeys, compare_run, count_keys, merge_run
from aggregator.catalog.page_visits import drop_frontier, merge_visits, missed_pages
from aggregator.catalog.price_jumps import doubt_jumps
from aggregator.catalog.run_alarms import note_run_end
from aggregator.catalog.run_changes import describe_changes
from aggregator.catalog.run_details import count_rejected
from aggregator.catalog.runs import REPLAY, RunTicket, beat, write_log
from aggregator.catalog.staging import (
    begin_staging,
    copy_staged,
    drop_staging,
    encode_offers,
    is_staging,
)
from aggregator.db.audit import record
from aggregator.db.copy import copy_rows
from aggregator.db.models import QuarantinedOfferRow, RunRow, StoreRow
from aggregator.db.session import database_now
from aggregator.domain.errors import Conflict, NotFound
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from aggregator.domain.operations import RunState
from aggregator.domain.runs import CrawlCounts, LogLevel, LogLine

_LOST = "what was staged is gone: the database crashed in mid-run; nothing was changed and the store is read again"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What a run came to: seen = new + changed + unchanged + held + quarantined."""

    run: str
    state: RunState
    requests: int
    seen: int
    new: int
    changed: int
    unchanged: int
    held: int
    quarantined: int
    gone: int
    problem: str | None = None


def stage_offers(
    session: Session,
    ticket: RunTicket,
    offers: Iterable[RawOffer | InvalidOffer],
    counts: CrawlCounts,
) -> None:
    """Normalize one batch and keep it in the run's staging rows; what cannot be read goes to quarantine.

    Raises Conflict when the run was cancelled or taken over meanwhile; then nothing of the batch is kept.
    """
    normalized = [
        offer
        if isinstance(offer, InvalidOffer)
        else normalize_offer(offer, default_currency=ticket.store.currency, rules=ticket.store.offer_rules)
        for offer in offers
    ]
    start = beat(session, ticket, counts, staged=len(normalized))
    if not normalized:
        return
    if start == 0:
        begin_staging(session, ticket.run_id)
    copy_staged(
        session,
        ticket.run_id,
        encode_offers(
            (position, offer) for position, offer in enumerate(normalized, start) if isinstance(offer, Offer)
        ),
    )
    copy_rows(
        session,
        QuarantinedOfferRow.__tablename__,
        ("store_id", "run_id", "attempt", "external_id", "title", "url", "reason", "detail", "raw", "offer"),
        (
            (
                ticket.store_id, ticket.run_id, ticket.attempt, offer.external_id, offer.title, offer.url,
                offer.reason, offer.detail, dict(offer.raw), offer.offer,
            )
            for offer in normalized
            if isinstance(offer, InvalidOffer)
        ),
    )  # fmt: skip


def release_run(
    session: Session,
    ticket: RunTicket,
    *,
    is_complete: bool,
    problem: str | None = None,
    must_judge: bool = True,
) -> IngestReport:
    """Judge a run against what the store offered before; then merge it in one step, or hold it for a person.

    Only a complete run (every listing read to its end) marks offers that are no longer listed as gone. A
    broken-off run still releases what it read, ends as "failed" and leaves the rest, with its age, alone.
    Without `must_judge` a person has vouched for every offer.
    """
    run = session.scalar(
        select(RunRow)
        .where(RunRow.id == ticket.run_id, RunRow.attempt == ticket.attempt, RunRow.state == "running")
        .with_for_update()
    )
    if run is None:
        raise Conflict(f"run {ticket.public_id} was cancelled or taken over")
    run.is_complete, run.problem = is_complete, problem
    has_staged = is_staging(session, run.id)
    if not has_staged:
        begin_staging(session, run.id)
    staged = count_keys(session, run.id)
    if has_staged and staged.rows + sum(count_rejected(session, run).values()) != run.seen:
        return _give_up_lost(session, run)
    return _release(session, run, staged, must_judge=must_judge)


def settle_held_run(
    session: Session, public_id: str, *, accept: bool, account_id: int | None = None
) -> IngestReport:
    """A person's word on a held run: merge it after all, or throw its staged offers away.

    Raises NotFound, and Conflict where the run is not held, or is accepted though a newer one was released:
    the catalogue does not go back.
    """
    run = lock_held_run(session, public_id, accept=accept)
    run.accept_asked_at = run.accept_sent_at = None
    record(session, account_id, "run_accepted" if accept else "run_discarded", f"run:{public_id}")
    _log(session, run, f"A person {'accepted' if accept else 'discarded'} what was held.")
    if accept:
        return _release(session, run, count_keys(session, run.id), must_judge=False)
    drop_staging(session, run.id)
    drop_frontier(session, run.id)
    run.state, run.problem = "cancelled", f"discarded: {run.problem}"
    note_run_end(session, run)
    return _report(run)


def lock_held_run(session: Session, public_id: str, *, accept: bool) -> RunRow:
    """The held run, locked, if it may be settled so; raises what `settle_held_run` raises."""
    run = session.scalar(select(RunRow).where(RunRow.public_id == public_id).with_for_update())
    if run is None:
        raise NotFound("run", public_id)
    if run.state != "held":
        raise Conflict(f"run {public_id} is not held")
    if not accept:
        return run
    newer = exists().where(
        RunRow.store_id == run.store_id,
        RunRow.started_at > run.started_at,
        # One that was broken off before it got anything changed nothing.
        or_(RunRow.state == "finished", (RunRow.state == "failed") & (RunRow.seen > RunRow.quarantined)),
        RunRow.trigger != REPLAY,
    )
    if session.scalar(select(newer)):
        raise Conflict(f"a newer run of this store was released since; discard run {public_id}")
    if not is_staging(session, run.id) or count_keys(session, run.id).rows != run.staged:
        raise Conflict(f"what run {public_id} read was lost in a crash of the database; discard it")
    return run


def _release(session: Session, run: RunRow, staged: StagedKeys, *, must_judge: bool) -> IngestReport:
    lock_catalogue(session)
    began = time.monotonic()
    now = database_now(session)
    parameters = {
        "run": run.id,
        "attempt": run.attempt,
        "store": run.store_id,
        "now": now,
        "is_complete": run.is_complete,
    }
    limits = Limits.of_store(
        session.execute(select(StoreRow.judgement_limits).where(StoreRow.id == run.store_id)).scalar_one()
    )
    comparison = compare_run(session, run, staged, parameters)
    missed, example = missed_pages(session, run.id, run.store_id)
    if missed:
        words = f"Pages that held offers and gave nothing to read: {missed}, such as {example}; what they held is kept."
        _log(session, run, words, "warning", pages=missed)
    anomalies = judge_run(session, comparison, limits, is_complete=run.is_complete) if must_judge else []
    doubted = doubt_jumps(session, comparison, jump=limits.jump) if must_judge and not anomalies else 0
    run.difference = describe_changes(session, comparison)
    run.rejected = count_rejected(session, run)
    run.quarantined = sum(run.rejected.values())
    run.staged = comparison.read
    distinct = comparison.read + comparison.kept - doubted
    run.seen = distinct + run.quarantined
    run.finished_at = run.heartbeat_at = now
    if anomalies:
        run.anomalies = [asdict(anomaly) for anomaly in anomalies]
        run.state, run.problem, run.held = "held", anomalies[0].message, distinct
        for anomaly in anomalies:
            _log(session, run, f"Held back: {anomaly.message}.", "warning", **anomaly.figures)
    else:
        run.new, run.changed, run.gone = merge_run(session, run, comparison)
        run.held = 0
        run.unchanged = distinct - run.new - run.changed
        # What is read again out of quarantine is never the whole store, and nothing was broken off.
        run.state = "finished" if run.is_complete or (run.trigger == REPLAY and not run.problem) else "failed"
        judge_lastmod(session, run)
        merge_visits(session, run)
        drop_staging(session, run.id)
        if run.problem and run.state == "failed":
            _log(session, run, f"Broken off: {run.problem}", "error")
    if run.trigger != REPLAY and run.seen > run.quarantined:
        _let_go_of_older(session, run)
    seconds = time.monotonic() - began
    run.stage_seconds = {**run.stage_seconds, "releasing": round(seconds, 3)}
    _log(
        session,
        run,
        f"{run.state.capitalize()}: {run.seen} seen, {run.new} new, {run.changed} changed, {run.unchanged} unchanged, "
        f"{run.held} held, {run.quarantined} quarantined, {run.gone} gone.",
        rejected=run.rejected,
        seconds=round(seconds, 3),
    )
    note_run_end(session, run)
    return _report(run)


def _let_go_of_older(session: Session, run: RunRow) -> None:
    """Only the newest reading of a store waits for a person: a store that is held each time would fill the disk."""
    older = session.scalars(
        select(RunRow)
        .where(
            RunRow.store_id == run.store_id,
            RunRow.state == "held",
            RunRow.started_at < run.started_at,
            RunRow.accept_asked_at.is_(None),
        )
        .with_for_update()
    )
    for held in older.all():
        drop_staging(session, held.id)
        drop_frontier(session, held.id)
        held.state, held.problem = (
            "cancelled",
            f"replaced by a newer reading, run {run.public_id}: {held.problem}",
        )
        _log(session, held, f"Let go of: run {run.public_id} read the store anew.")


def _give_up_lost(session: Session, run: RunRow) -> IngestReport:
    """The database crashed and emptied what was staged: nothing may be concluded from the rest."""
    drop_staging(session, run.id)
    drop_frontier(session, run.id)
    run.rejected = count_rejected(session, run)
    run.seen = run.quarantined = sum(run.rejected.values())
    run.state, run.problem, run.is_complete = "failed", _LOST, False
    run.finished_at = run.heartbeat_at = database_now(session)
    session.execute(
        update(StoreRow)
        .where(StoreRow.id == run.store_id, StoreRow.next_crawl_at.is_not(None))
        .values(next_crawl_at=run.finished_at, crawl_sent_at=None)
    )
    _log(session, run, f"Broken off: {_LOST}.", "error")
    note_run_end(session, run)
    return _report(run)


def _log(session: Session, run: RunRow, message: str, level: LogLevel = "info", **data: object) -> None:
    write_log(session, run.id, [LogLine(at=database_now(session), level=level, message=message, data=data)])


def _report(run: RunRow) -> IngestReport:
    return IngestReport(
        run=run.public_id,
        state=run.state,  # type: ignore[arg-type]  # the table's check constraint holds the same words
        requests=run.requests,
        seen=run.seen,
        new=run.new,
        changed=run.changed,
        unchanged=run.unchanged,
        held=run.held,
        quarantined=run.quarantined,
        gone=run.gone,
        problem=run.problem,
    )
