"""Runs: their logs, stages and alarms"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NO_JSON = sa.text("'{}'::jsonb")
_RUN_COUNTS = ("not_modified", "pages", "pages_without_offers", "log_lines", "staged")


def _json(name: str, default: sa.TextClause | None = _NO_JSON) -> sa.Column[object]:
    return sa.Column(
        name, postgresql.JSONB(astext_type=sa.Text()), server_default=default, nullable=default is None
    )


def _instant(name: str, *, nullable: bool) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _offer_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("mpn", sa.Text(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("item_group_id", sa.Text(), nullable=True),
        _json("variant_attributes"),
        sa.Column("pack_size", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("list_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("price_kind", sa.Text(), server_default="regular", nullable=False),
        sa.Column("availability", sa.Text(), nullable=True),
        sa.Column("stock_level", sa.BigInteger(), nullable=True),
        sa.Column("item_condition", sa.Text(), server_default="NewCondition", nullable=False),
        sa.Column("seller", sa.Text(), nullable=True),
        sa.Column("shipping_cost", sa.Numeric(precision=18, scale=4), nullable=True),
        _json("handoff"),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        _json("reading", None),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
    ]


def upgrade() -> None:
    op.drop_table("staged_offers")
    op.create_table(
        "staged_offers",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        *_offer_columns(),
        postgresql_partition_by="LIST (run_id)",
    )
    op.drop_constraint(op.f("fk_offers_run_id"), "offers", type_="foreignkey")
    op.drop_index(op.f("ix_offers_product_id"), table_name="offers")
    op.create_index(
        "ix_offers_product_id",
        "offers",
        ["product_id"],
        unique=False,
        postgresql_where=sa.text("product_id is not null"),
    )
    op.create_index(
        "ix_offer_prices_recorded_at", "offer_prices", ["recorded_at"], unique=False, postgresql_using="brin"
    )
    op.add_column("stores", _json("offer_rules"))
    op.add_column("stores", _json("judgement_limits"))
    for name in _RUN_COUNTS:
        op.add_column("runs", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("listed", sa.BigInteger(), nullable=True))
    op.add_column("runs", _json("rejected"))
    op.add_column("runs", _json("stage_seconds"))
    op.add_column("runs", _json("anomalies", sa.text("'[]'::jsonb")))
    op.add_column("runs", _json("difference", None))
    op.create_table(
        "run_log",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        _instant("at", nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        _json("data"),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("level in ('info', 'warning', 'error')", name=op.f("ck_run_log_level")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_log_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_log")),
    )
    op.create_index("ix_run_log_run_id_id", "run_log", ["run_id", "id"], unique=False)
    op.add_column(
        "quarantined_offers",
        sa.Column(
            "public_id",
            sa.Text(),
            server_default=sa.text("left(replace(gen_random_uuid()::text, '-', ''), 20)"),
            nullable=False,
        ),
    )
    op.create_unique_constraint(op.f("uq_quarantined_offers_public_id"), "quarantined_offers", ["public_id"])
    op.add_column("quarantined_offers", _json("offer", None))
    op.add_column("quarantined_offers", _instant("settled_at", nullable=True))
    op.create_check_constraint(
        op.f("ck_quarantined_offers_state"),
        "quarantined_offers",
        "state in ('open', 'settled', 'discarded', 'replayed')",
    )
    op.create_table(
        "alarms",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        _json("figures"),
        sa.Column("sightings", sa.BigInteger(), server_default="1", nullable=False),
        _instant("first_seen_at", nullable=False),
        _instant("last_seen_at", nullable=False),
        sa.Column("told_state", sa.Text(), nullable=True),
        _instant("acknowledged_at", nullable=True),
        sa.Column("acknowledged_by", sa.BigInteger(), nullable=True),
        _instant("closed_at", nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("state in ('open', 'acknowledged', 'closed')", name=op.f("ck_alarms_state")),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_alarms_store_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_alarms_run_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["acknowledged_by"],
            ["accounts.id"],
            name=op.f("fk_alarms_acknowledged_by"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
        sa.UniqueConstraint("public_id", name=op.f("uq_alarms_public_id")),
    )
    op.create_index(op.f("ix_alarms_store_id"), "alarms", ["store_id"], unique=False)
    op.create_index(op.f("ix_alarms_run_id"), "alarms", ["run_id"], unique=False)
    op.create_index("ix_alarms_last_seen_at", "alarms", ["last_seen_at"], unique=False)
    op.create_index(
        "ix_alarms_untold",
        "alarms",
        ["id"],
        unique=False,
        postgresql_where=sa.text("told_state is null or (told_state = 'open' and state = 'closed')"),
    )
    op.create_index(
        "uq_alarms_open",
        "alarms",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_table(
        "notices",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        _instant("due_at", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        _instant("taken_until", nullable=True),
        _instant("sent_at", nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("channel in ('mail', 'webhook')", name=op.f("ck_notices_channel")),
        sa.CheckConstraint("state in ('waiting', 'sent', 'given_up')", name=op.f("ck_notices_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_notices_dedupe_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_notices_public_id")),
    )
    op.create_index(
        "ix_notices_waiting",
        "notices",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_notices_created_at", "notices", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_table("notices")
    op.drop_table("alarms")
    op.drop_constraint(op.f("ck_quarantined_offers_state"), "quarantined_offers", type_="check")
    op.drop_constraint(op.f("uq_quarantined_offers_public_id"), "quarantined_offers", type_="unique")
    for name in ("settled_at", "offer", "public_id"):
        op.drop_column("quarantined_offers", name)
    op.drop_table("run_log")
    for name in ("difference", "anomalies", "stage_seconds", "rejected", "listed", *_RUN_COUNTS):
        op.drop_column("runs", name)
    op.drop_index("ix_offer_prices_recorded_at", table_name="offer_prices", postgresql_using="brin")
    op.drop_index("ix_offers_product_id", table_name="offers")
    op.create_index(op.f("ix_offers_product_id"), "offers", ["product_id"], unique=False)
    op.execute("update offers set run_id = null where run_id not in (select id from runs)")
    op.create_foreign_key(op.f("fk_offers_run_id"), "offers", "runs", ["run_id"], ["id"], ondelete="SET NULL")
    op.drop_table("staged_offers")
    op.create_table(
        "staged_offers",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        *_offer_columns(),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_staged_offers_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "attempt", "position", name=op.f("pk_staged_offers")),
    )
    op.drop_column("stores", "judgement_limits")
    op.drop_column("stores", "offer_rules")
