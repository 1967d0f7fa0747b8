"""One run of one store, from its first request to its released offers."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from aggregator.catalog.ingest import IngestReport
from aggregator.catalog.runs import RunTicket, cancel_run, open_run
from aggregator.db.session import Sessions
from aggregator.domain.errors import Click2CartError, Conflict, NotFound, StoreError
from aggregator.domain.stores import Store
from aggregator.fetching import Fetcher
from aggregator.platforms import OfferSource, get_platform
from aggregator.secrets import StoreSecrets
from aggregator.settings import Settings
from spiders.crawl_process import crawl_lines
from spiders.item_lines import Counts, Ending
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
    with sessions.begin() as session:
        ticket = open_run(session, slug, trigger=trigger, worker=worker, only_if_due=only_if_due)
    if ticket is None:
        return None
    with OfferSink(sessions, ticket) as sink:
        try:
            problem = _read(settings, ticket, sink, progress or (lambda offers, requests: None))
        except Conflict:
            raise
        except KeyboardInterrupt:
            with suppress(NotFound), sessions.begin() as session:
                cancel_run(session, ticket.public_id)
            raise
        except StoreError as error:
            problem = str(error)
        except Click2CartError as error:
            sink.finish(is_complete=False, problem=str(error))
            raise
        except Exception as error:
            # A fault of ours or of a plug-in: the run is closed before it goes on its way.
            sink.finish(
                is_complete=False, problem=f"an error in the program: {type(error).__name__}: {error}"[:500]
            )
            raise
        return sink.finish(is_complete=problem is None, problem=problem)


def _read(settings: Settings, ticket: RunTicket, sink: OfferSink, progress: Progress) -> str | None:
    """Everything the store offers into the sink; what kept it from being everything, or None."""
    platform = get_platform(ticket.store.platform)
    store = opened_store(settings, ticket.store, platform.secret_options)
    if platform.source is not None:
        _read_source(settings, platform.source, store, sink, progress)
        return None
    assert platform.spider is not None, f"platform {platform.name} has neither source nor spider"
    return _read_spider(settings, platform.spider, store, sink, progress)


def opened_store(settings: Settings, store: Store, secret_options: tuple[str, ...]) -> Store:
    """The store with its secret options decrypted."""
    sealed = {name: store.options[name] for name in secret_options if name in store.options}
    if not sealed:
        return store
    return replace(store, options={**store.options, **StoreSecrets.from_settings(settings).open(sealed)})


def _read_source(
    settings: Settings, source: OfferSource, store: Store, sink: OfferSink, progress: Progress
) -> None:
    with Fetcher(settings) as fetcher:
        try:
            for offer in source.fetch_offers(store, fetcher):
                sink.requests, sink.bytes_received = fetcher.requests, fetcher.bytes_received
                sink.add(offer)
                if sink.added % _PROGRESS_EVERY == 0:
                    progress(sink.added, sink.requests)
        finally:
            sink.requests, sink.bytes_received = fetcher.requests, fetcher.bytes_received


def _read_spider(
    settings: Settings, spider: str, store: Store, sink: OfferSink, progress: Progress
) -> str | None:
    with crawl_lines(settings, store, spider) as lines:
        for line in lines:
            if isinstance(line, Counts):
                sink.requests, sink.bytes_received = line.requests, line.bytes_received
                sink.check()
            elif isinstance(line, Ending):
                return line.problem
            else:
                sink.add(line)
                if sink.added % _PROGRESS_EVERY == 0:
                    progress(sink.added, sink.requests)
    return "the crawl process ended before it was done"
