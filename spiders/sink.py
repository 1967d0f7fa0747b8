"""Where offers go from a crawl: batch by batch into their run's staging rows, each batch a transaction."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy.exc import OperationalError

from aggregator.catalog.ingest import IngestReport, release_run, stage_offers
from aggregator.catalog.page_visits import note_visits
from aggregator.catalog.runs import RunTicket, beat, note_stages, write_log
from aggregator.db.session import Sessions
from aggregator.domain.crawling import PageVisit
from aggregator.domain.errors import Conflict
from aggregator.domain.normalization import safe_json
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.runs import CrawlCounts, LogLevel, LogLine

_BEAT_SECONDS = 5.0
# What waits longer than this is written, so that a reader that dies loses little.
_FLUSH_SECONDS = 0.5
_MOST_PAGES_WAITING = 50


class OfferSink:
    """Stages the offers of one run. While it is open, a thread keeps the run alive however slow the store is.

    Set `counts` (this reader's totals) as the crawl goes on. `add`, `add_page`, `flush` and `finish` raise
    Conflict once the run was cancelled or taken over; then the crawl must stop.
    """

    def __init__(self, sessions: Sessions, ticket: RunTicket, *, batch: int = 500) -> None:
        self.counts = CrawlCounts()
        self.added = 0
        # Pages of which all offers were added since this was last asked.
        self.walked: Callable[[], list[PageVisit]] = list
        self._sessions = sessions
        self._ticket = ticket
        self._batch = batch
        self._waiting: list[RawOffer | InvalidOffer] = []
        self._visits: list[PageVisit] = []
        self._lines: list[LogLine] = []
        self._flushed_at = time.monotonic()
        self._staging_seconds = 0.0
        self._is_over = threading.Event()
        self._lost: Conflict | None = None
        self._heart = threading.Thread(target=self._keep_alive, name=f"run {ticket.public_id}", daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._heart.join()

    @property
    def requests(self) -> int:
        """Requests of the run so far, those of readers that died included."""
        return self._ticket.counts.requests + self.counts.requests

    def add(self, offer: RawOffer | InvalidOffer) -> None:
        """Take one offer; it is written with a `batch` of others, or soon."""
        self.check()
        self._take(offer)
        is_late = time.monotonic() - self._flushed_at > _FLUSH_SECONDS
        if len(self._waiting) >= self._batch or is_late:
            self.flush()

    def add_page(self, visit: PageVisit, offers: Sequence[RawOffer | InvalidOffer]) -> None:
        """Take a whole page: its offers and what came of it are written together, soon or with many others."""
        self.check()
        for offer in offers:
            self._take(offer)
        self._visits.append(visit)
        is_late = time.monotonic() - self._flushed_at > _FLUSH_SECONDS
        if is_late or len(self._waiting) >= self._batch or len(self._visits) >= _MOST_PAGES_WAITING:
            self.flush()

    def log(self, level: LogLevel, message: str, **data: object) -> None:
        """A line for the run's log; written with the next batch."""
        self._lines.append(LogLine(at=datetime.now(UTC), level=level, message=message, data=data))

    def check(self) -> None:
        """Raise Conflict where the heartbeat found the run cancelled or taken over."""
        if self._lost is not None:
            raise self._lost

    def flush(self) -> None:
        """Write what waits, in a transaction of its own."""
        self.check()
        self._visits += self.walked()
        if not self._waiting and not self._visits and not self._lines:
            return
        began = time.monotonic()
        with self._sessions.begin() as session:
            stage_offers(session, self._ticket, self._waiting, self._totals())
            note_visits(session, self._ticket.run_id, self._visits)
            write_log(session, self._ticket.run_id, self._lines)
        self._waiting, self._visits, self._lines = [], [], []
        self._flushed_at = time.monotonic()
        self._staging_seconds += self._flushed_at - began

    def finish(self, *, is_complete: bool, problem: str | None = None) -> IngestReport:
        """Write the rest and have the run judged and released."""
        self.flush()
        began = time.monotonic()
        with self._sessions.begin() as session:
            beat(session, self._ticket, self._totals())
            report = release_run(session, self._ticket, is_complete=is_complete, problem=problem)
            totals = self._totals(releasing=time.monotonic() - began)
            note_stages(session, self._ticket.run_id, totals.stage_seconds)
        return report

    def _take(self, offer: RawOffer | InvalidOffer) -> None:
        self._waiting.append(_storable(offer) if isinstance(offer, InvalidOffer) else offer)
        self.added += 1

    def _totals(self, *, releasing: float = 0.0) -> CrawlCounts:
        """This reader's counts and those of its dead predecessors."""
        before, own = self._ticket.counts, self.counts
        stages = Counter(before.stage_seconds)
        stages.update(own.stage_seconds)
        stages.update({"staging": self._staging_seconds, "releasing": releasing})
        return CrawlCounts(
            requests=before.requests + own.requests,
            bytes_received=before.bytes_received + own.bytes_received,
            not_modified=before.not_modified + own.not_modified,
            pages=before.pages + own.pages,
            pages_without_offers=before.pages_without_offers + own.pages_without_offers,
            listed=own.listed,
            stage_seconds=dict(stages),
        )

    def _keep_alive(self) -> None:
        while not self._is_over.wait(_BEAT_SECONDS):
            try:
                with self._sessions.begin() as session:
                    beat(session, self._ticket, self._totals())
            except Conflict as error:
                # After the end of the run a last beat finds it closed: that is no loss.
                self._lost = None if self._is_over.is_set() else error
                return
            except OperationalError:
                continue  # The database may come back; writing offers will tell if it does not.


def _storable(offer: InvalidOffer) -> InvalidOffer:
    return replace(
        offer,
        external_id=clean_text(offer.external_id, 500),
        title=clean_text(offer.title, 500),
        url=clean_text(offer.url, 2000),
        reason=clean_text(offer.reason, 100),
        detail=clean_text(offer.detail),
        raw=safe_json(dict(offer.raw)),
    )
