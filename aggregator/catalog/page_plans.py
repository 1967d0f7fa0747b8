"""Which pages a run fetches: new ones, changed ones, those due by how often their prices move, and a sample."""

from __future__ import annotations

import hashlib
import heapq
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from aggregator.domain.crawling import KnownSitemap, ListedPage

# A page is fetched at least this often, whatever its lastmod says.
LONGEST_UNCHECKED = timedelta(days=14)
# The part of the pages whose lastmod says "unchanged" that is fetched all the same, and the least number of them.
SAMPLE_SHARE = 0.02
LEAST_SAMPLE = 3
_LASTMOD = re.compile(r"(\d{4}-\d{2}-\d{2})([T ]\d{2}:\d{2}.*)?")


class KnownPage(NamedTuple):
    """One page as it was when a released run last fetched it."""

    url: str
    listed_in: bytes | None
    is_listed: bool
    lastmod: str | None
    is_read_alike: bool
    first_seen_at: datetime
    checked_at: datetime | None
    checks: int
    changes: int


class PlannedRow(NamedTuple):
    """One row of the frontier, before it has a position."""

    address_key: bytes
    url: str
    listed_in: bytes | None
    lastmod: str | None
    is_sample: bool


@dataclass(frozen=True, slots=True)
class PagePlan:
    """What a listing came to: pages to fetch in this order, pages no longer listed, and pages left for later.

    `listed` counts all pages of the listing; `skipped` those that lastmod says are unchanged; `postponed` those
    that the budget has no room for.
    """

    visits: list[PlannedRow]
    unlisted: list[PlannedRow]
    sitemaps: list[KnownSitemap]
    listed: int
    skipped: int
    postponed: int


def address_key(url: str) -> bytes:
    """What a page is known by: 16 bytes of its address's BLAKE2b."""
    return hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=16).digest()


class PagePlanner:
    """Takes a listing piece by piece and says in the end what to fetch. Touches no database.

    `seed` decides which pages are sampled; `budget` is how many pages may be fetched, None for all.
    """

    def __init__(
        self,
        known: Mapping[bytes, KnownPage],
        *,
        now: datetime,
        seed: str,
        trusts_lastmod: bool = True,
        budget: int | None = None,
    ) -> None:
        self._known = known
        self._now = now
        self._seed = seed.encode()
        self._trusts_lastmod = trusts_lastmod
        self._budget = budget
        self._seen: set[bytes] = set()
        self._due: list[tuple[float, PlannedRow]] = []
        self._unchanged: list[PlannedRow] = []
        self._sitemaps: list[KnownSitemap] = []
        self._by_sitemap: defaultdict[bytes, list[KnownPage]] | None = None

    def list_pages(self, sitemap: str, pages: Iterable[ListedPage]) -> None:
        """Pages that this sitemap lists."""
        source = address_key(sitemap)
        for page in pages:
            self._list(page.url, page.lastmod, source)

    def keep_sitemap(self, sitemap: KnownSitemap) -> None:
        """A sitemap that was not changed: it lists what it listed before."""
        self._sitemaps.append(sitemap)
        source = address_key(sitemap.url)
        if self._by_sitemap is None:
            self._by_sitemap = defaultdict(list)
            for page in self._known.values():
                if page.is_listed and page.listed_in is not None:
                    self._by_sitemap[page.listed_in].append(page)
        for page in self._by_sitemap.get(source, ()):
            self._list(page.url, page.lastmod, source)

    def read_sitemap(self, sitemap: KnownSitemap) -> None:
        """A sitemap that was read to its end, with what to ask for it by next time."""
        self._sitemaps.append(sitemap)

    def finish(self) -> PagePlan:
        """The plan, most urgent pages first."""
        count = max(LEAST_SAMPLE, math.ceil(len(self._unchanged) * SAMPLE_SHARE))
        sample = heapq.nsmallest(count, self._unchanged, key=self._lot)
        visits = [row for _, row in sorted(self._due, key=lambda due: -due[0])]
        if self._budget is not None:
            # The sample is what the rest of the savings rests on: it comes before the less urgent pages.
            visits = visits[: max(self._budget - len(sample), 0)]
            sample = sample[: self._budget]
        visits += [row._replace(is_sample=True) for row in sample]
        unlisted = [
            PlannedRow(key, page.url, page.listed_in, page.lastmod, False)
            for key, page in self._known.items()
            if page.is_listed and key not in self._seen
        ]
        postponed = len(self._due) + len(sample) - len(visits)
        return PagePlan(
            visits,
            unlisted,
            # Of a sitemap with pages that nobody knows yet an answer "not changed" would hide them.
            [] if postponed else self._sitemaps,
            listed=len(self._seen),
            skipped=len(self._unchanged) - len(sample),
            postponed=postponed,
        )

    def _list(self, url: str, lastmod: str | None, source: bytes) -> None:
        key = address_key(url)
        if key in self._seen:
            return
        self._seen.add(key)
        row = PlannedRow(key, url, source, lastmod, False)
        known = self._known.get(key)
        if known is None:
            self._due.append((math.inf, row))
        elif self._is_unchanged(known, lastmod, source):
            self._unchanged.append(row)
        else:
            is_told = lastmod is not None and known.lastmod is not None and lastmod != known.lastmod
            self._due.append((2.0 if is_told else self._chance_of_a_move(known), row))

    def _is_unchanged(self, known: KnownPage, lastmod: str | None, source: bytes) -> bool:
        if not self._trusts_lastmod or lastmod is None or lastmod != known.lastmod:
            return False
        if known.checked_at is None or self._now - known.checked_at > LONGEST_UNCHECKED:
            return False
        return (
            known.is_read_alike
            and known.is_listed
            and known.listed_in == source
            and is_telling(lastmod, known.checked_at)
        )

    def _chance_of_a_move(self, known: KnownPage) -> float:
        """How likely its price has moved since it was checked (0 to 1), from how often it did so far."""
        if known.checked_at is None:
            return 1.0
        hour = timedelta(hours=1)
        watched = max((known.checked_at - known.first_seen_at) / hour, 0.0)
        # Before anything is known, a page is expected to move once in ten days.
        moves_an_hour = (known.changes + 0.1) / (watched + 24.0)
        return 1.0 - math.exp(-moves_an_hour * max((self._now - known.checked_at) / hour, 0.0))

    def _lot(self, row: PlannedRow) -> bytes:
        return hashlib.blake2b(row.address_key, key=self._seed[:64], digest_size=8).digest()


def is_telling(lastmod: str, checked_at: datetime) -> bool:
    """Whether this lastmod, listed again unchanged, says that a page did not change since it was checked.

    A day without a time of day says nothing of changes later on that day, wherever the store's day begins.
    """
    found = _LASTMOD.fullmatch(lastmod.strip())
    if found is None:
        return False
    try:
        day = date.fromisoformat(found[1])
    except ValueError:
        return False
    checked_on = checked_at.astimezone(UTC).date()
    if day > checked_on + timedelta(days=1):
        return False
    return found[2] is not None or day + timedelta(days=1) < checked_on
