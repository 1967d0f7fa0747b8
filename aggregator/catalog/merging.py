"""Merging a judged run into the catalogue, touching only what changed.

`compare_run` builds the temporary table `release`: one narrow row for each offer that the run finds other than the
catalogue has it, with its fate: "new", "changed", "vanished" (no longer listed), "refused" (listed, not readable),
"listed" (on a page that was not asked for again), "revived" (gone, and on a listed page after all), and "doubted"
(read, but not believed alone). What is unchanged has no row.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.bulk_loading import bulk_loading
from aggregator.catalog.page_visits import build_kept_offers
from aggregator.catalog.product_summaries import refresh_products
from aggregator.catalog.staging import OFFER_COLUMNS, staging_table
from aggregator.db.models import RunRow

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
# A bit that makes every number sixteen hexadecimal digits long.
_ALL_DIGITS = f"cast({1 << 60} as bigint)"
PRICE_COLUMNS = ("price", "price_currency", "list_price", "price_kind", "availability")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside the catalogue. `staged` names the run's rows, `differing` those of them that `release` knows.

    (All, of a store's first run.) `known` are the store's current offers, `read` what the run read, one an offer.
    `met` are those of them that were known and current, `kept` stand on listed pages that were not read anew (but those
    of pages that gave nothing to read).
    """

    staged: str
    differing: str
    parameters: dict[str, Any]
    is_first: bool
    known: int
    read: int
    new: int
    met: int
    kept: int
    vanished: int
    last_position: int


@dataclass(frozen=True, slots=True)
class StagedKeys:
    """What stands in a run's staging rows: `rows`, of so many different `keys`, up to `last_position` (-1 for none)."""

    rows: int
    keys: int
    last_position: int


def count_keys(session: Session, run_id: int) -> StagedKeys:
    """Count a run's staging rows in one pass; nobody else may write them meanwhile."""
    # Each hash table holds one short row an offer; plans for a million offers gain nothing from being compiled.
    session.execute(text("set local work_mem = '128MB'"))
    session.execute(text("set local jit = off"))
    # PostgreSQL takes the keys of a partition without statistics for few, which several workers would gather in vain.
    session.execute(text("set local max_parallel_workers_per_gather = 0"))
    counted = session.execute(
        text(
            f"""
            select coalesce(sum(times), 0) as rows, count(*) as keys, coalesce(max(position), -1) as last_position
            from (
                select count(*) as times, max(position) as position from {staging_table(run_id)} group by external_id
            ) k
            """
        )
    ).one()
    session.execute(text("set local max_parallel_workers_per_gather = default"))
    return StagedKeys(rows=int(counted.rows), keys=counted.keys, last_position=counted.last_position)


def compare_run(
    session: Session, run: RunRow, staged_keys: StagedKeys, parameters: dict[str, Any]
) -> Comparison:
    """Settle repeated keys, then build `release`. `parameters` are run, attempt, store, now and is_complete."""
    staged = staging_table(run.id)
    read = staged_keys.keys
    if staged_keys.rows > read:
        _settle_repeats(session, staged, parameters)
    build_kept_offers(session, parameters)
    _refused_keys(session, parameters)
    is_first = not session.scalar(
        text("select exists (select from offers where store_id = :store)"), parameters
    )
    _build_release(session, staged, parameters, is_first=is_first)
    counts = session.execute(
        text(
            """
            select count(*) filter (where fate = 'new') as new,
                   count(*) filter (where fate = 'changed' and was_gone) as returned,
                   count(*) filter (where fate = 'vanished') as vanished,
                   count(*) filter (where fate = 'refused') as refused
            from release
            """
        )
    ).one()
    kept = _count_kept(session, staged, parameters)
    new = read if is_first else counts.new
    met = read - new - counts.returned
    return Comparison(
        staged=staged,
        differing=staged if is_first else _copy_differing(session, staged),
        parameters=parameters,
        is_first=is_first,
        known=met + kept.current + counts.vanished + counts.refused,
        read=read,
        new=new,
        met=met,
        kept=kept.all,
        vanished=counts.vanished,
        last_position=staged_keys.last_position,
    )


