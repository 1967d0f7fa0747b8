"""The pages of one crawl: what the listing names, what of it is fetched, and what came of it.

The crawl process only lists and fetches; which pages are worth it is decided here, beside the database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from aggregator.catalog.circuits import find_crawl_state
from aggregator.catalog.page_plans import KnownPage, PagePlan, PagePlanner
from aggregator.catalog.page_visits import (
    feed_validators,
    frontier_problem,
    has_frontier,
    keep_feed,
    keep_frontier,
    known_pages,
    known_sitemaps,
    reader_of,
    requests_since,
    waiting_pages,
)
from aggregator.catalog.runs import RunTicket
from aggregator.db.session import Sessions
from aggregator.domain.crawling import (
    NO_VALIDATORS,
    FeedVisit,
    KnownSitemap,
    ListedPage,
    PageVisit,
    PlannedPage,
    Validators,
)

_CHUNK = 1000


class PageFrontier:
    """In memory and without a past: every listed page is fetched once. A base for one that remembers."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.plan: PagePlan | None = None
        self.feed: FeedVisit | None = None
        self.pages_read = self.pages_without_offers = 0
        self._waiting: deque[PlannedPage] = deque()
        self._visits: list[PageVisit] = []
        self._planner = self._new_planner()

    @property
    def is_listed(self) -> bool:
        """Whether the listing was read to its end already."""
        return self.plan is not None

    @property
    def listed(self) -> int | None:
        """How many pages the listing names, as far as it was read here."""
        return self.plan.listed if self.plan is not None else None

    @property
    def sitemaps(self) -> list[KnownSitemap]:
        """Sitemaps that can be asked for conditionally."""
        return []

    def list_pages(self, sitemap: str, pages: Iterable[ListedPage]) -> None:
        """Pages that this sitemap lists."""
        self._planner.list_pages(sitemap, pages)

    def note_sitemap(self, sitemap: KnownSitemap, *, is_unchanged: bool) -> None:
        """A sitemap that was read to its end, or that is as it was."""
        if is_unchanged:
            self._planner.keep_sitemap(sitemap)
        else:
            self._planner.read_sitemap(sitemap)

    def close_listing(self, problem: str | None) -> None:
        """Every sitemap was read; decide what to fetch."""
        self.problem = problem
        self.plan = self._planner.finish()
        self._keep(self.plan)

    def take(self, count: int) -> list[PlannedPage]:
        """The next pages to fetch; none when all were handed out."""
        while len(self._waiting) < count and self._load():
            pass
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

    def pages(self) -> Iterator[PlannedPage]:
        """All pages to fetch, one after the other."""
        while pages := self.take(1):
            yield from pages

    def note(self, visit: PageVisit) -> None:
        """What came of a page that was taken; the offers it yielded went out before."""
        self._visits.append(visit)

    def pop_visits(self) -> list[PageVisit]:
        """What was noted since this was last asked for."""
        noted, self._visits = self._visits, []
        return noted

    def feed_validators(self, url: str) -> Validators:
        """What a feed can be asked for by."""
        return NO_VALIDATORS

    def _new_planner(self) -> PagePlanner:
        return PagePlanner({}, now=datetime.now(UTC), seed="")

    def _keep(self, plan: PagePlan) -> None:
        self._waiting.extend(PlannedPage(position, row.url) for position, row in enumerate(plan.visits))

    def _load(self) -> bool:
        return False


class StoredFrontier(PageFrontier):
    """A run's frontier in the database: known pages are asked for conditionally, a dead run is taken up."""

    def __init__(self, sessions: Sessions, ticket: RunTicket) -> None:
        self._sessions = sessions
        self._ticket = ticket
        self._reader = reader_of(ticket.store)
        self._after = -1
        self._known: dict[bytes, KnownPage] = {}
        with sessions.begin() as session:
            self._is_taken_up = has_frontier(session, ticket.run_id)
            self._sitemaps = known_sitemaps(session, ticket.store_id)
            self._state = find_crawl_state(session, ticket.store_id)
            if not self._is_taken_up:
                self._known = known_pages(session, ticket.store_id, reader=self._reader)
            problem = frontier_problem(session, ticket.run_id)
            since = datetime.now(UTC) - timedelta(days=1)
            self._spent = requests_since(session, ticket.store_id, since)
        super().__init__()
        self.problem = problem

    @property
    def is_listed(self) -> bool:
        """Whether this run, or a dead reader before it, read the listing to its end."""
        return self._is_taken_up or self.plan is not None

    @property
    def sitemaps(self) -> list[KnownSitemap]:
        """Those of the run that was released last."""
        return self._sitemaps

    def feed_validators(self, url: str) -> Validators:
        """Those of the run that was released last, if nothing else changed the catalogue since."""
        with self._sessions.begin() as session:
            return feed_validators(session, self._ticket.store_id, url, reader=self._reader)

    def keep_feed(self) -> None:
        """Write down what came of the run's feed, when all of it was handed on."""
        if self.feed is not None:
            with self._sessions.begin() as session:
                keep_feed(session, self._ticket.run_id, self.feed, reader=self._reader)

    def _new_planner(self) -> PagePlanner:
        options = self._ticket.store.options
        daily = options.get("daily_requests", "")
        word = options.get("lastmod", "")
        return PagePlanner(
            self._known,
            now=datetime.now(UTC),
            seed=self._ticket.public_id,
            trusts_lastmod=word == "trust" or (word != "ignore" and self._state.lastmod != "ignored"),
            budget=max(int(daily) - self._spent, 0) if daily.isdecimal() else None,
        )

    def _keep(self, plan: PagePlan) -> None:
        with self._sessions.begin() as session:
            keep_frontier(session, self._ticket.run_id, plan, reader=self._reader, problem=self.problem)
        self._known = {}
        self._planner = PagePlanner({}, now=datetime.now(UTC), seed="")

    def _load(self) -> bool:
        with self._sessions.begin() as session:
            pages = waiting_pages(
                session,
                self._ticket.run_id,
                self._ticket.store_id,
                after=self._after,
                limit=_CHUNK,
                reader=self._reader,
            )
        self._waiting.extend(pages)
        if pages:
            self._after = pages[-1].position
        return bool(pages)
