"""Filling the empty catalogue: indexes are built once, after the rows, in the same transaction.

So are foreign keys, which hold from then on for every row that comes, goes or changes. The rows that were just written
obey them by the way they were made; looking at each of them again waits for `validate_foreign_keys`, which keeps no
reader waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

# Fewer rows are quicker put into the indexes one by one.
SMALLEST_BULK = 20_000
_TABLES = ("offers", "offer_prices")
_FOREIGN_KEYS = 3

# Everything but the primary key of offers, which other tables lean on and which grows in order anyway, and the index of
# what has a product, which nothing new has yet.
_DEFINITIONS = """
    select 1 as turn, i.indrelid::regclass::text as "table", i.indexrelid::regclass::text as name,
           pg_get_indexdef(i.indexrelid) as definition, false as is_constraint
    from pg_index i
    where i.indrelid = any(cast(:tables as regclass[])) and i.indexrelid <> 'ix_offers_product_id'::regclass
      and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
    union all
    select case c.contype when 'f' then 3 else 2 end, c.conrelid::regclass::text, quote_ident(c.conname),
           pg_get_constraintdef(c.oid), true
    from pg_constraint c
    where c.conrelid = any(cast(:tables as regclass[]))
      and (c.contype in ('f', 'u') or (c.contype = 'p' and c.conrelid = 'offer_prices'::regclass))
    order by 1, 2, 3
"""


@contextmanager
def bulk_loading(session: Session, *, rows: int) -> Iterator[bool]:
    """Inside, `offers` and `offer_prices` take rows without indexes; outside, they have them all again.

    Yields False, and changes nothing, where the catalogue has offers already, where there are few rows to come, or
    where somebody reads the tables right now. An error rolls all of it back with the caller's transaction.
    """
    if rows < SMALLEST_BULK or not _lock_while_empty(session):
        yield False
        return
    # Into files that begin in this transaction a server with wal_level = minimal writes without logging each row.
    for table in _TABLES:
        session.execute(text(f"cluster {table} using pk_{table}"))
        session.execute(text(f"alter table {table} set without cluster"))
    definitions = session.execute(text(_DEFINITIONS), {"tables": list(_TABLES)}).all()
    for each in reversed(definitions):
        session.execute(
            text(
                f"alter table {each.table} drop constraint {each.name}"
                if each.is_constraint
                else f"drop index {each.name}"
            )
        )
    yield True
    session.execute(text("set local maintenance_work_mem = '256MB'"))
    for each in definitions:
        later = (
            " not valid" if each.turn == _FOREIGN_KEYS and not each.definition.endswith("NOT VALID") else ""
        )
        session.execute(
            text(
                f"alter table {each.table} add constraint {each.name} {each.definition}{later}"
                if each.is_constraint
                else each.definition
            )
        )


def validate_foreign_keys(session: Session) -> int:
    """Let PostgreSQL check what a bulk load has left for later; how many constraints that were."""
    waiting = session.execute(
        text(
            """
            select conrelid::regclass::text as "table", quote_ident(conname) as name from pg_constraint
            where conrelid = any(cast(:tables as regclass[])) and contype = 'f' and not convalidated
            order by 1, 2
            """
        ),
        {"tables": list(_TABLES)},
    ).all()
    for each in waiting:
        session.execute(text(f"alter table {each.table} validate constraint {each.name}"))
    return len(waiting)


def _lock_while_empty(session: Session) -> bool:
    if not _is_empty(session):
        return False
    try:
        with session.begin_nested():
            session.execute(text("set local lock_timeout = '2s'"))
            session.execute(text(f"lock table {', '.join(_TABLES)} in access exclusive mode"))
            session.execute(text("set local lock_timeout = default"))
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            return False
        raise
    return _is_empty(session)


def _is_empty(session: Session) -> bool:
    return bool(
        session.scalar(
            text("select not exists (select from offers) and not exists (select from offer_prices)")
        )
    )