def _settle_repeats(session: Session, staged: str, parameters: dict[str, Any]) -> None:
    """Of a key that was listed twice the last listing counts; one that says otherwise goes to quarantine."""
    session.execute(text("drop table if exists repeated"))
    session.execute(
        text(
            f"""
            create temporary table repeated on commit drop as
            select external_id, max(position) as position from {staged} group by external_id having count(*) > 1
            """
        )
    )
    session.execute(
        text(
            f"""
            insert into quarantined_offers
                (store_id, run_id, attempt, external_id, title, url, reason, detail, raw)
            select :store, :run, :attempt, s.external_id, s.title, s.url, 'listed_twice',
                   'another listing of the same key says otherwise; the last one was taken',
                   jsonb_build_object('price', s.price::text, 'price_currency', s.price_currency,
                                      'availability', s.availability)
            from repeated r
            join {staged} taken on taken.position = r.position
            join {staged} s on s.external_id = r.external_id
            where s.position <> r.position and s.digest <> taken.digest
            """
        ),
        parameters,
    )
    session.execute(
        text(
            f"delete from {staged} s using repeated r "
            "where s.external_id = r.external_id and s.position <> r.position"
        )
    )


def _refused_keys(session: Session, parameters: dict[str, Any]) -> None:
    session.execute(text("drop table if exists refused"))
    session.execute(
        text(
            """
            create temporary table refused on commit drop as
            select distinct external_id from quarantined_offers where run_id = :run and attempt = :attempt
            """
        ),
        parameters,
    )


def _build_release(session: Session, staged: str, parameters: dict[str, Any], *, is_first: bool) -> None:
    session.execute(text("drop table if exists release"))
    session.execute(
        text(
            """
            create temporary table release (
                position bigint, external_id text, offer_id bigint, was_gone boolean, is_checked boolean, fate text
            ) on commit drop
            """
        )
    )
    if is_first:
        return
    session.execute(
        text(
            f"""
            insert into release
            select s.position, coalesce(s.external_id, o.external_id), o.id, o.gone_at is not null,
                   s.position is not null or coalesce(k.is_checked, false),
                   case when o.id is null then 'new'
                        when s.position is not null then 'changed'
                        when r.external_id is not null then 'refused'
                        when k.external_id is null then 'vanished'
                        when o.gone_at is not null then 'revived'
                        else 'listed' end
            from {staged} s
            full join (
                select id, external_id, digest, gone_at from offers where store_id = :store
            ) o on o.external_id = s.external_id
            left join refused r on r.external_id = o.external_id
            left join kept_offers k on k.external_id = o.external_id
            where o.id is null
               or (s.position is not null and (s.digest <> o.digest or o.gone_at is not null))
               or (s.position is null and o.gone_at is null and not (r.external_id is null and k.is_checked is true))
               or (s.position is null and o.gone_at is not null and k.external_id is not null
                   and r.external_id is null)
            """
        ),
        parameters,
    )
    session.execute(text("analyze release"))


def _copy_differing(session: Session, staged: str) -> str:
    """The table of staged rows that `release` knows: they are asked for again and again, and mostly few."""
    session.execute(text("drop table if exists differing"))
    session.execute(
        text(
            "create temporary table differing on commit drop as "
            f"select s.* from {staged} s join release r on r.position = s.position"
        )
    )
    session.execute(text("analyze differing"))
    return "differing"


def _count_kept(session: Session, staged: str, parameters: dict[str, Any]) -> Any:
    return session.execute(
        text(
            f"""
            select count(*) filter (where not k.is_missed) as all, count(*) filter (where o.gone_at is null) as current
            from kept_offers k join offers o on o.store_id = :store and o.external_id = k.external_id
            where not exists (select from {staged} s where s.external_id = k.external_id)
              and not exists (select from refused r where r.external_id = k.external_id)
            """
        ),
        parameters,
    ).one()


