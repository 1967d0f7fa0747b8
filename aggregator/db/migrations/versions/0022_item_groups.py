"""The offers of one item group of a store are found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_offers_item_group",
        "offers",
        ["store_id", "item_group_id"],
        postgresql_where=sa.text("item_group_id is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix_offers_item_group", table_name="offers")
