"""Stores: registering them, reading them, and what operators see of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Select, func, lateral, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from aggregator.catalog.schedules import schedule_of
from aggregator.db.models import (
    AuditEntryRow,
    MatchReviewRow,
    OfferRow,
    ProductRow,
    QuarantinedOfferRow,
    RunRow,
    StoreOfferCountRow,
    StoreRow,
)
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.normalization.names import clean_text, fold
from aggregator.domain.normalization.rules import OfferRules
from aggregator.domain.operations import RunState, RunSummary, StoreSummary, Totals
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.stores import Store
from aggregator.domain.vocabulary import TaxBasis

# The last of a store's runs to end is among so many that began last.
_RUNS_LOOKED_AT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStore:
    """What registering needs to know; `secret_options` come encrypted."""

    url: str
    platform: str
    name: str
    # Read from the store and not said by a person: it must not replace a name that stands.
    is_name_proposed: bool = False
    slug: str | None = None
    country: str | None = None
    currency: str | None = None
    crawl_interval: int = 21_600
    shipping: ShippingRule | None = None
    shipping_source: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    secret_options: Mapping[str, str] = field(default_factory=dict)
    detection: Mapping[str, Any] | None = None


def store_value(row: StoreRow) -> Store:
    """The row as adapters, spiders and hand-offs see it. Encrypted options stay encrypted here."""
    return Store(
        id=row.public_id,
        slug=row.slug,
        name=row.name,
        url=row.url,
        platform=row.platform,
        country=row.country,
        currency=row.currency,
        tax_basis=TaxBasis(row.tax_basis),
        shipping=None if row.shipping is None else ShippingRule.from_json(row.shipping),
        options={**row.options, **row.secret_options},
        reading_rules=dict(row.reading_rules),
        offer_rules=OfferRules.from_json(row.offer_rules),
    )


def register_store(session: Session, new: NewStore, *, may_move: bool = False) -> Store:
    """Register a store, due at once; again with the same address (or slug) it updates what was given.

    Raises InvalidInput for an unusable slug, and for one of a store elsewhere unless that `may_move`; Conflict
    where another process registers it at the same moment.
    """
    of_this_address = select(StoreRow.slug).where(StoreRow.url == new.url).order_by(StoreRow.id).limit(1)
    slug = new.slug or session.scalar(of_this_address) or _slug_from(new.url)
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?", slug):
        raise InvalidInput(f"{slug!r} is not a slug", place="slug", remedy="use a-z, 0-9 and dashes")
    row = session.scalar(select(StoreRow).where(StoreRow.slug == slug).with_for_update())
    if row is not None and row.removal_asked_at is not None:
        raise Conflict(f"{slug} is being removed; try again when it is gone")
    if row is not None and not may_move and _origin(row.url) != _origin(new.url):
        raise InvalidInput(
            f"{slug!r} is taken by {row.url}", place="slug", remedy="choose another with --slug"
        )
    if row is None:
        row = StoreRow(
            slug=slug, options={}, secret_options={}, reading_rules={}, offer_rules={}, tax_basis="unknown"
        )
        row.next_crawl_at = datetime.now(UTC)
        row.crawl_interval = new.crawl_interval
        session.add(row)
    if row.id is None or not new.is_name_proposed:
        row.name = clean_text(new.name, 100) or slug
    row.url, row.platform = new.url, new.platform
    row.country, row.currency = new.country or row.country, new.currency or row.currency
    row.options = {**row.options, **new.options}
    row.secret_options = {**row.secret_options, **new.secret_options}
    if new.detection is not None:
        row.detection = dict(new.detection)
    if new.shipping is not None:
        row.shipping, row.shipping_source = new.shipping.to_json(), new.shipping_source or "operator"
        row.shipping_updated_at = datetime.now(UTC)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"{slug} is being registered by another process; try again") from error
    return store_value(row)


def get_store(session: Session, slug: str) -> Store:
    """The store of that slug; raises NotFound."""
    row = session.scalar(select(StoreRow).where(StoreRow.slug == slug))
    if row is None:
        raise NotFound("store", slug)
    return store_value(row)


def request_crawl(session: Session, slug: str, *, account_id: int | None = None) -> None:
    """Make a store due now; a worker crawls it. A paused store is crawled this once and stays paused."""
    store = session.scalar(select(StoreRow).where(StoreRow.slug == slug).with_for_update())
    if store is None:
        raise NotFound("store", slug)
    if store.removal_asked_at is not None:
        raise Conflict(f"{slug} is being removed")
    session.execute(
        update(StoreRow).where(StoreRow.id == store.id).values(next_crawl_at=func.now(), crawl_sent_at=None)
    )
    session.add(
        AuditEntryRow(account_id=account_id, action="crawl_requested", subject=f"store:{slug}", detail={})
    )


def get_totals(session: Session) -> Totals:
    """The whole catalogue in six numbers."""
    row = session.execute(
        select(
            select(func.count()).select_from(StoreRow).scalar_subquery(),
            select(func.count()).where(ProductRow.offer_count > 0).scalar_subquery(),
            select(func.count()).where(ProductRow.store_count > 1).scalar_subquery(),
            select(func.count()).where(OfferRow.match_state == "pending").scalar_subquery(),
            select(func.count()).where(MatchReviewRow.settled_at.is_(None)).scalar_subquery(),
        )
    ).one()
    return Totals(
        stores=row[0],
        offers=sum(count_offers(session).values()),
        products=row[1],
        products_at_several_stores=row[2],
        pending_offers=row[3],
        open_reviews=row[4],
    )


def list_stores(session: Session) -> list[StoreSummary]:
    """Every store with its offers, its last run and its open quarantine, by name."""
    return sorted(_summaries(session, select(StoreRow)), key=lambda store: fold(store.name))


def get_store_summary(session: Session, slug: str) -> StoreSummary:
    """One store as operators see it; raises NotFound."""
    found = _summaries(session, select(StoreRow).where(StoreRow.slug == slug))
    if not found:
        raise NotFound("store", slug)
    return found[0]


def _summaries(session: Session, stores: Select[StoreRow]) -> list[StoreSummary]:
    rows = session.scalars(stores).all()
    store_ids = [row.id for row in rows]
    offer_counts = count_offers(session, store_ids)
    quarantined = session.execute(
        select(QuarantinedOfferRow.store_id, func.count())
        .where(QuarantinedOfferRow.store_id.in_(store_ids), QuarantinedOfferRow.state == "open")
        .group_by(QuarantinedOfferRow.store_id)
    )
    quarantine = {store_id: count for store_id, count in quarantined}  # noqa: C416  # dict() takes a result for a mapping
    newest = lateral(
        select(RunRow.id)
        .where(RunRow.store_id == StoreRow.id, RunRow.trigger != "replay")
        .order_by(RunRow.started_at.desc())
        .limit(1)
    )
    newest_ids = (
        select(newest.c.id).select_from(StoreRow).join(newest, true()).where(StoreRow.id.in_(store_ids))
    )
    last_runs = {
        run.store_id: run for run in session.scalars(select(RunRow).where(RunRow.id.in_(newest_ids)))
    }
    return [
        StoreSummary(
            id=row.public_id,
            slug=row.slug,
            name=row.name,
            url=row.url,
            platform=row.platform,
            currency=row.currency,
            country=row.country,
            is_active=row.is_active,
            shipping_known=row.shipping is not None,
            offer_count=offer_counts.get(row.id, 0),
            checked_at=row.checked_at,
            next_crawl_at=row.next_crawl_at,
            crawl_interval=row.crawl_interval,
            schedule=schedule_of(row),
            removal_asked_at=row.removal_asked_at,
            last_run=_run_summary(last_runs[row.id], row) if row.id in last_runs else None,
            open_quarantine=quarantine.get(row.id, 0),
        )
        for row in rows
    ]


def count_offers(session: Session, store_ids: Sequence[int] | None = None) -> dict[int, int]:
    """By store how many offers it has now. What its runs left is counted once after the last of them ended, and kept.

    Counting a million offers takes a second; a page that operators leave open asks for it all the time.
    """
    recent = lateral(
        select(RunRow.finished_at)
        .where(RunRow.store_id == StoreRow.id, RunRow.finished_at.is_not(None))
        .order_by(RunRow.started_at.desc())
        .limit(_RUNS_LOOKED_AT)
    )
    query = (
        select(
            StoreRow.id,
            func.max(recent.c.finished_at),
            StoreOfferCountRow.ended_at,
            StoreOfferCountRow.offers,
        )
        .select_from(StoreRow)
        .outerjoin(recent, true())
        .outerjoin(StoreOfferCountRow, StoreOfferCountRow.store_id == StoreRow.id)
        .group_by(StoreRow.id, StoreOfferCountRow.store_id)
    )
    if store_ids is not None:
        query = query.where(StoreRow.id.in_(store_ids))
    counts: dict[int, int] = {}
    stale: dict[int, datetime | None] = {}
    for store_id, ended_at, counted_at, offers in session.execute(query):
        if ended_at is not None and ended_at == counted_at:
            counts[store_id] = offers
        else:
            stale[store_id] = ended_at
    if stale:
        counted = session.execute(
            select(OfferRow.store_id, func.count())
            .where(OfferRow.store_id.in_(stale), OfferRow.gone_at.is_(None))
            .group_by(OfferRow.store_id)
        )
        found = {store_id: count for store_id, count in counted}  # noqa: C416  # dict() takes a result for a mapping
        counts |= {store_id: found.get(store_id, 0) for store_id in stale}
        _keep_counts(session, {store: (at, counts[store]) for store, at in stale.items() if at is not None})
    return counts


def _keep_counts(session: Session, counts: Mapping[int, tuple[datetime, int]]) -> None:
    if not counts:
        return
    keeping = insert(StoreOfferCountRow).values(
        [
            {"store_id": store_id, "ended_at": ended_at, "offers": offers}
            for store_id, (ended_at, offers) in sorted(counts.items())
        ]
    )
    session.execute(
        keeping.on_conflict_do_update(
            index_elements=["store_id"],
            set_={"ended_at": keeping.excluded.ended_at, "offers": keeping.excluded.offers},
        )
    )


def list_runs(
    session: Session, *, store_slug: str | None = None, state: RunState | None = None, limit: int = 50
) -> list[RunSummary]:
    """The newest runs, of this state only where one is given, else running ones first."""
    query = select(RunRow, StoreRow).join(StoreRow, StoreRow.id == RunRow.store_id)
    if store_slug is not None:
        query = query.where(StoreRow.slug == store_slug)
    # One state after the other, so that each is read along an index and nothing is sorted.
    which = (
        [RunRow.state == "running", RunRow.state != "running"] if state is None else [RunRow.state == state]
    )
    found: list[RunSummary] = []
    for condition in which:
        newest = query.where(condition).order_by(RunRow.started_at.desc()).limit(limit - len(found))
        found += [_run_summary(run, store) for run, store in session.execute(newest)]
    return found


def get_run(session: Session, run_id: str) -> RunSummary:
    """One run by its public id; raises NotFound."""
    found = session.execute(
        select(RunRow, StoreRow)
        .join(StoreRow, StoreRow.id == RunRow.store_id)
        .where(RunRow.public_id == run_id)
    ).first()
    if found is None:
        raise NotFound("run", run_id)
    return _run_summary(*found)


def _run_summary(run: RunRow, store: StoreRow) -> RunSummary:
    return RunSummary(
        id=run.public_id,
        store_slug=store.slug,
        store_name=store.name,
        state=run.state,  # type: ignore[arg-type]  # the table's check constraint holds the same words
        trigger=run.trigger,
        started_at=run.started_at,
        heartbeat_at=run.heartbeat_at,
        finished_at=run.finished_at,
        is_complete=run.is_complete,
        requests=run.requests,
        seen=run.seen,
        new=run.new,
        changed=run.changed,
        unchanged=run.unchanged,
        held=run.held,
        quarantined=run.quarantined,
        gone=run.gone,
        problem=run.problem,
        is_being_accepted=run.state == "held" and run.accept_asked_at is not None,
    )


def _origin(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    return (parts.hostname or "").removeprefix("www."), parts.port


def _slug_from(url: str) -> str:
    host, port = _origin(url)
    name = f"{host}-{port}" if port else host
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:62].strip("-")