def merge_run(session: Session, run: RunRow, comparison: Comparison) -> tuple[int, int, int]:
    """Write what `release` says; (new, changed, gone) offers. Doubted offers keep what the catalogue says of them."""
    parameters = {**comparison.parameters, "started": run.started_at}
    with bulk_loading(session, rows=comparison.new if comparison.is_first else 0):
        new = _insert_new(session, comparison)
    changed = 0
    if not comparison.is_first:
        changed = _update_changed(session, comparison)
    gone = 0
    if run.is_complete:
        gone = _count(
            session,
            """
            update offers o set gone_at = :now, changed_at = :now, run_id = :run
            from release r where o.id = r.offer_id and r.fate = 'vanished'
            """,
            parameters,
        )
    _settle_quarantine(session, comparison.staged, parameters)
    _note_checks(session, comparison, parameters)
    touched = session.scalars(
        text(
            """
            select distinct o.product_id from release r join offers o on o.id = r.offer_id
            where o.product_id is not null
              and (r.fate in ('changed', 'revived') or (r.fate = 'vanished' and :is_complete))
            """
        ),
        parameters,
    ).all()
    refresh_products(session, touched)
    return new, changed, gone


def _insert_new(session: Session, comparison: Comparison) -> int:
    """New offers and the beginning of their history; their ids follow the order in which the store lists them."""
    if not comparison.new:
        return 0
    base = session.scalar(
        text(
            """
            select setval(sequence, nextval(sequence) + :places) - :places
            from (select cast(pg_get_serial_sequence('offers', 'id') as regclass) as sequence) s
            """
        ),
        {"places": comparison.last_position + 1},
    )
    # An id that nobody can guess without both seeds: gen_random_uuid() costs ten times as much for each offer.
    seeds = {name: secrets.randbits(63) for name in ("seed", "other_seed")}
    parameters = {**comparison.parameters, **seeds, "base": base}
    has_doubts = session.scalar(text("select exists (select from release where fate = 'doubted')"))
    if not comparison.is_first:
        source = f"{comparison.differing} s join release r on r.position = s.position and r.fate = 'new'"
    elif has_doubts:
        source = (
            f"{comparison.staged} s where not exists "
            "(select from release r where r.position = s.position and r.fate = 'doubted')"
        )
    else:
        source = f"{comparison.staged} s"
    columns = ", ".join(OFFER_COLUMNS)
    new = _count(
        session,
        f"""
        insert into offers
            (id, public_id, store_id, country, tax_basis, run_id, first_seen_at, changed_at, {columns})
        select cast(:base as bigint) + s.position,
               left(to_hex(hashint8extended(s.position, :seed) | {_ALL_DIGITS})
                    || to_hex(hashint8extended(s.position, :other_seed) | {_ALL_DIGITS}), 20),
               :store, (select country from stores where id = :store),
               (select tax_basis from stores where id = :store), :run, :now, :now,
               {", ".join(f"s.{name}" for name in OFFER_COLUMNS)}
        from {source}
        """,
        parameters,
    )
    session.execute(
        text(
            f"""
            insert into offer_prices (offer_id, recorded_at, {", ".join(PRICE_COLUMNS)}, source, run_id)
            select cast(:base as bigint) + s.position, :now, {", ".join(f"s.{name}" for name in PRICE_COLUMNS)},
                   s.source, :run
            from {source}
            """
        ),
        parameters,
    )
    return new


