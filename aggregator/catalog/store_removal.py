"""Removing a store with all that was read of it: asked for at once, done step by step by a worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from aggregator.catalog.locks import lock_catalogue
from aggregator.catalog.product_summaries import refresh_products
from aggregator.catalog.runs import cancel_run
from aggregator.catalog.staging import drop_staging
from aggregator.db import audit
from aggregator.db.models import (
    CartLineRow,
    MatchLinkRow,
    OfferPriceRow,
    OfferRow,
    QuarantinedOfferRow,
    RunRow,
    StoreRow,
)
from aggregator.domain.errors import Conflict, InvalidInput, NotFound

_OFFERS_A_STEP = 2_000
_RUNS_A_STEP = 20
_ASK_AGAIN_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBelongings:
    """What goes with a store: offers (gone ones too) with their prices, runs and quarantine."""

    offers: int
    prices: int
    runs: int
    quarantined: int


def count_belongings(session: Session, slug: str) -> StoreBelongings:
    """What removing the store would delete; raises NotFound."""
    store_id = _row(session, slug).id
    offers = select(OfferRow.id).where(OfferRow.store_id == store_id)
    counts = session.execute(
        select(
            select(func.count()).where(OfferRow.store_id == store_id).scalar_subquery(),
            select(func.count()).where(OfferPriceRow.offer_id.in_(offers)).scalar_subquery(),
            select(func.count()).where(RunRow.store_id == store_id).scalar_subquery(),
            select(func.count()).where(QuarantinedOfferRow.store_id == store_id).scalar_subquery(),
        )
    ).one()
    return StoreBelongings(offers=counts[0], prices=counts[1], runs=counts[2], quarantined=counts[3])


def ask_for_removal(
    session: Session, slug: str, *, confirmed_slug: str, account_id: int | None = None
) -> None:
    """Have a store removed for good: a run that reads it is cancelled, none begins, a worker deletes the rest.

    Raises NotFound, InvalidInput where the person did not type the slug, Conflict where it is being removed already.
    """
    store = _row(session, slug, lock=True)
    if confirmed_slug.strip() != slug:
        raise InvalidInput(
            "that is not the store's short name", place="slug", remedy=f"type {slug} to confirm"
        )
    if store.removal_asked_at is not None:
        raise Conflict(f"{slug} is being removed already")
    now = datetime.now(UTC)
    store.removal_asked_at, store.is_active = now, False
    store.next_crawl_at = store.crawl_sent_at = None
    running = select(RunRow.public_id).where(RunRow.store_id == store.id, RunRow.state == "running")
    for run_id in session.scalars(running).all():
        cancel_run(session, run_id, account_id=account_id)
    audit.record(session, account_id, "store_removed", f"store:{slug}", name=store.name, url=store.url)
    session.flush()


def removal_is_due(session: Session) -> bool:
    """Whether a store waits to be removed; marks it as asked for, so that the queue is not filled with repeats."""
    now = datetime.now(UTC)
    asked = session.scalars(
        update(StoreRow)
        .where(
            StoreRow.removal_asked_at.is_not(None),
            StoreRow.crawl_sent_at.is_(None) | (StoreRow.crawl_sent_at < now - _ASK_AGAIN_AFTER),
        )
        .values(crawl_sent_at=now)
        .returning(StoreRow.id)
    )
    return bool(asked.all())


def remove_step(session: Session, *, offers_a_step: int = _OFFERS_A_STEP) -> bool:
    """Delete some offers of a store that is to be removed, in the end the store; False when there is none.

    Each step is a transaction of its own and may be broken off: the next one goes on. Products keep their ids and
    what other stores sell; a product that nobody sells any more has no offers.
    """
    store_id = session.scalar(
        select(StoreRow.id)
        .where(StoreRow.removal_asked_at.is_not(None))
        .order_by(StoreRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if store_id is None:
        return False
    found = session.execute(
        select(OfferRow.id, OfferRow.product_id).where(OfferRow.store_id == store_id).limit(offers_a_step)
    ).all()
    if not found:
        _remove_the_rest(session, store_id)
        return True
    lock_catalogue(session)
    offer_ids = [row.id for row in found]
    # The key would do these one row at a time, and without an index for the first.
    session.execute(
        update(CartLineRow).where(CartLineRow.pinned_offer_id.in_(offer_ids)).values(pinned_offer_id=None)
    )
    session.execute(
        delete(MatchLinkRow).where(
            MatchLinkRow.offer_id.in_(offer_ids) | MatchLinkRow.other_offer_id.in_(offer_ids)
        )
    )
    session.execute(delete(OfferPriceRow).where(OfferPriceRow.offer_id.in_(offer_ids)))
    session.execute(delete(OfferRow).where(OfferRow.id.in_(offer_ids)))
    refresh_products(session, sorted({row.product_id for row in found if row.product_id is not None}))
    return True


def _remove_the_rest(session: Session, store_id: int) -> None:
    """Some runs with their logs and quarantine, and when none is left the store."""
    runs = session.scalars(select(RunRow.id).where(RunRow.store_id == store_id).limit(_RUNS_A_STEP)).all()
    if runs:
        for run_id in runs:
            drop_staging(session, run_id)
        session.execute(delete(RunRow).where(RunRow.id.in_(runs)))
    else:
        session.execute(delete(StoreRow).where(StoreRow.id == store_id))


def _row(session: Session, slug: str, *, lock: bool = False) -> StoreRow:
    query = select(StoreRow).where(StoreRow.slug == slug)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("store", slug)
    return row
