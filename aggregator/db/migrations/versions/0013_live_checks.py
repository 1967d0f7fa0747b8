"""Live checks of chosen offers before checkout"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "live_checks",
        sa.Column("checkout_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state in ('waiting', 'running', 'done')", name=op.f("ck_live_checks_state")),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["checkouts.id"], name=op.f("fk_live_checks_checkout_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_checks")),
        sa.UniqueConstraint("public_id", name=op.f("uq_live_checks_public_id")),
    )
    op.create_index(op.f("ix_live_checks_checkout_id"), "live_checks", ["checkout_id"], unique=False)
    op.create_index("ix_live_checks_created_at", "live_checks", ["created_at"], unique=False)
    op.create_index(
        "ix_live_checks_open",
        "live_checks",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "live_check_offers",
        sa.Column("check_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("price_before", sa.Numeric(18, 4), nullable=False),
        sa.Column("currency_before", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(18, 4), nullable=True),
        sa.Column("price_currency", sa.Text(), nullable=True),
        sa.Column("availability", sa.Text(), nullable=True),
        sa.Column("stock_level", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "state in ('waiting', 'same', 'changed', 'sold_out', 'doubtful', 'unverified')",
            name=op.f("ck_live_check_offers_state"),
        ),
        sa.ForeignKeyConstraint(
            ["check_id"], ["live_checks.id"], name=op.f("fk_live_check_offers_check_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offers.id"], name=op.f("fk_live_check_offers_offer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_check_offers")),
        sa.UniqueConstraint("check_id", "offer_id", name=op.f("uq_live_check_offers_check_id_offer_id")),
    )
    op.create_index(
        "ix_live_check_offers_offer_id_checked_at",
        "live_check_offers",
        ["offer_id", sa.text("checked_at desc")],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("live_check_offers")
    op.drop_table("live_checks")