def _update_changed(session: Session, comparison: Comparison) -> int:
    staged, parameters = comparison.differing, comparison.parameters
    # Before the offers themselves: it compares with what they say so far.
    session.execute(
        text(
            f"""
            insert into offer_prices (offer_id, recorded_at, {", ".join(PRICE_COLUMNS)}, source, run_id)
            select o.id, :now, {", ".join(f"s.{name}" for name in PRICE_COLUMNS)}, s.source, :run
            from release r join {staged} s on s.position = r.position join offers o on o.id = r.offer_id
            where r.fate = 'changed'
              and ({", ".join(f"s.{name}" for name in PRICE_COLUMNS)})
                  is distinct from ({", ".join(f"o.{name}" for name in PRICE_COLUMNS)})
            """
        ),
        parameters,
    )
    changed = _count(
        session,
        f"""
        update offers o
        set {", ".join(f"{name} = s.{name}" for name in OFFER_COLUMNS)},
            run_id = :run, changed_at = :now, gone_at = null,
            match_state = case
                when o.product_id is null
                     or {" or ".join(f"s.{name} is distinct from o.{name}" for name in IDENTITY_COLUMNS)}
                then 'pending' else o.match_state end
        from release r join {staged} s on s.position = r.position
        where o.id = r.offer_id and r.fate = 'changed'
        """,
        parameters,
    )
    return changed + _count(
        session,
        """
        update offers o
        set gone_at = null, run_id = :run, changed_at = :now,
            match_state = case when o.product_id is null then 'pending' else o.match_state end
        from release r where o.id = r.offer_id and r.fate = 'revived'
        """,
        parameters,
    )


def _settle_quarantine(session: Session, staged: str, parameters: dict[str, Any]) -> None:
    """What an earlier run could not read is settled where this one read it, or says anew why it cannot.

    What a person discarded is not asked about again for the same reason, nor is what the store's rules ignore.
    """
    session.execute(
        text(
            """
            update quarantined_offers q set state = 'discarded', settled_at = :now
            where q.run_id = :run and q.attempt = :attempt and q.state = 'open'
              and (exists (
                      select from quarantined_offers d
                      where d.store_id = :store and d.state = 'discarded' and d.run_id <> :run
                        and d.external_id = q.external_id and d.reason = q.reason)
                   or exists (
                      select from stores s
                      where s.id = :store and s.offer_rules -> 'ignored' ? q.reason))
            """
        ),
        parameters,
    )
    is_waiting = text(
        "select exists (select from quarantined_offers where store_id = :store and state = 'open' and run_id < :run)"
    )
    if not session.scalar(is_waiting, parameters):
        return
    session.execute(
        text(
            f"""
            update quarantined_offers q set state = 'settled', settled_at = :now
            where q.store_id = :store and q.state = 'open' and q.run_id < :run
              and ((:is_complete
                    and not exists (select from kept_offers k where k.external_id = q.external_id))
                   or exists (select from {staged} s where s.external_id = q.external_id)
                   or exists (select from refused n where n.external_id = q.external_id))
            """
        ),
        parameters,
    )


def _note_checks(session: Session, comparison: Comparison, parameters: dict[str, Any]) -> None:
    """Say when each offer was checked, touching as few rows as the truth allows (see OfferCheckRow)."""
    if not parameters["is_complete"]:
        session.execute(
            text(
                f"""
                insert into offer_checks (offer_id, checked_at)
                select o.id, :started
                from (
                    select external_id from {comparison.staged}
                    union
                    select k.external_id from kept_offers k
                    where k.is_checked and not exists (select from refused r where r.external_id = k.external_id)
                ) c
                join offers o on o.store_id = :store and o.external_id = c.external_id
                where not exists (select from release r where r.offer_id = o.id and r.fate = 'doubted')
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
            from release r join offers o on o.id = r.offer_id join stores s on s.id = o.store_id
            where o.gone_at is null and (r.fate in ('refused', 'listed', 'doubted') or not r.is_checked)
            on conflict (offer_id) do nothing
            """
        ),
        parameters,
    )
    if session.scalar(text("select exists (select from offer_checks)")):
        session.execute(
            text(
                """
                delete from offer_checks c using offers o
                where c.offer_id = o.id and o.store_id = :store and o.gone_at is null
                  and not exists (
                      select from release r
                      where r.offer_id = o.id and (r.fate in ('refused', 'listed', 'doubted') or not r.is_checked))
                """
            ),
            parameters,
        )
    session.execute(text("update stores set checked_at = :started where id = :store"), parameters)


def _count(session: Session, statement: str, parameters: dict[str, Any]) -> int:
    return int(session.execute(text(statement), parameters).rowcount)  # type: ignore[attr-defined]  # a cursor result
