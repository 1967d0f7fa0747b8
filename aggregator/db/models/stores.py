"""Stores, the runs that read them, and what could not be read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from aggregator.db.base import Created, Public, Row, Serial


class StoreRow(Public, Created, Row):
    """One store in one market (country and currency)."""

    __tablename__ = "stores"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    url: Mapped[str]
    platform: Mapped[str]
    country: Mapped[str | None]
    currency: Mapped[str | None]
    tax_basis: Mapped[str] = mapped_column(server_default="unknown")
    # {"tiers": [{"min_subtotal", "cost"}], "min_order"}; null means that shipping is unknown.
    shipping: Mapped[dict[str, Any] | None]
    shipping_source: Mapped[str | None]
    shipping_updated_at: Mapped[datetime | None]
    # By ISO 3166 code, rules for parcels to these countries in place of `shipping`.
    shipping_by_country: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    secret_options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    detection: Mapped[dict[str, Any] | None]
    # Which source a person chose to believe where a page contradicts itself: {"price": "json_ld"}.
    reading_rules: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    # How what it says is to be taken: {"currency": "EUR", "decimal_mark": ",", "ignored": ["sku-1"]}.
    offer_rules: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    # Limits of the judgement other than the usual ones: {"vanished": 0.8}.
    judgement_limits: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    # Seconds that pass at most between two crawls; all there is to a schedule where `schedule` is null.
    crawl_interval: Mapped[int]
    # {"interval" or "cron", "timezone", "jitter", "quiet_from", "quiet_until"}.
    schedule: Mapped[dict[str, Any] | None]
    next_crawl_at: Mapped[datetime | None] = mapped_column(index=True)
    # When a crawl was last asked of the queue, so that a slow queue is not filled with repeats.
    crawl_sent_at: Mapped[datetime | None]
    # A worker removes it with its offers, step by step; nothing of it is read any more.
    removal_asked_at: Mapped[datetime | None]
    # When the last complete run began: what it saw was checked no earlier than this.
    checked_at: Mapped[datetime | None]


class StoreOfferCountRow(Row):
    """How many offers a store had after a run of it ended: counted once, not at each look."""

    __tablename__ = "store_offer_counts"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"), primary_key=True)
    # When the latest of its runs had ended by then.
    ended_at: Mapped[datetime]
    offers: Mapped[int]


class RunRow(Public, Row):
    """One reading of one store. A taken-up run keeps its row; `attempt` fences the one that was given up."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("state in ('running', 'finished', 'held', 'failed', 'cancelled')", name="state"),
        Index(
            "uq_runs_store_id_running", "store_id", unique=True, postgresql_where=text("state = 'running'")
        ),
        Index("ix_runs_store_id_started_at", "store_id", text("started_at desc")),
        Index("ix_runs_started_at", text("started_at desc")),
        Index(
            "ix_runs_accept_asked_at",
            "accept_asked_at",
            postgresql_where=text("accept_asked_at is not null"),
        ),
        Index(
            "ix_runs_accept_asked_by",
            "accept_asked_by",
            postgresql_where=text("accept_asked_by is not null"),
        ),
    )

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"))
    trigger: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="running")
    attempt: Mapped[int] = mapped_column(server_default="1")
    worker: Mapped[str | None]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    is_complete: Mapped[bool] = mapped_column(server_default=text("false"))
    requests: Mapped[int] = mapped_column(server_default="0")
    bytes_received: Mapped[int] = mapped_column(server_default="0")
    # seen = new + changed + unchanged + held + quarantined
    seen: Mapped[int] = mapped_column(server_default="0")
    new: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0")
    unchanged: Mapped[int] = mapped_column(server_default="0")
    held: Mapped[int] = mapped_column(server_default="0")
    quarantined: Mapped[int] = mapped_column(server_default="0")
    gone: Mapped[int] = mapped_column(server_default="0")
    problem: Mapped[str | None]
    not_modified: Mapped[int] = mapped_column(server_default="0")
    pages: Mapped[int] = mapped_column(server_default="0")
    pages_without_offers: Mapped[int] = mapped_column(server_default="0")
    # How many offers or pages the store's own listing names.
    listed: Mapped[int | None]
    # Quarantined offers by reason; adds up to `quarantined` once the run has ended.
    rejected: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    # Seconds by stage: fetching, reading, staging, releasing.
    stage_seconds: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    # What the judgement found, as a list of {"kind", "message", "figures", "part"}.
    anomalies: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    # What the run changes of what was known before, with samples; null before it was judged.
    difference: Mapped[dict[str, Any] | None]
    log_lines: Mapped[int] = mapped_column(server_default="0")
    # How many staging rows a held run must still have: they do not outlive a crash of the database.
    staged: Mapped[int] = mapped_column(server_default="0")
    # A person wants a held run accepted; a worker does it. When it was last asked of the queue stands beside it.
    accept_asked_at: Mapped[datetime | None]
    accept_asked_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    accept_sent_at: Mapped[datetime | None]

    store: Mapped[StoreRow] = relationship()


class RunLogRow(Serial, Row):
    """One line of a run's log; a run keeps its newest thousand or so."""

    __tablename__ = "run_log"
    __table_args__ = (
        CheckConstraint("level in ('info', 'warning', 'error')", name="level"),
        Index("ix_run_log_run_id_id", "run_id", "id"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    level: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class QuarantinedOfferRow(Serial, Created, Row):
    """What could not be read, with its reason and raw text, until a person or a better rule settles it."""

    __tablename__ = "quarantined_offers"
    __table_args__ = (
        Index("ix_quarantined_offers_store_id_state", "store_id", "state"),
        CheckConstraint("state in ('open', 'settled', 'discarded', 'replayed')", name="state"),
    )

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"))
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    attempt: Mapped[int] = mapped_column(server_default="1")
    external_id: Mapped[str]
    title: Mapped[str]
    url: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[str]
    raw: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="open")
    public_id: Mapped[str] = mapped_column(
        unique=True, server_default=text("left(replace(gen_random_uuid()::text, '-', ''), 20)")
    )
    # The raw offer by field, from which it is read again; null where there was not even one.
    offer: Mapped[dict[str, Any] | None]
    settled_at: Mapped[datetime | None]


class ProbeRow(Public, Created, Row):
    """An address that an operator wants added: looked at by a worker, then confirmed by a person."""

    __tablename__ = "probes"
    __table_args__ = (
        CheckConstraint("state in ('waiting', 'running', 'done', 'failed')", name="state"),
        Index("ix_probes_open", "created_at", postgresql_where=text("state in ('waiting', 'running')")),
    )

    url: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="waiting")
    # When the queue was last asked for it, and when a worker took it.
    sent_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    # What `probe --json` prints; null until it is done.
    result: Mapped[dict[str, Any] | None]
    problem: Mapped[str | None]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    store_id: Mapped[int | None] = mapped_column(ForeignKey("stores.id", ondelete="SET NULL"))
