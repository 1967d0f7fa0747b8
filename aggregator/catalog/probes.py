"""Probes: an address is asked about, a worker looks, a person confirms, and it becomes a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.orm import Session

from aggregator.catalog.schedules import apply_schedule
from aggregator.catalog.stores import NewStore, register_store, request_crawl
from aggregator.db.models import AuditEntryRow, ProbeRow, StoreRow
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.operations import StoreProbe
from aggregator.domain.schedules import Schedule
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.store_settings import COMMON_OPTIONS, check_option
from aggregator.domain.stores import Store
from aggregator.domain.web_addresses import read_web_address
from aggregator.platforms import get_platform

# A probe makes eight requests; one that has run for this long lost its worker.
LOST_AFTER = timedelta(minutes=5)
# A probe asked of the queue is asked again if no worker took it within this time.
ASK_AGAIN_AFTER = timedelta(seconds=30)

# Encrypts a store's secret options.
Seal = Callable[[Mapping[str, str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a person confirmed about a probed store. `options` may hold secret ones in the clear."""

    name: str
    slug: str | None = None
    country: str | None = None
    currency: str | None = None
    crawl_interval: int
    shipping: ShippingRule | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def request_probe(session: Session, url: str, *, account_id: int | None = None) -> str:
    """Ask for a probe of an address; its public id. One that still waits for the same address is not doubled.

    Raises InvalidInput for what is no address.
    """
    text = clean_text(url, 2000)
    read_web_address(text if "://" in text else f"https://{text}")
    waiting = select(ProbeRow).where(ProbeRow.url == text, ProbeRow.state.in_(("waiting", "running")))
    row = session.scalar(waiting.limit(1))
    if row is None:
        row = ProbeRow(url=text, state="waiting", account_id=account_id)
        session.add(row)
        session.flush()
        _audit(session, account_id, "probe_requested", f"probe:{row.public_id}")
    return row.public_id


def get_probe(session: Session, probe_id: str) -> StoreProbe:
    """One probe; raises NotFound."""
    found = session.execute(_probes().where(ProbeRow.public_id == probe_id)).first()
    if found is None:
        raise NotFound("probe", probe_id)
    return _view(*found)


def list_probes(session: Session, *, limit: int = 10) -> list[StoreProbe]:
    """The newest probes that have not become a store."""
    found = session.execute(
        _probes().where(ProbeRow.store_id.is_(None)).order_by(ProbeRow.created_at.desc()).limit(limit)
    )
    return [_view(probe, slug) for probe, slug in found]


def _probes() -> Select[ProbeRow, str | None]:
    return select(ProbeRow, StoreRow.slug).outerjoin(StoreRow, StoreRow.id == ProbeRow.store_id)


def _view(row: ProbeRow, store_slug: str | None) -> StoreProbe:
    return StoreProbe(
        id=row.public_id,
        url=row.url,
        state=row.state,  # type: ignore[arg-type]  # the table's check constraint holds the same words
        created_at=row.created_at,
        result=row.result,
        problem=row.problem,
        store_slug=store_slug,
    )


