"""Filling the empty catalogue: indexes and foreign keys are built once, after the rows, in the same transaction."""

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

# Everything but the primary key of offers, which other tables lean on and which grows in order anyway.
_DEFINITIONS = """
    select 1 as turn, i.indrelid::regclass::text as "table", i.indexrelid::regclass::text as name,
           pg_get_indexdef(i.indexrelid) as definition, false as is_constraint
    from pg_index i
    where i.indrelid = any(cast(:tables as regclass[]))
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
        session.execute(
            text(
                f"alter table {each.table} add constraint {each.name} {each.definition}"
                if each.is_constraint
                else each.definition
            )
        )


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
