"""Ingestion: raw offers wait in their run's staging rows and are released in one step when it was judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, select, text
from sqlalchemy.orm import Session

from aggregator.catalog.circuits import judge_lastmod
from aggregator.catalog.judgement import judge_run
from aggregator.catalog.locks import lock_catalogue
from aggregator.catalog.page_visits import build_kept_offers, drop_frontier, merge_visits
from aggregator.catalog.product_summaries import refresh_products
from aggregator.catalog.runs import RunTicket, beat
from aggregator.db.copy import copy_rows
from aggregator.db.models import OfferRow, QuarantinedOfferRow, RunRow, StagedOfferRow
from aggregator.db.session import database_now
from aggregator.domain.errors import Conflict, NotFound
from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, Offer, RawOffer
from aggregator.domain.operations import RunState
from aggregator.domain.runs import CrawlCounts

OFFER_COLUMNS = (
    "external_id", "url", "title", "brand", "gtin", "mpn", "sku", "category", "image_url", "item_group_id",
    "variant_attributes", "pack_size", "price", "price_currency", "list_price", "price_kind", "availability",
    "stock_level", "item_condition", "seller", "shipping_cost", "handoff", "source", "reading", "digest",
)  # fmt: skip
# A change in one of these makes the offer's product a question again.
IDENTITY_COLUMNS = (
    "title",
    "brand",
    "gtin",
    "mpn",
    "item_group_id",
    "variant_attributes",
    "pack_size",
    "item_condition",
)
PRICE_COLUMNS = ("price", "price_currency", "list_price", "price_kind", "availability")


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
    copy_rows(
        session,
        StagedOfferRow.__tablename__,
        ("run_id", "attempt", "position", *OFFER_COLUMNS),
        (
            (ticket.run_id, ticket.attempt, start + position, *_fields(offer))
            for position, offer in enumerate(normalized)
            if isinstance(offer, Offer)
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


def _fields(offer: Offer) -> tuple[Any, ...]:
    values = (
        offer.external_id,
        offer.url,
        offer.title,
        offer.brand,
        offer.gtin,
        offer.mpn,
        offer.sku,
        offer.category,
        offer.image_url,
        offer.item_group_id,
        dict(offer.variant_attributes),
        offer.pack_size,
        offer.price.amount,
        offer.price.currency,
        offer.list_price.amount if offer.list_price else None,
        offer.price_kind.value,
        offer.availability.value if offer.availability else None,
        offer.stock_level,
        offer.item_condition.value,
        offer.seller,
        offer.shipping_cost,
        dict(offer.handoff),
        offer.source,
    )
    return (*values, offer.reading, hashlib.blake2b(repr(values).encode(), digest_size=12).digest())


def release_run(
    session: Session, ticket: RunTicket, *, is_complete: bool, problem: str | None = None
) -> IngestReport:
    """Judge a run against what the store offered before; then merge it in one step, or hold it for a person.

    Only a complete run (every listing read to its end) marks offers that are no longer listed as gone. A
    broken-off run still releases what it read, ends as "failed" and leaves the rest, with its age, alone.
    """
    run = session.scalar(
        select(RunRow)
        .where(RunRow.id == ticket.run_id, RunRow.attempt == ticket.attempt, RunRow.state == "running")
        .with_for_update()
    )
    if run is None:
        raise Conflict(f"run {ticket.public_id} was cancelled or taken over")
    run.is_complete, run.problem = is_complete, problem
    return _release(session, run, must_judge=True)


def settle_held_run(session: Session, public_id: str, *, accept: bool) -> IngestReport:
    """A person's word on a held run: merge it after all, or throw its staged offers away.

    Raises NotFound, and Conflict where the run is not held, or is accepted though a newer one was released:
    the catalogue does not go back.
    """
    run = session.scalar(select(RunRow).where(RunRow.public_id == public_id).with_for_update())
    if run is None:
        raise NotFound("run", public_id)
    if run.state != "held":
        raise Conflict(f"run {public_id} is not held")
    newer = exists().where(
        RunRow.store_id == run.store_id,
        RunRow.started_at > run.started_at,
        RunRow.state.in_(("finished", "failed")),
    )
    if accept and session.scalar(select(newer)):
        raise Conflict(f"a newer run of this store was released since; discard run {public_id}")
    if accept:
        return _release(session, run, must_judge=False)
    session.execute(delete(StagedOfferRow).where(StagedOfferRow.run_id == run.id))
    drop_frontier(session, run.id)
    run.state, run.problem = "cancelled", f"discarded: {run.problem}"
    return _report(run)


def _release(session: Session, run: RunRow, *, must_judge: bool) -> IngestReport:
    lock_catalogue(session)
    now = database_now(session)
    parameters = {
        "run": run.id,
        "attempt": run.attempt,
        "store": run.store_id,
        "now": now,
        "is_complete": run.is_complete,
    }
    _build_release(session, parameters)
    _add_kept_offers(session, parameters)
    run.quarantined = (
        session.scalar(
            select(func.count()).where(
                QuarantinedOfferRow.run_id == run.id, QuarantinedOfferRow.attempt == run.attempt
            )
        )
        or 0
    )
    distinct = session.scalar(text("select count(*) from release")) or 0
    run.seen = distinct + run.quarantined
    run.finished_at = run.heartbeat_at = now
    reason = judge_run(session, parameters, is_complete=run.is_complete) if must_judge else None
    if reason is not None:
        run.state, run.problem, run.held = "held", reason, distinct
        return _report(run)
    run.new, run.changed, run.gone = _merge(session, parameters, run)
    run.held = 0
    run.unchanged = distinct - run.new - run.changed
    run.state = "finished" if run.is_complete else "failed"
    judge_lastmod(session, run)
    merge_visits(session, run)
    session.execute(delete(StagedOfferRow).where(StagedOfferRow.run_id == run.id))
    return _report(run)


def _build_release(session: Session, parameters: dict[str, Any]) -> None:
    """The run's offers, one a key, each beside the offer it would change; differing repeats go to quarantine."""
    columns = ", ".join(f"s.{name}" for name in OFFER_COLUMNS)
    session.execute(text("drop table if exists release"))
    session.execute(
        text(
            f"""
            create temporary table release on commit drop as
            select {columns}, s.position, o.id as offer_id, o.digest as old_digest, o.gone_at as old_gone_at,
                   o.product_id as old_product_id,
                   {", ".join(f"o.{name} as old_{name}" for name in PRICE_COLUMNS)},
                   ({" or ".join(f"s.{name} is distinct from o.{name}" for name in IDENTITY_COLUMNS)})
                       as is_other_identity,
                   true as is_checked
            from (
                select distinct on (external_id collate "C") *
                from staged_offers where run_id = :run and attempt = :attempt
                order by external_id collate "C", position desc
            ) s
            left join offers o on o.store_id = :store and o.external_id = s.external_id
            """
        ),
        parameters,
    )
    session.execute(text("analyze release"))
    session.execute(
        text(
            """
            insert into quarantined_offers
                (store_id, run_id, attempt, external_id, title, url, reason, detail, raw)
            select :store, :run, :attempt, s.external_id, s.title, s.url, 'listed_twice',
                   'another listing of the same key says otherwise; the last one was taken',
                   jsonb_build_object('price', s.price::text, 'price_currency', s.price_currency,
                                      'availability', s.availability)
            from staged_offers s join release r using (external_id)
            where s.run_id = :run and s.attempt = :attempt
              and s.position <> r.position and s.digest <> r.digest
            """
        ),
        parameters,
    )


