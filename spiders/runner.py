"""One run of one store, from its first request to its released offers."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from aggregator.catalog.circuits import (
    begin_try,
    find_crawl_state,
    lastmod_notice,
    note_answer,
    note_silence,
    rest_store,
)
from aggregator.catalog.host_politeness import SharedHosts, opted_out_hosts
from aggregator.catalog.ingest import IngestReport
from aggregator.catalog.runs import RunTicket, cancel_run, open_run
from aggregator.db.session import Sessions
from aggregator.domain.errors import Click2CartError, Conflict, NotFound, StoreError, Throttled
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.runs import CrawlCounts
from aggregator.domain.stores import Store
from aggregator.fetching import Fetcher
from aggregator.fetching.politeness import SHARED_POLITENESS
from aggregator.platforms import OfferSource, get_platform
from aggregator.secrets import StoreSecrets
from aggregator.settings import Settings
from spiders.crawl_conversation import crawl_lines
from spiders.frontier import StoredFrontier
from spiders.item_lines import Counts, Ending, VisitedPage
from spiders.page_walks import walking
from spiders.sink import OfferSink

# Told (offers read so far, requests made so far) as a crawl goes on.
Progress = Callable[[int, int], None]
_PROGRESS_EVERY = 50


def crawl_store(
    settings: Settings,
    sessions: Sessions,
    slug: str,
    *,
    trigger: str,
    only_if_due: bool = False,
    progress: Progress | None = None,
) -> IngestReport | None:
    """Read a store and release what it offers; no network inside of any transaction.

    None only with `only_if_due`, for a store that is not due. A store that could not be read to its end
    gives a report with state "failed" and its problem; Ctrl-C cancels the run. Raises NotFound, and
    Conflict where another run reads the store or this one was cancelled or taken over.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    SHARED_POLITENESS.share(SharedHosts(sessions))
    with sessions.begin() as session:
        ticket = open_run(session, slug, trigger=trigger, worker=worker, only_if_due=only_if_due)
        if ticket is None:
            return None
        is_try = begin_try(session, ticket.store_id)
        never_fetch = settings.never_fetch | opted_out_hosts(session).keys()
    reading = _Reading(replace(settings, never_fetch=never_fetch), sessions, ticket)
    with OfferSink(sessions, ticket) as sink:
        if is_try:
            sink.log(
                "warning", "The store did not answer in earlier runs; this run tries whether it does now."
            )
        try:
            problem = reading.read(sink, progress or (lambda offers, requests: None))
        except Conflict:
            raise
        except KeyboardInterrupt:
            with suppress(NotFound), sessions.begin() as session:
                cancel_run(session, ticket.public_id)
            raise
        except StoreError as error:
            problem = str(error)
            reading.retry_after = error.retry_after if isinstance(error, Throttled) else None
        except Click2CartError as error:
            sink.finish(is_complete=False, problem=str(error))
            raise
        except Exception as error:
            # A fault of ours or of a plug-in: the run is closed before it goes on its way.
            sink.finish(
                is_complete=False, problem=f"an error in the program: {type(error).__name__}: {error}"[:500]
            )
            raise
        reading.note_outcome(sink, problem)
        return sink.finish(is_complete=problem is None, problem=problem)


