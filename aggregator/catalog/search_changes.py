"""Which products changed, in an order that every search index can follow from where it stands.

A row is appended inside the transaction that changes the products, under the catalogue's lock, so that ids rise in
the order of commits and none is seen before a lower one. Nothing else is written: linking pays one small row for
thousands of products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from aggregator.catalog.locks import lock_catalogue
from aggregator.db.models import SearchChangeRow, StoreRow

_NUMBERS_A_ROW = 20_000


@dataclass(frozen=True, slots=True)
class Position:
    """A row of the changes; with its time, so that the same number in another history is not taken for it."""

    number: int
    changed_at: datetime


def record_search_changes(session: Session, product_ids: Sequence[int]) -> None:
    """Have these products read again by every search index. Call it wherever a search could now answer otherwise."""
    if not product_ids:
        return
    lock_catalogue(session)
    for start in range(0, len(product_ids), _NUMBERS_A_ROW):
        session.execute(
            text("insert into search_changes (product_ids) values (cast(:ids as bigint[]))"),
            {"ids": list(product_ids[start : start + _NUMBERS_A_ROW])},
        )


def record_store_change(session: Session, store_id: int) -> None:
    """The same for all that a store sells, whose shipping is another now."""
    lock_catalogue(session)
    session.execute(
        text(
            """
            insert into search_changes (product_ids)
            select coalesce(array_agg(id), '{}') from products where store_ids @> array[cast(:store as bigint)]
            """
        ),
        {"store": store_id},
    )


def stores_with_new_shipping(session: Session, since: datetime) -> Sequence[int]:
    """Stores of which the shipping was set after that moment."""
    return session.scalars(select(StoreRow.id).where(StoreRow.shipping_updated_at > since)).all()


def latest_position(session: Session) -> Position | None:
    """Where an index that knows all stands; None where nothing was ever recorded."""
    row = session.execute(
        select(SearchChangeRow.id, SearchChangeRow.changed_at).order_by(SearchChangeRow.id.desc()).limit(1)
    ).one_or_none()
    return None if row is None else Position(row.id, row.changed_at)


def is_known(session: Session, position: Position) -> bool:
    """Whether this database's history has that position: an index that stands there is of this database."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    SearchChangeRow.id == position.number, SearchChangeRow.changed_at == position.changed_at
                )
            )
        )
    )


def changes_since(session: Session, position: Position) -> tuple[list[int], Position] | None:
    """(products changed after that position, where this leads); None where nobody knows that position any more."""
    rows = session.execute(
        select(SearchChangeRow.id, SearchChangeRow.changed_at, SearchChangeRow.product_ids)
        .where(SearchChangeRow.id >= position.number)
        .order_by(SearchChangeRow.id)
    ).all()
    if not rows or (rows[0].id, rows[0].changed_at) != (position.number, position.changed_at):
        return None
    changed = dict.fromkeys(product_id for row in rows[1:] for product_id in row.product_ids)
    return list(changed), Position(rows[-1].id, rows[-1].changed_at)
