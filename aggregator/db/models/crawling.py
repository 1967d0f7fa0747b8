"""What a crawl knows of a store between runs: its pages, where a run is, what its host asked for, its circuit."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, PrimaryKeyConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Row


class PageRow(Row):
    """One page, sitemap or feed of a store, as of the last released run that fetched it."""

    __tablename__ = "pages"
    __table_args__ = (
        Index("uq_pages_store_id_address_key", "store_id", "address_key", unique=True),
        CheckConstraint("kind in ('page', 'sitemap', 'feed')", name="kind"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"))
    # 16 bytes of the address's BLAKE2b; `listed_in` is that of the sitemap which names the page.
    address_key: Mapped[bytes] = mapped_column(BYTEA)
    url: Mapped[str]
    kind: Mapped[str]
    listed_in: Mapped[bytes | None] = mapped_column(BYTEA)
    is_listed: Mapped[bool] = mapped_column(server_default=text("true"))
    # What the sitemap said when the page was last fetched, and what the answer can be asked for again by.
    lastmod: Mapped[str | None]
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    body_digest: Mapped[bytes | None] = mapped_column(BYTEA)
    # Of the prices and availabilities read, to tell a move from new decoration.
    price_digest: Mapped[bytes | None] = mapped_column(BYTEA)
    # The program and rules that read it: others may read it otherwise, so it is fetched whole again.
    reader: Mapped[str | None]
    # Keys of the offers that the page yielded; of an index, the addresses of its sitemaps; of a feed none.
    holds: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    first_seen_at: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    changed_at: Mapped[datetime | None]
    # How often it was fetched or answered 304, and how often a price had moved by then.
    checks: Mapped[int] = mapped_column(server_default="0")
    changes: Mapped[int] = mapped_column(server_default="0")


class PageVisitRow(Row):
    """One page that a run is to fetch, and what came of it: the frontier, kept until the run is released.

    A page that the listing no longer names has a row with state "unlisted"; nothing of it is fetched.
    """

    __tablename__ = "page_visits"
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "position"),
        CheckConstraint("state in ('waiting', 'visited', 'unlisted')", name="state"),
        CheckConstraint(
            "outcome in ('read', 'unchanged', 'barren', 'gone', 'refused', 'failed')",
            name="outcome",
        ),
        Index("ix_page_visits_address_key", "run_id", "address_key"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    position: Mapped[int]
    address_key: Mapped[bytes] = mapped_column(BYTEA)
    url: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="page")
    listed_in: Mapped[bytes | None] = mapped_column(BYTEA)
    lastmod: Mapped[str | None]
    # Fetched although its lastmod says that nothing changed, to test whether that can be trusted.
    is_sample: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[str] = mapped_column(server_default="waiting")
    outcome: Mapped[str | None]
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    body_digest: Mapped[bytes | None] = mapped_column(BYTEA)
    price_digest: Mapped[bytes | None] = mapped_column(BYTEA)
    holds: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))


class CrawlFrontierRow(Row):
    """That a run's listing was read, what it came to, and what kept it from being everything."""

    __tablename__ = "crawl_frontiers"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    listed: Mapped[int]
    skipped: Mapped[int] = mapped_column(server_default="0")
    # Who reads the pages of this run: the program's version and the store's rules.
    reader: Mapped[str]
    problem: Mapped[str | None]


class StoreCrawlStateRow(Row):
    """What crawling a store taught: its circuit breaker, and whether its lastmod can be trusted."""

    __tablename__ = "store_crawl_states"
    __table_args__ = (
        CheckConstraint("circuit in ('closed', 'open', 'half_open')", name="circuit"),
        CheckConstraint("lastmod in ('untested', 'trusted', 'ignored')", name="lastmod"),
    )

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"), primary_key=True)
    circuit: Mapped[str] = mapped_column(server_default="closed")
    # Runs in a row that got nothing from the store, and why the last one did not.
    failures: Mapped[int] = mapped_column(server_default="0")
    reason: Mapped[str | None]
    opened_at: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    lastmod: Mapped[str] = mapped_column(server_default="untested")
    lastmod_sampled: Mapped[int] = mapped_column(server_default="0")
    lastmod_wrong: Mapped[int] = mapped_column(server_default="0")
    lastmod_ignored_at: Mapped[datetime | None]


class RobotsFileRow(Row):
    """A robots.txt as any process fetched it: good for 24 hours, for all of them."""

    __tablename__ = "robots_files"
    __table_args__ = (CheckConstraint("state in ('read', 'none', 'unreachable')", name="state"),)

    origin: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    body: Mapped[str]
    fetched_at: Mapped[datetime]


class HostTurnRow(Row):
    """When a host may be asked next, whichever process or machine asks."""

    __tablename__ = "host_turns"

    host: Mapped[str] = mapped_column(primary_key=True)
    next_at: Mapped[datetime]


class OptedOutHostRow(Row):
    """A host whose owner does not want to be read. Nothing of it, nor below it, is ever fetched."""

    __tablename__ = "opted_out_hosts"

    host: Mapped[str] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
