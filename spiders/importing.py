"""Taking a feed by hand, from a file or an address, into its store: staged, judged and released like a crawl."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from aggregator.catalog.imports import find_store, open_import
from aggregator.catalog.ingest import IngestReport
from aggregator.catalog.stores import NewStore
from aggregator.db.session import Sessions
from aggregator.domain.errors import Click2CartError, Conflict, InvalidInput, StoreError
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.runs import CrawlCounts
from aggregator.domain.stores import Store
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import Fetcher
from aggregator.settings import Settings
from spiders.adapters.merchant_feed import platform, read_item
from spiders.feed_columns import FeedColumns, read_columns
from spiders.feed_rows import read_rows
from spiders.runner import Progress
from spiders.saved_answers import file_pieces
from spiders.sink import OfferSink

# So many items without a link are looked through for the store's address.
_LOOKED_THROUGH = 1000
_PROGRESS_EVERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What is asked for: `place` is a file or an address; what is left out is read from the feed."""

    place: str
    slug: str | None = None
    url: str | None = None
    name: str | None = None
    currency: str | None = None
    country: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_address(self) -> bool:
        """Whether the feed is fetched rather than opened."""
        return "://" in self.place


def import_feed(
    settings: Settings, sessions: Sessions, asked: ImportRequest, *, progress: Progress | None = None
) -> tuple[Store, IngestReport]:
    """Read the whole feed into its store and release it; offers of the store that it does not list are gone.

    A feed that ends in the middle gives a report with state "failed": what was read is released, nothing is gone.
    Raises InvalidInput, StoreError where not even its beginning can be read, Conflict where a run reads the store.
    """
    known = None
    if asked.slug:
        with sessions.begin() as session:
            known = find_store(session, asked.slug)
    options = {**({} if known is None else known.options), **asked.options}
    columns = read_columns(options.get("columns"))
    with _opened(settings, asked, columns, asked.country or (known.country if known else None)) as (
        offers,
        fetcher,
    ):
        first, offers = _first_of(offers, asked.place)
        new = _store_of(settings, asked, known, first)
        with sessions.begin() as session:
            ticket = open_import(session, new, worker=f"{socket.gethostname()}:{os.getpid()}")
        with OfferSink(sessions, ticket) as sink:
            problem = _drain(offers, sink, fetcher, progress or (lambda offers, requests: None))
            return ticket.store, sink.finish(is_complete=problem is None, problem=problem)


def _drain(
    offers: Iterable[RawOffer | InvalidOffer], sink: OfferSink, fetcher: Fetcher | None, progress: Progress
) -> str | None:
    """Everything into the sink; what kept it from being everything, or None."""
    try:
        for offer in offers:
            if fetcher is not None:
                sink.counts = CrawlCounts(requests=fetcher.requests, bytes_received=fetcher.bytes_received)
            sink.add(offer)
            if sink.added % _PROGRESS_EVERY == 0:
                progress(sink.added, sink.requests)
    except Conflict:
        raise
    except StoreError as error:
        return str(error)
    except OSError as error:
        return f"the file cannot be read on ({error})"
    except Exception as error:
        # A fault of ours or of the database: the run is closed before it goes on its way.
        said = str(error) if isinstance(error, Click2CartError) else f"{type(error).__name__}: {error}"[:500]
        sink.finish(is_complete=False, problem=said)
        raise
    return None


@contextmanager
def _opened(
    settings: Settings, asked: ImportRequest, columns: FeedColumns, country: str | None
) -> Iterator[tuple[Iterator[RawOffer | InvalidOffer], Fetcher | None]]:
    """The feed's offers, and the fetcher that brings them, if one does."""
    base = asked.url or "https://store.invalid/"
    if asked.is_address:
        with Fetcher(settings) as fetcher:
            rows = read_rows(fetcher.stream(asked.place), url=asked.place, columns=columns)
            yield (read_item(row, asked.place, country=country) for row in rows), fetcher
        return
    file = Path(asked.place)
    if not file.is_file():
        raise InvalidInput(
            "there is no such file", place=asked.place, remedy="give a file or an address with https://"
        )
    rows = read_rows(file_pieces(file), url=asked.place, columns=columns)
    yield (read_item(row, base, country=country) for row in rows), None


def _first_of(
    offers: Iterator[RawOffer | InvalidOffer], place: str
) -> tuple[RawOffer, Iterator[RawOffer | InvalidOffer]]:
    """The first item that can be sold, and all items from the first on."""
    looked_at: list[RawOffer | InvalidOffer] = []
    try:
        for offer in offers:
            looked_at.append(offer)
            if isinstance(offer, RawOffer):
                return offer, chain(looked_at, offers)
            if len(looked_at) >= _LOOKED_THROUGH:
                break
    except OSError as error:
        raise InvalidInput(f"cannot be read ({error})", place=place) from error
    reason = f": {looked_at[0].detail}" if looked_at and isinstance(looked_at[0], InvalidOffer) else ""
    raise InvalidInput(
        f"holds no item with an id, a title and a link{reason}", place=place,
        remedy='name its columns with --set columns="id=…, title=…, link=…, price=…"',
    )  # fmt: skip


def _store_of(settings: Settings, asked: ImportRequest, known: Store | None, first: RawOffer) -> NewStore:
    root = asked.url or (known.url if known else first.url)
    unknown = sorted(set(asked.options) - set(platform.options))
    if unknown:
        raise InvalidInput(
            f"a feed has no option {unknown[0]!r}",
            place="--set",
            remedy=f"its options: {', '.join(platform.options)}",
        )
    address = read_web_address(root)
    return NewStore(
        url=address.origin,
        platform=platform.name,
        name=asked.name or (known.name if known else address.host.removeprefix("www.")),
        slug=asked.slug,
        country=asked.country,
        currency=asked.currency or (None if known and known.currency else first.price_currency),
        crawl_interval=settings.crawl_interval,
        options={**({"feed_url": asked.place} if asked.is_address else {}), **asked.options},
    )
