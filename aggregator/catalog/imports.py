"""Imports by hand: the store that a feed belongs to, and its run."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.catalog.runs import RunTicket, open_run
from aggregator.catalog.stores import NewStore, register_store, store_value
from aggregator.db.models import StoreRow
from aggregator.domain.errors import Conflict, InvalidInput
from aggregator.domain.stores import Store


def find_store(session: Session, slug: str) -> Store | None:
    """The store of that slug, or None."""
    row = session.scalar(select(StoreRow).where(StoreRow.slug == slug))
    return None if row is None else store_value(row)


def open_import(session: Session, new: NewStore, *, worker: str) -> RunTicket:
    """Register the store where it is new, update it where not, and begin a run of it, all in one.

    A store without a feed's address is never due by itself. Raises InvalidInput where the slug belongs to a store
    that is read in another way, Conflict where a run reads the store already.
    """
    stores = session.execute(select(StoreRow.slug, StoreRow.platform))
    platforms = {row.slug: row.platform for row in stores}
    store = register_store(session, new)
    known = platforms.get(store.slug)
    if known not in (None, new.platform):
        raise InvalidInput(
            f"{store.slug} is read over {known}", place="--store", remedy="choose another slug for the feed"
        )
    ticket = open_run(session, store.slug, trigger="import", worker=worker)
    if ticket is None:
        raise Conflict(f"{store.slug} cannot be read now")
    if not store.options.get("feed_url"):
        session.execute(update(StoreRow).where(StoreRow.slug == store.slug).values(next_crawl_at=None))
    return ticket
