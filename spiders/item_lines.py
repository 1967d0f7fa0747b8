"""The lines that a crawl process writes: what is listed, pages with their offers, counts, and how it ended.

JSON, one object a line. The other way go jobs and pages to fetch, see `spiders.crawl_conversation`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import IO, Any

from aggregator.domain.crawling import KnownSitemap, ListedPage, PageVisit, Validators
from aggregator.domain.offers import InvalidOffer, RawOffer


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done so far; `seconds` by stage ("fetching", "reading")."""

    requests: int
    bytes_received: int
    not_modified: int = 0
    pages: int = 0
    pages_without_offers: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """Pages that a sitemap lists, some at a time."""

    sitemap: str
    pages: tuple[ListedPage, ...]


@dataclass(frozen=True, slots=True)
class SitemapRead:
    """A sitemap was read to its end; or, where it `is_unchanged`, it lists what it listed before."""

    sitemap: KnownSitemap
    is_unchanged: bool = False


@dataclass(frozen=True, slots=True)
class ListingRead:
    """There are no further sitemaps; `problem` is None only where all were read to their end."""

    problem: str | None


@dataclass(frozen=True, slots=True)
class VisitedPage:
    """What came of one page, with all of its offers."""

    visit: PageVisit
    offers: tuple[RawOffer | InvalidOffer, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How the crawl ended; `problem` is None only where the store was read completely.

    `retry_after` is the rest in seconds that the store asked for, `repeats` why requests were made again and how often.
    """

    problem: str | None
    retry_after: float | None = None
    repeats: Mapping[str, int] = field(default_factory=dict)


Line = RawOffer | InvalidOffer | Counts | Listed | SitemapRead | ListingRead | VisitedPage | Ending
_MOST_HELD = 16
_HELD_SECONDS = 0.05
_AMOUNTS = ("price", "list_price", "shipping_cost")


class LineWriter:
    """Writes lines to a pipe and hands each on at once."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self._held = 0
        self._flushed_at = 0.0

    def write(self, value: Line) -> None:
        """One line; raises BrokenPipeError where nobody reads any more."""
        self._output.write(to_line(value))
        self.flush()

    def write_soon(self, value: Line) -> None:
        """One line of many in a short time: some of them are handed on together, so that processes take fewer turns."""
        self._output.write(to_line(value))
        self._held += 1
        if self._held >= _MOST_HELD or time.monotonic() - self._flushed_at > _HELD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand on whatever is held."""
        self._output.flush()
        self._held, self._flushed_at = 0, time.monotonic()


def to_line(value: Line) -> str:
    """The value as its line. Decimals in the amounts of an offer stay told apart from text."""
    return _ENCODER.encode({type(value).__name__: _document(value)}) + "\n"


def _document(value: Any) -> dict[str, Any]:
    document = {name: getattr(value, name) for name in _FIELDS[type(value)]}
    if isinstance(value, RawOffer):
        for name in _AMOUNTS:
            if isinstance(document[name], Decimal):
                document[name] = {"decimal": str(document[name])}
    return document


def _as_document(value: Any) -> Any:
    if isinstance(value, RawOffer | InvalidOffer):
        return {type(value).__name__: _document(value)}
    if type(value) in _FIELDS:
        return _document(value)
    return dict(value) if isinstance(value, Mapping) else str(value)


_ENCODER = json.JSONEncoder(default=_as_document)


def from_line(line: str) -> Line:
    """The value of a line. Raises ValueError for anything that no LineWriter wrote."""
    return _from_wrapped(json.loads(line))


def _from_wrapped(wrapped: Any) -> Line:
    name, document = next(iter(wrapped.items()), ("", None)) if isinstance(wrapped, dict) else ("", None)
    build = _BUILDERS.get(name)
    if build is None or not isinstance(document, dict):
        raise ValueError(f"no line of a crawl: {str(wrapped)[:80]!r}")
    try:
        return build(document)
    except (TypeError, KeyError) as error:
        raise ValueError(f"no line of a crawl: {error}") from error


def _raw_offer(document: dict[str, Any]) -> RawOffer:
    for amount in _AMOUNTS:
        if isinstance(document.get(amount), dict):
            document[amount] = Decimal(document[amount]["decimal"])
    return RawOffer(**document)


def _validators(document: dict[str, Any]) -> Validators:
    return Validators(**document)


def _listed(document: dict[str, Any]) -> Listed:
    return Listed(document["sitemap"], tuple(ListedPage(**page) for page in document["pages"]))


def _sitemap_read(document: dict[str, Any]) -> SitemapRead:
    sitemap = document["sitemap"]
    known = KnownSitemap(sitemap["url"], _validators(sitemap["validators"]), tuple(sitemap["children"]))
    return SitemapRead(known, document["is_unchanged"])


def _visited_page(document: dict[str, Any]) -> VisitedPage:
    visit = document["visit"]
    offers = [_from_wrapped(offer) for offer in document["offers"]]
    return VisitedPage(
        PageVisit(
            **{**visit, "validators": _validators(visit["validators"]), "holds": tuple(visit["holds"])}
        ),
        tuple(offer for offer in offers if isinstance(offer, RawOffer | InvalidOffer)),
    )


_BUILDERS: Mapping[str, Callable[[dict[str, Any]], Line]] = {
    "RawOffer": _raw_offer,
    "InvalidOffer": lambda document: InvalidOffer(**document),
    "Counts": lambda document: Counts(**document),
    "Listed": _listed,
    "SitemapRead": _sitemap_read,
    "ListingRead": lambda document: ListingRead(**document),
    "VisitedPage": _visited_page,
    "Ending": lambda document: Ending(**document),
}
_FIELDS: Mapping[type, tuple[str, ...]] = {
    kind: tuple(each.name for each in fields(kind))
    for kind in (
        RawOffer, InvalidOffer, Counts, Listed, SitemapRead, ListingRead, VisitedPage, Ending, PageVisit, Validators,
        ListedPage, KnownSitemap,
    )
}  # fmt: skip