class _Reading:
    """One store read into a sink; afterwards `retry_after` is the rest in seconds that the store asked for."""

    def __init__(self, settings: Settings, sessions: Sessions, ticket: RunTicket) -> None:
        self.retry_after: float | None = None
        self.repeats: Mapping[str, int] = {}
        self._settings = settings
        self._sessions = sessions
        self._ticket = ticket

    def read(self, sink: OfferSink, progress: Progress) -> str | None:
        """Everything the store offers into the sink; what kept it from being everything, or None."""
        platform = get_platform(self._ticket.store.platform)
        store = opened_store(self._settings, self._ticket.store, platform.secret_options)
        frontier = StoredFrontier(self._sessions, self._ticket)
        if platform.source is not None:
            with walking(frontier):
                self._read_source(platform.source, store, frontier, sink, progress)
            frontier.keep_feed()
            return None
        assert platform.spider is not None, f"platform {platform.name} has neither source nor spider"
        return self._read_spider(platform.spider, store, frontier, sink, progress)

    def _read_source(
        self, source: OfferSource, store: Store, frontier: StoredFrontier, sink: OfferSink, progress: Progress
    ) -> None:
        began = time.monotonic()
        sink.walked = frontier.pop_visits

        def count() -> None:
            took = time.monotonic() - began
            sink.counts = CrawlCounts(
                requests=fetcher.requests,
                bytes_received=fetcher.bytes_received,
                not_modified=fetcher.not_modified,
                pages=frontier.pages_read,
                pages_without_offers=frontier.pages_without_offers,
                listed=frontier.listed,
                stage_seconds={"fetching": fetcher.seconds, "reading": max(took - fetcher.seconds, 0.0)},
            )

        with Fetcher(self._settings) as fetcher:
            try:
                for offer in source.fetch_offers(store, fetcher):
                    count()
                    sink.add(offer)
                    if sink.added % _PROGRESS_EVERY == 0:
                        progress(sink.added, sink.requests)
            finally:
                count()
                self.repeats = fetcher.repeats

    def _read_spider(
        self, spider: str, store: Store, frontier: StoredFrontier, sink: OfferSink, progress: Progress
    ) -> str | None:
        told = 0
        with crawl_lines(self._settings, store, spider, frontier) as lines:
            for line in lines:
                if isinstance(line, Counts):
                    sink.counts = CrawlCounts(
                        requests=line.requests,
                        bytes_received=line.bytes_received,
                        not_modified=line.not_modified,
                        pages=line.pages,
                        pages_without_offers=line.pages_without_offers,
                        listed=frontier.listed,
                        stage_seconds=line.seconds,
                    )
                    sink.check()
                elif isinstance(line, Ending):
                    self.retry_after, self.repeats = line.retry_after, line.repeats
                    return line.problem
                elif isinstance(line, VisitedPage):
                    sink.add_page(line.visit, line.offers)
                elif isinstance(line, RawOffer | InvalidOffer):
                    sink.add(line)
                if sink.added - told >= _PROGRESS_EVERY:
                    told = sink.added
                    progress(sink.added, sink.requests)
        return "the crawl process ended before it was done"

    def note_outcome(self, sink: OfferSink, problem: str | None) -> None:
        """Tell the store's circuit whether it answered, and the log what the run should be remembered for."""
        counts = sink.counts
        is_answered = problem is None or bool(sink.added or counts.pages or counts.not_modified)
        store_id = self._ticket.store_id
        with self._sessions.begin() as session:
            if is_answered:
                note_answer(session, store_id)
                if self.retry_after is not None:
                    rest_store(session, store_id, self.retry_after)
                state = find_crawl_state(session, store_id)
            else:
                state = note_silence(session, store_id, problem or "", retry_after=self.retry_after)
        if self.repeats:
            why = ", ".join(f"{words} ({times}×)" for words, times in sorted(self.repeats.items()))
            sink.log("warning", f"Requests were made again: {why}.", **self.repeats)
        if problem is not None:
            sink.log("error", problem)
        if state.circuit == "open" and state.retry_at is not None:
            sink.log(
                "warning",
                f"The store did not answer {state.failures} times in a row; it is left alone until "
                f"{state.retry_at:%Y-%m-%d %H:%M} UTC.",
                failures=state.failures,
            )
        notice = lastmod_notice(state)
        if notice is not None:
            sink.log(notice.level, notice.message, **notice.data)


def opened_store(settings: Settings, store: Store, secret_options: tuple[str, ...]) -> Store:
    """The store with its secret options decrypted."""
    sealed = {name: store.options[name] for name in secret_options if name in store.options}
    if not sealed:
        return store
    return replace(store, options={**store.options, **StoreSecrets.from_settings(settings).open(sealed)})
