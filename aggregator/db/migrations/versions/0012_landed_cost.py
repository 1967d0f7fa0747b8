"""Landed cost: what offers say of their delivery, exchange rates, what a shopper has and wants, plans kept"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("offers", "staged_offers"):
        op.add_column(table, sa.Column("delivery", postgresql.JSONB(), nullable=True))
    op.add_column("carts", sa.Column("country", sa.Text(), nullable=True))
    op.add_column(
        "carts",
        sa.Column("options", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
    )
    op.create_table(
        "cart_plans",
        sa.Column("cart_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.Column("plan", postgresql.JSONB(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["carts.id"], name=op.f("fk_cart_plans_cart_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cart_id", name=op.f("pk_cart_plans")),
    )
    op.create_table(
        "exchange_rates",
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("rate_date", sa.Date(), nullable=False),
        sa.Column("rate", sa.Numeric(20, 10), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("rate > 0", name=op.f("ck_exchange_rates_rate")),
        sa.PrimaryKeyConstraint("currency", "rate_date", name=op.f("pk_exchange_rates")),
    )
    op.create_table(
        "exchange_rate_fetches",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_exchange_rate_fetches")),
    )


def downgrade() -> None:
    op.drop_table("exchange_rate_fetches")
    op.drop_table("exchange_rates")
    op.drop_table("cart_plans")
    op.drop_column("carts", "options")
    op.drop_column("carts", "country")
    for table in ("staged_offers", "offers"):
        op.drop_column(table, "delivery")
