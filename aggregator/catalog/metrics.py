"""What a monitoring system asks of an installation: figures of stores, runs, offers, alarms, queues and processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.processes import SILENT_AFTER
from aggregator.domain.alarms import ALARM_KINDS

RUN_STATES = ("running", "finished", "held", "failed", "cancelled")
OFFER_OUTCOMES = ("new", "changed", "unchanged", "held", "quarantined", "gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFigures:
    """One store. Ages are in seconds; `success_age` is None until the store was read to its end once."""

    slug: str
    is_active: bool
    is_healthy: bool
    success_age: float | None
    open_quarantine: int
    # The store failed so often that it is left alone for a while.
    is_circuit_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFigures:
    """One worker or clock, with the age of its last heartbeat in seconds."""

    kind: str
    host: str
    pid: int
    is_alive: bool
    is_leader: bool
    heartbeat_age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFigures:
    """What changes by the second; `last_day` sums the runs that began within the last 24 hours."""

    stores: tuple[StoreFigures, ...]
    processes: tuple[ProcessFigures, ...]
    runs_last_day: Mapping[str, int]
    requests_last_day: int
    not_modified_last_day: int
    bytes_last_day: int
    offers_read_last_day: Mapping[str, int]
    runs_running: int
    runs_held: int
    held_offers: int
    alarms_open: Mapping[str, int]
    queue_waiting: Mapping[str, int]
    queue_waiting_seconds: Mapping[str, float]
    notices_waiting: int
    pending_offers: int
    open_reviews: int


@dataclass(frozen=True, slots=True)
class OfferFigures:
    """How many offers there are; counting them reads the whole table, so ask now and then only."""

    current: int
    gone: int


def get_operation_figures(session: Session) -> OperationFigures:
    """Everything but the offers themselves, in three queries that cost the same for a million offers as for ten."""
    row = session.execute(_FIGURES).one()
    return OperationFigures(
        stores=tuple(
            StoreFigures(
                slug=store.slug,
                is_active=store.is_active,
                is_healthy=store.is_healthy,
                success_age=None if store.success_age is None else float(store.success_age),
                open_quarantine=store.open_quarantine,
                is_circuit_open=store.is_circuit_open,
            )
            for store in session.execute(_STORES)
        ),
        processes=tuple(
            ProcessFigures(
                kind=process.kind,
                host=process.host,
                pid=process.pid,
                is_alive=process.heartbeat_age < SILENT_AFTER.total_seconds(),
                is_leader=process.is_leader,
                heartbeat_age=float(process.heartbeat_age),
            )
            for process in session.execute(_PROCESSES)
        ),
        runs_last_day={state: row.runs_last_day.get(state, 0) for state in RUN_STATES},
        requests_last_day=int(row.requests),
        not_modified_last_day=int(row.not_modified),
        bytes_last_day=int(row.bytes_received),
        offers_read_last_day={outcome: int(getattr(row, outcome)) for outcome in OFFER_OUTCOMES},
        runs_running=row.runs_running,
        runs_held=row.runs_held,
        held_offers=int(row.held_offers),
        alarms_open={kind: row.alarms_open.get(kind, 0) for kind in ALARM_KINDS},
        queue_waiting={name: int(queue["waiting"]) for name, queue in row.queues.items()},
        queue_waiting_seconds={name: float(queue["seconds"]) for name, queue in row.queues.items()},
        notices_waiting=row.notices_waiting,
        pending_offers=row.pending_offers,
        open_reviews=row.open_reviews,
    )


def count_offers(session: Session) -> OfferFigures:
    """Current and gone offers; about half a second for a million."""
    row: Any = session.execute(
        text(
            "select count(*) filter (where gone_at is null) as current,"
            " count(*) filter (where gone_at is not null) as gone from offers"
        )
    ).one()
    return OfferFigures(row.current, row.gone)


# Late is a store whose last complete reading is older than twice its interval; one that is new has that long.
_STORES = text(
    """
    select s.slug, s.is_active,
           coalesce(last.state, 'finished') not in ('failed', 'held')
               and coalesce(s.checked_at, s.created_at) > now() - 2 * make_interval(secs => s.crawl_interval)
               as is_healthy,
           extract(epoch from now() - s.checked_at) as success_age,
           (select count(*) from quarantined_offers q where q.store_id = s.id and q.state = 'open')
               as open_quarantine,
           coalesce(c.circuit, 'closed') <> 'closed' as is_circuit_open
    from stores s
    left join store_crawl_states c on c.store_id = s.id
    left join lateral (
        select state from runs r
        where r.store_id = s.id and r.state not in ('running', 'cancelled')
        order by r.started_at desc limit 1
    ) last on true
    order by s.slug collate "C"
    """
)
_PROCESSES = text(
    """
    select kind, host, pid, is_leader, extract(epoch from now() - seen_at) as heartbeat_age
    from processes order by kind, started_at
    """
)
_FIGURES = text(
    """
    with day as (
        select r.* from stores s
        cross join lateral (
            select * from runs where store_id = s.id and started_at > now() - interval '1 day'
        ) r
    ), counted as (
        select coalesce(sum(requests), 0) as requests, coalesce(sum(not_modified), 0) as not_modified,
               coalesce(sum(bytes_received), 0) as bytes_received,
               coalesce(sum(new), 0) as new, coalesce(sum(changed), 0) as changed,
               coalesce(sum(unchanged), 0) as unchanged, coalesce(sum(held), 0) as held,
               coalesce(sum(quarantined), 0) as quarantined, coalesce(sum(gone), 0) as gone
        from day
    )
    select counted.*,
        (select coalesce(jsonb_object_agg(state, n), '{}')
            from (select state, count(*) as n from day group by state) by_state) as runs_last_day,
        (select count(*) from runs where state = 'running') as runs_running,
        (select count(*) from runs where state = 'held') as runs_held,
        (select coalesce(sum(held), 0) from runs where state = 'held') as held_offers,
        (select coalesce(jsonb_object_agg(kind, n), '{}')
            from (select kind, count(*) as n from alarms where state <> 'closed' group by kind) by_kind)
            as alarms_open,
        (select coalesce(jsonb_object_agg(name, jsonb_build_object(
                'waiting', waiting,
                'seconds', coalesce(extract(epoch from now() - waiting_since), 0))), '{}')
            from queues) as queues,
        (select count(*) from notices where state = 'waiting') as notices_waiting,
        (select count(*) from offers where match_state = 'pending') as pending_offers,
        (select count(*) from match_reviews where settled_at is null) as open_reviews
    from counted
    """
)
