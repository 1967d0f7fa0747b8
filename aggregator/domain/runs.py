"""What a run counts while it reads, and what operators read of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from aggregator.domain.operations import RunSummary

LogLevel = Literal["info", "warning", "error"]
Stage = Literal["fetching", "reading", "staging", "releasing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlCounts:
    """What a crawl has done since its run began; totals, never differences.

    `pages` were read as offers' pages, `pages_without_offers` of them gave none; `not_modified` were answered with
    304. `listed` is how many offers or pages the store's listing names, None where it does not say.
    `stage_seconds` is by stage: "fetching", "reading", "staging", "releasing".
    """

    requests: int = 0
    bytes_received: int = 0
    not_modified: int = 0
    pages: int = 0
    pages_without_offers: int = 0
    listed: int | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a run's log. `data` holds what a program would want to read of it."""

    at: datetime
    level: LogLevel
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Why a run, or one part of it, is not to be believed: `kind`, a sentence, and the figures it rests on.

    Kinds: "vanished", "yield_collapse", "currency_flip", "prices_moved", "price_scale", "out_of_stock", "implausible".
    `part` is the part of the store it was seen in (a source or category), "" for the whole.
    """

    kind: str
    message: str
    figures: Mapping[str, Any]
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferChange:
    """One offer before and after a run; `before` is None for a new offer, `after` for one that went."""

    external_id: str
    title: str
    url: str
    before: Decimal | None
    after: Decimal | None
    price_currency: str
    availability_before: str | None
    availability_after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDifference:
    """What a run would change, or has changed, of what the store offered before; counts of offers.

    `samples` are the largest changes of price, at most 20.
    """

    risen: int = 0
    fallen: int = 0
    currency_changed: int = 0
    sold_out: int = 0
    back_in_stock: int = 0
    returned: int = 0
    samples: tuple[OfferChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """One run as its page shows it.

    `rejected` counts quarantined offers by reason; `before` is the released run before it; `progress` (0..1) is an
    estimate from what the listing or that run counted, None where nothing is known; `log` is its newest lines, oldest
    first, `log_lines` how many there are.
    """

    run: RunSummary
    counts: CrawlCounts
    rejected: Mapping[str, int]
    anomalies: tuple[Anomaly, ...]
    difference: RunDifference | None
    before: RunSummary | None
    before_counts: CrawlCounts | None
    log: tuple[LogLine, ...]
    log_lines: int
    progress: float | None
    attempt: int
    worker: str | None
