"""Keeping the search index in step with the database: changes follow within seconds, a lost index comes back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from aggregator.catalog.search_changes import (
    Position,
    changes_since,
    latest_position,
    record_store_change,
    stores_with_new_shipping,
)
from aggregator.catalog.search_documents import SearchDocument, read_documents
from aggregator.catalog.search_index import IndexPlace

log = logging.getLogger("click2cart.search")

_READ_AT_ONCE = 5_000
# Where more than this share changed, writing all anew costs no more and leaves the index in one piece.
_OUTGROWN = 0.5
_BEGINNING = Position(0, datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What was done: nothing ("current", or "busy" where another process writes), "updated" or "rebuilt"."""

    done: Literal["current", "busy", "updated", "rebuilt"]
    products: int


def is_behind(session: Session, place: IndexPlace) -> bool:
    """Whether the database knows of changes that this machine's index does not."""
    generation = place.current()
    position = generation.position if generation else None
    return (
        position is None
        or latest_position(session) != position
        or bool(stores_with_new_shipping(session, position.changed_at))
    )


def synchronise(sessions: sessionmaker[Session], place: IndexPlace) -> SyncReport:
    """Take up what changed since the last time, or make the index anew where it is missing or cannot be followed."""
    with place.alone(wait=False) as is_ours:
        if not is_ours:
            return SyncReport("busy", 0)
        generation = place.current()
        position = generation.position if generation else None
        with sessions.begin() as session:
            # Whoever set a store's shipping did not wait for the catalogue's lock; a worker can.
            for store_id in stores_with_new_shipping(session, position.changed_at) if position else ():
                record_store_change(session, store_id)
        with sessions.begin() as session:
            following = changes_since(session, position) if position else None
            known = (
                session.scalar(text("select count(*) from products where offer_count > 0"))
                if following
                else 0
            )
        if (
            generation is None
            or following is None
            or len(following[0]) > max(_OUTGROWN * (known or 0), 10_000)
        ):
            return SyncReport("rebuilt", _rebuild(sessions, place))
        changed, reached = following
        if reached == position:
            return SyncReport("current", 0)
        for start in range(0, len(changed), _READ_AT_ONCE) if changed else ():
            some = changed[start : start + _READ_AT_ONCE]
            with sessions.begin() as session:
                documents = read_documents(session, some, place.country)
            is_last = start + _READ_AT_ONCE >= len(changed)
            place.apply(generation, some, documents, reached if is_last else position or reached)
        if not changed:
            generation.stand_at(reached)
        return SyncReport("updated", len(changed))


def rebuild(sessions: sessionmaker[Session], place: IndexPlace) -> int:
    """Make the index anew from the database, whatever is there; waits for another writer. Returns its products."""
    with place.alone(wait=True):
        return _rebuild(sessions, place)


def _rebuild(sessions: sessionmaker[Session], place: IndexPlace) -> int:
    # Read first: what changes while all is read is only read again.
    with sessions.begin() as session:
        position = latest_position(session) or _BEGINNING
    return place.build(_all_documents(sessions, place.country), position)


def _all_documents(sessions: sessionmaker[Session], country: str | None) -> Iterator[list[SearchDocument]]:
    last = 0
    while True:
        with sessions.begin() as session:
            ids = session.scalars(
                text("select id from products where id > :last and offer_count > 0 order by id limit :some"),
                {"last": last, "some": _READ_AT_ONCE},
            ).all()
            if not ids:
                return
            documents = read_documents(session, ids, country)
        yield documents
        last = ids[-1]
