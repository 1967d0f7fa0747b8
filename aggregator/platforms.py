"""The plug-in contract of a store platform, and the registry of those installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

from aggregator.domain.errors import NotFound
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import Detection, HandOff, HandOffKind, HandOffLine, Page, Store
from aggregator.fetching import Fetcher

log = logging.getLogger("click2cart.platforms")

ENTRY_POINT_GROUP = "click2cart.platforms"


class Evidence(Protocol):
    """What detection may look at: the home page, and a few more polite requests."""

    @property
    def home(self) -> Page:
        """The store's first page, after redirects."""

    def get(self, path: str) -> Page | None:
        """One more request on the store's own host, answered once; None when refused, failed or over budget."""

    def post_json(self, path: str, document: Any) -> Page | None:
        """As `get`, with a posted question that changes nothing, such as a GraphQL query."""


class OfferSource(Protocol):
    """Reads a whole store over its API."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every offer, streamed. Ending normally says that all listings were read to their end.

        Raises StoreError where the store cannot be read on; what was yielded before stays staged.
        """


CheckOffers = Callable[[Store, Sequence[HandOffLine], Fetcher], list[OfferState]]


@dataclass(frozen=True, slots=True)
class HandOffBuilder:
    """`kind` is the best this platform can do; `build` may fall back to product links for some lines."""

    kind: HandOffKind
    build: Callable[[Store, Sequence[HandOffLine]], HandOff]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlatform:
    """One store platform, by composition. Either `source` (an API) or `spider` ("module:Class", Scrapy)."""

    name: str
    title: str
    detect: Callable[[Evidence], Detection]
    source: OfferSource | None = None
    spider: str | None = None
    check_offers: CheckOffers
    handoff: HandOffBuilder
    options: tuple[str, ...] = ()
    secret_options: tuple[str, ...] = ()
    # What every store of the platform begins with, however it was found, such as how old a licence lets prices be.
    default_options: Mapping[str, str] = field(default_factory=dict)


@cache
def installed_platforms() -> dict[str, StorePlatform]:
    """Every installed platform by name, sorted. One that cannot be loaded is logged and left out."""
    found = []
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            found.append(entry_point.load())
        except Exception:
            # A plug-in of somebody else's may fail in any way, and the site must not fail with it.
            log.exception("the store platform %s cannot be loaded", entry_point.name)
    return {platform.name: platform for platform in sorted(found, key=lambda platform: platform.name)}


def find_platform(name: str) -> StorePlatform | None:
    """The platform of that name; None where its plug-in is not installed here, or cannot be loaded."""
    return installed_platforms().get(name)


def get_platform(name: str) -> StorePlatform:
    """The platform of that name; raises NotFound."""
    platform = find_platform(name)
    if platform is None:
        raise NotFound("store platform", name)
    return platform
