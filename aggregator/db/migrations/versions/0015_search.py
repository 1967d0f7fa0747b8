"""Search: which products changed, for the index that is derived from them"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "search_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_ids", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_changes")),
    )
    # Every index stands at some row; one that was made before anything changed stands at this one.
    op.execute("insert into search_changes (product_ids) values ('{}')")


def downgrade() -> None:
    op.drop_table("search_changes")
