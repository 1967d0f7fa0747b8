"""What operators see: stores with their health, runs with their counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from aggregator.domain.schedules import Schedule

RunState = Literal["running", "finished", "held", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run and its counts: seen = new + changed + unchanged + held + quarantined."""

    id: str
    store_slug: str
    store_name: str
    state: RunState
    trigger: str
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    is_complete: bool
    requests: int
    seen: int
    new: int
    changed: int
    unchanged: int
    held: int
    quarantined: int
    gone: int
    problem: str | None
    # A person wants this held run accepted and a worker has not done it yet.
    is_being_accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSummary:
    """One store with what it offers now and how it fares. `last_run` is the newest run of any state."""

    id: str
    slug: str
    name: str
    url: str
    platform: str
    currency: str | None
    country: str | None
    is_active: bool
    shipping_known: bool
    offer_count: int
    checked_at: datetime | None
    next_crawl_at: datetime | None
    crawl_interval: int
    schedule: Schedule
    removal_asked_at: datetime | None
    last_run: RunSummary | None
    open_quarantine: int


CircuitState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """What else tells how a store fares. `recent_yields` are the readable offers of its last runs, oldest first.

    `usual_yield` is the median of the complete ones before the newest; None where there was none.
    """

    open_alarms: int = 0
    circuit: CircuitState = "closed"
    circuit_reason: str | None = None
    circuit_retry_at: datetime | None = None
    recent_yields: tuple[int, ...] = ()
    usual_yield: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The whole catalogue in six numbers."""

    stores: int
    offers: int
    products: int
    products_at_several_stores: int
    pending_offers: int
    open_reviews: int


@dataclass(frozen=True, slots=True)
class ReadingCandidate:
    """One of several values that a page gives for one field: which source says so, and where it stands."""

    field: str
    value: str
    source: str
    where: str


QuarantineState = Literal["open", "settled", "discarded", "replayed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedOffer:
    """What could not be read, with its reason and raw text; an ambiguous one has the candidates to choose from.

    `offer` is the raw offer by field, as far as there was one: without it there is nothing to replay. "settled" was
    read by a later run, "discarded" by a person for good, "replayed" was read again from what is kept here.
    """

    id: str
    store_slug: str
    store_name: str
    run: str
    external_id: str
    title: str
    url: str
    reason: str
    detail: str
    raw: str
    offer: Mapping[str, Any] | None
    state: QuarantineState
    created_at: datetime
    settled_at: datetime | None
    candidates: tuple[ReadingCandidate, ...] = ()

    @property
    def is_replayable(self) -> bool:
        """Whether enough was kept of it to be read again without the store."""
        return self.offer is not None and {"external_id", "url", "title"} <= self.offer.keys()


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """How many offers of one store wait for one reason."""

    store_slug: str
    store_name: str
    reason: str
    count: int
    newest_at: datetime


ProbeState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProbe:
    """An address that an operator asked about. `result` is what `probe --json` prints, once it is done.

    `store_slug` is the store that it became.
    """

    id: str
    url: str
    state: ProbeState
    created_at: datetime
    result: Mapping[str, Any] | None
    problem: str | None
    store_slug: str | None

    @property
    def is_readable(self) -> bool:
        """Whether the probe found a way to read the store."""
        return self.result is not None and self.result.get("platform") not in {None, "unknown"}
