"""Where offers go from a crawl: batch by batch into their run's staging rows, each batch a transaction."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import TracebackType
from typing import Self

from sqlalchemy.exc import OperationalError

from aggregator.catalog.ingest import IngestReport, release_run, stage_offers
from aggregator.catalog.runs import RunTicket, beat
from aggregator.db.session import Sessions
from aggregator.domain.errors import Conflict
from aggregator.domain.normalization import safe_json
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.runs import CrawlCounts

_BEAT_SECONDS = 5.0


class OfferSink:
    """Stages the offers of one run. While it is open, a thread keeps the run alive however slow the store is.

    Set `requests` and `bytes_received` (totals) as the crawl goes on. `add`, `flush` and `finish` raise
    Conflict once the run was cancelled or taken over; then the crawl must stop.
    """

    def __init__(self, sessions: Sessions, ticket: RunTicket, *, batch: int = 500) -> None:
        self.requests = 0
        self.bytes_received = 0
        self.added = 0
        self._sessions = sessions
        self._ticket = ticket
        self._batch = batch
        self._waiting: list[RawOffer | InvalidOffer] = []
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

    def add(self, offer: RawOffer | InvalidOffer) -> None:
        """Take one offer; every `batch` of them are written."""
        self.check()
        self._waiting.append(_storable(offer) if isinstance(offer, InvalidOffer) else offer)
        self.added += 1
        if len(self._waiting) >= self._batch:
            self.flush()

    def check(self) -> None:
        """Raise Conflict where the heartbeat found the run cancelled or taken over."""
        if self._lost is not None:
            raise self._lost

    def flush(self) -> None:
        """Write what waits, in a transaction of its own."""
        self.check()
        if not self._waiting:
            return
        with self._sessions.begin() as session:
            stage_offers(session, self._ticket, self._waiting, self._counts())
        self._waiting = []

    def finish(self, *, is_complete: bool, problem: str | None = None) -> IngestReport:
        """Write the rest and have the run judged and released."""
        self.flush()
        with self._sessions.begin() as session:
            beat(session, self._ticket, self._counts())
            return release_run(session, self._ticket, is_complete=is_complete, problem=problem)

    def _counts(self) -> CrawlCounts:
        return CrawlCounts(requests=self.requests, bytes_received=self.bytes_received)

    def _keep_alive(self) -> None:
        while not self._is_over.wait(_BEAT_SECONDS):
            try:
                with self._sessions.begin() as session:
                    beat(session, self._ticket, self._counts())
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
        offer=None if offer.offer is None else safe_json(dict(offer.offer)),
    )