def _add_kept_offers(session: Session, parameters: dict[str, Any]) -> None:
    """What stands unchanged on listed pages that were not read anew is part of what the store offers."""
    build_kept_offers(session, parameters)
    session.execute(
        text(
            f"""
            insert into release
                ({", ".join(OFFER_COLUMNS)}, position, offer_id, old_digest, old_gone_at, old_product_id,
                 {", ".join(f"old_{name}" for name in PRICE_COLUMNS)}, is_other_identity, is_checked)
            select {", ".join(f"o.{name}" for name in OFFER_COLUMNS)}, -1, o.id, o.digest, o.gone_at, o.product_id,
                   {", ".join(f"o.{name}" for name in PRICE_COLUMNS)}, false, k.is_checked
            from kept_offers k join offers o on o.store_id = :store and o.external_id = k.external_id
            where not exists (select from release r where r.external_id = o.external_id)
              and not exists (
                  select from quarantined_offers q
                  where q.run_id = :run and q.attempt = :attempt and q.external_id = o.external_id)
            """
        ),
        parameters,
    )


def _merge(session: Session, parameters: dict[str, Any], run: RunRow) -> tuple[int, int, int]:
    """Write what changed; (new, changed, gone). Unchanged offers are not touched at all."""
    columns = ", ".join(OFFER_COLUMNS)
    changed = _count(
        session,
        f"""
        update offers o
        set {", ".join(f"{name} = r.{name}" for name in OFFER_COLUMNS)},
            run_id = :run, changed_at = :now, gone_at = null,
            match_state = case when r.is_other_identity or o.product_id is null then 'pending'
                               else o.match_state end
        from release r
        where o.id = r.offer_id and (r.digest <> r.old_digest or r.old_gone_at is not null)
        """,
        parameters,
    )
    new = _count(
        session,
        f"""
        insert into offers (store_id, country, tax_basis, run_id, first_seen_at, changed_at, {columns})
        select :store, s.country, s.tax_basis, :run, :now, :now, {", ".join(f"r.{name}" for name in OFFER_COLUMNS)}
        from release r cross join stores s where r.offer_id is null and s.id = :store
        """,
        parameters,
    )
    session.execute(
        text(
            f"""
            insert into offer_prices (offer_id, recorded_at, {", ".join(PRICE_COLUMNS)}, source, run_id)
            select o.id, :now, {", ".join(f"r.{name}" for name in PRICE_COLUMNS)}, r.source, :run
            from release r join offers o on o.store_id = :store and o.external_id = r.external_id
            where r.offer_id is null
               or ({", ".join(f"r.{name}" for name in PRICE_COLUMNS)})
                  is distinct from ({", ".join(f"r.old_{name}" for name in PRICE_COLUMNS)})
            """
        ),
        parameters,
    )
    gone = _mark_gone(session, parameters) if run.is_complete else 0
    _settle_quarantine(session, {**parameters, "is_complete": run.is_complete})
    _note_checks(session, {**parameters, "started": run.started_at}, is_complete=run.is_complete)
    touched = session.scalars(
        select(OfferRow.product_id)
        .where(
            OfferRow.store_id == run.store_id,
            OfferRow.changed_at == parameters["now"],
            OfferRow.product_id.is_not(None),
        )
        .distinct()
    ).all()
    refresh_products(session, [product_id for product_id in touched if product_id is not None])
    return new, changed, gone


