"""Operations: schedules and store settings"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stores", sa.Column("schedule", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column(
        "stores",
        sa.Column(
            "shipping_by_country",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column("stores", sa.Column("removal_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "store_offer_counts",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offers", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_store_offer_counts_store_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_store_offer_counts")),
    )
    # Without it the removal of each offer would look through all carts.
    op.create_index(op.f("ix_cart_lines_pinned_offer_id"), "cart_lines", ["pinned_offer_id"], unique=False)
    op.create_index("ix_audit_log_created_at", "audit_log", ["created_at"], unique=False)
    op.create_index("ix_audit_log_subject", "audit_log", ["subject"], unique=False)
    # A paused store has no planned crawl; one that an operator asks for is run all the same.
    op.execute("update stores set next_crawl_at = null where not is_active")


def downgrade() -> None:
    op.drop_table("store_offer_counts")
    op.drop_index("ix_audit_log_subject", table_name="audit_log")
    op.drop_index(op.f("ix_cart_lines_pinned_offer_id"), table_name="cart_lines")
    op.drop_index("ix_audit_log_created_at", table_name="audit_log")
    op.drop_column("stores", "removal_asked_at")
    op.drop_column("stores", "shipping_by_country")
    op.drop_column("stores", "schedule")