def due_probes(session: Session, *, limit: int = 20) -> list[str]:
    """Public ids of probes to do now: waiting, or lost with their worker. Marks them as asked for."""
    now = datetime.now(UTC)
    due = (
        select(ProbeRow.id)
        .where(
            or_(ProbeRow.state == "waiting", _is_lost(now)),
            or_(ProbeRow.sent_at.is_(None), ProbeRow.sent_at < now - ASK_AGAIN_AFTER),
        )
        .order_by(ProbeRow.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    row_ids = session.scalars(due).all()
    return list(
        session.scalars(
            update(ProbeRow).where(ProbeRow.id.in_(row_ids)).values(sent_at=now).returning(ProbeRow.public_id)
        )
    )


def _is_lost(now: datetime) -> Any:
    return and_(ProbeRow.state == "running", ProbeRow.started_at < now - LOST_AFTER)


def begin_probe(session: Session, probe_id: str) -> str | None:
    """Take a probe; the address to look at, or None where another worker was quicker."""
    now = datetime.now(UTC)
    return session.scalar(
        update(ProbeRow)
        .where(ProbeRow.public_id == probe_id, or_(ProbeRow.state == "waiting", _is_lost(now)))
        .values(state="running", started_at=now)
        .returning(ProbeRow.url)
    )


def leave_probe(session: Session, probe_id: str) -> None:
    """A worker that must stop lets go of its probe, so that the next one takes it at once."""
    _settle(session, probe_id, state="waiting", started_at=None, sent_at=None)


def finish_probe(session: Session, probe_id: str, result: Mapping[str, Any]) -> None:
    """Keep what was found; `result` is what `probe --json` prints."""
    problem = result.get("problem")
    _settle(session, probe_id, state="done", result=dict(result), problem=problem)


def fail_probe(session: Session, probe_id: str, problem: str) -> None:
    """Keep why nothing could be found out."""
    _settle(session, probe_id, state="failed", problem=clean_text(problem, 500))


def _settle(session: Session, probe_id: str, **values: Any) -> None:
    session.execute(
        update(ProbeRow).where(ProbeRow.public_id == probe_id, ProbeRow.state == "running").values(**values)
    )


def import_store(
    session: Session,
    probe_id: str,
    confirmed: Confirmation,
    *,
    seal: Seal,
    account_id: int | None = None,
) -> Store:
    """Register the store that a probe found, with what a person confirmed, and ask for its first crawl now.

    Raises NotFound, Conflict where the probe found nothing to read or was imported, and InvalidInput for an option that
    the platform does not have or a slug that another store has.
    """
    row = session.scalar(select(ProbeRow).where(ProbeRow.public_id == probe_id).with_for_update())
    if row is None:
        raise NotFound("probe", probe_id)
    if row.store_id is not None:
        raise Conflict(f"{row.url} is imported already")
    if row.result is None or row.result.get("platform") in {None, "unknown"}:
        raise Conflict(f"no way to read {row.url} was found")
    store = register_store(session, new_store(row.result, confirmed, seal=seal))
    registered = session.scalars(select(StoreRow).where(StoreRow.public_id == store.id)).one()
    # Of a store that was there before, too: it is what the person has just seen and confirmed.
    apply_schedule(registered, Schedule(interval=confirmed.crawl_interval))
    row.store_id = registered.id
    _audit(session, account_id, "store_added", f"store:{store.slug}")
    request_crawl(session, store.slug, account_id=account_id)
    return store


def new_store(result: Mapping[str, Any], confirmed: Confirmation, *, seal: Seal) -> NewStore:
    """A probe's result and a person's confirmation as a store to register; raises InvalidInput for a wrong option."""
    platform = get_platform(str(result["platform"]))
    given = {name: value for name, value in confirmed.options.items() if value}
    unknown = sorted(set(given) - {*platform.options, *platform.secret_options, *COMMON_OPTIONS})
    if unknown:
        known = ", ".join((*platform.options, *platform.secret_options)) or "none"
        raise InvalidInput(
            f"{platform.name} has no option {unknown[0]!r}", place="--set", remedy=f"its options: {known}"
        )
    given = {
        name: check_option(name, value) if name in COMMON_OPTIONS else value for name, value in given.items()
    }
    secrets = {key: given.pop(key) for key in platform.secret_options if key in given}
    return NewStore(
        url=str(result["url"]),
        platform=platform.name,
        name=confirmed.name or str(result.get("name") or "") or str(result["url"]).partition("//")[2],
        is_name_proposed=not confirmed.name,
        slug=confirmed.slug,
        country=confirmed.country,
        currency=confirmed.currency,
        crawl_interval=confirmed.crawl_interval,
        shipping=confirmed.shipping,
        shipping_source="operator" if confirmed.shipping else None,
        options={**platform.default_options, **(result.get("options") or {}), **given},
        secret_options=seal(secrets) if secrets else {},
        detection=result,
    )


def _audit(session: Session, account_id: int | None, action: str, subject: str) -> None:
    session.add(AuditEntryRow(account_id=account_id, action=action, subject=subject, detail={}))