def _mark_gone(session: Session, parameters: dict[str, Any]) -> int:
    """What a complete run neither read nor quarantined is no longer listed."""
    return _count(
        session,
        """
        update offers o set gone_at = :now, changed_at = :now, run_id = :run
        where o.store_id = :store and o.gone_at is null
          and not exists (select from release r where r.external_id = o.external_id)
          and not exists (
              select from quarantined_offers q
              where q.run_id = :run and q.attempt = :attempt and q.external_id = o.external_id)
        """,
        parameters,
    )


def _settle_quarantine(session: Session, parameters: dict[str, Any]) -> None:
    """What an earlier run could not read is settled where this one read it, or says anew why it cannot."""
    session.execute(
        text(
            """
            update quarantined_offers q set state = 'settled'
            where q.store_id = :store and q.state = 'open' and q.run_id < :run
              and ((:is_complete
                    and not exists (select from kept_offers k where k.external_id = q.external_id))
                   or exists (select from release r where r.external_id = q.external_id)
                   or exists (
                       select from quarantined_offers n
                       where n.run_id = :run and n.attempt = :attempt and n.external_id = q.external_id))
            """
        ),
        parameters,
    )


def _note_checks(session: Session, parameters: dict[str, Any], *, is_complete: bool) -> None:
    """Say when each offer was checked, touching as few rows as the truth allows (see OfferCheckRow)."""
    if not is_complete:
        session.execute(
            text(
                """
                insert into offer_checks (offer_id, checked_at)
                select o.id, :started from release r
                join offers o on o.store_id = :store and o.external_id = r.external_id
                where r.is_checked
                on conflict (offer_id) do update set checked_at = excluded.checked_at
                """
            ),
            parameters,
        )
        return
    # Only listed, or not readable this time: its age runs on from the check before.
    session.execute(
        text(
            """
            insert into offer_checks (offer_id, checked_at)
            select o.id, coalesce(s.checked_at, o.first_seen_at)
            from offers o join stores s on s.id = o.store_id
            where o.store_id = :store and o.gone_at is null
              and not exists (select from release r where r.external_id = o.external_id and r.is_checked)
            on conflict (offer_id) do nothing
            """
        ),
        parameters,
    )
    session.execute(
        text(
            """
            delete from offer_checks c using offers o, release r
            where c.offer_id = o.id and o.store_id = :store and r.external_id = o.external_id and r.is_checked
            """
        ),
        parameters,
    )
    session.execute(text("update stores set checked_at = :started where id = :store"), parameters)


def _count(session: Session, statement: str, parameters: dict[str, Any]) -> int:
    return int(session.execute(text(statement), parameters).rowcount)  # type: ignore[attr-defined]  # a cursor result


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
