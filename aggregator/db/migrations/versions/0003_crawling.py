"""Crawling: what is known of each page, frontier, circuit"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NO_TEXTS = sa.text("'{}'::text[]")


def _text(name: str, default: str | None = None, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=nullable)


def _bytes(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, postgresql.BYTEA(), nullable=nullable)


def _instant(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _count(name: str, default: str | None = "0") -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), server_default=default, nullable=False)


def _answer() -> list[sa.Column[object]]:
    return [
        _text("etag", nullable=True),
        _text("last_modified", nullable=True),
        _bytes("body_digest"),
        _bytes("price_digest"),
        sa.Column("holds", postgresql.ARRAY(sa.Text()), server_default=_NO_TEXTS, nullable=False),
    ]


def _of_store(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["store_id"], ["stores.id"], name=op.f(f"fk_{table}_store_id"), ondelete="CASCADE"
    )


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["run_id"], ["runs.id"], name=op.f(f"fk_{table}_run_id"), ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "pages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _count("store_id", None),
        _bytes("address_key", nullable=False),
        _text("url"),
        _text("kind"),
        _bytes("listed_in"),
        sa.Column("is_listed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _text("lastmod", nullable=True),
        *_answer(),
        _text("reader", nullable=True),
        _instant("first_seen_at", nullable=False),
        _instant("checked_at"),
        _instant("changed_at"),
        _count("checks"),
        _count("changes"),
        sa.CheckConstraint("kind in ('page', 'sitemap')", name=op.f("ck_pages_kind")),
        _of_store("pages"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pages")),
    )
    op.create_index("uq_pages_store_id_address_key", "pages", ["store_id", "address_key"], unique=True)
    op.create_table(
        "page_visits",
        _count("run_id", None),
        _count("position", None),
        _bytes("address_key", nullable=False),
        _text("url"),
        _text("kind", "page"),
        _bytes("listed_in"),
        _text("lastmod", nullable=True),
        sa.Column("is_sample", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _text("state", "waiting"),
        _text("outcome", nullable=True),
        *_answer(),
        sa.CheckConstraint("state in ('waiting', 'visited', 'unlisted')", name=op.f("ck_page_visits_state")),
        sa.CheckConstraint(
            "outcome in ('read', 'unchanged', 'barren', 'gone', 'refused', 'failed')",
            name=op.f("ck_page_visits_outcome"),
        ),
        _of_run("page_visits"),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_page_visits")),
    )
    op.create_index("ix_page_visits_address_key", "page_visits", ["run_id", "address_key"], unique=False)
    op.create_table(
        "crawl_frontiers",
        _count("run_id", None),
        _count("listed", None),
        _count("skipped"),
        _text("reader"),
        _text("problem", nullable=True),
        _of_run("crawl_frontiers"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_crawl_frontiers")),
    )
    op.create_table(
        "store_crawl_states",
        _count("store_id", None),
        _text("circuit", "closed"),
        _count("failures"),
        _text("reason", nullable=True),
        _instant("opened_at"),
        _instant("retry_at"),
        _text("lastmod", "untested"),
        _count("lastmod_sampled"),
        _count("lastmod_wrong"),
        _instant("lastmod_ignored_at"),
        sa.CheckConstraint(
            "circuit in ('closed', 'open', 'half_open')", name=op.f("ck_store_crawl_states_circuit")
        ),
        sa.CheckConstraint(
            "lastmod in ('untested', 'trusted', 'ignored')", name=op.f("ck_store_crawl_states_lastmod")
        ),
        _of_store("store_crawl_states"),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_store_crawl_states")),
    )
    op.create_table(
        "robots_files",
        _text("origin"),
        _text("state"),
        _text("body"),
        _instant("fetched_at", nullable=False),
        sa.CheckConstraint("state in ('read', 'none', 'unreachable')", name=op.f("ck_robots_files_state")),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_robots_files")),
    )
    op.create_table(
        "host_turns",
        _text("host"),
        _instant("next_at", nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_host_turns")),
    )
    op.create_table(
        "opted_out_hosts",
        _text("host"),
        _text("note", ""),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_opted_out_hosts")),
    )


def downgrade() -> None:
    for table in (
        "opted_out_hosts",
        "host_turns",
        "robots_files",
        "store_crawl_states",
        "crawl_frontiers",
        "page_visits",
        "pages",
    ):
        op.drop_table(table)
