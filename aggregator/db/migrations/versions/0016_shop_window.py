"""Shop window: taxonomy, pictures, drops"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.add_column("products", sa.Column("category_key", sa.Text(), nullable=True))
    op.create_index("ix_products_category_key", "products", ["category_key", "store_count"])
    op.create_table(
        "category_rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("category_key", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category_rules")),
        sa.UniqueConstraint("path", name=op.f("uq_category_rules_path")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_category_rules_account_id"), ondelete="SET NULL"
        ),
    )
    op.create_index("ix_category_rules_account_id", "category_rules", ["account_id"])
    op.create_table(
        "pictures",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_pictures")),
    )
    op.create_index(
        "ix_pictures_next_try_at",
        "pictures",
        ["next_try_at"],
        postgresql_where=sa.text("next_try_at is not null"),
    )
    op.create_index("ix_pictures_asked_at", "pictures", ["asked_at"])
    op.create_table(
        "price_drops",
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Numeric(18, 4), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("lowest_before", sa.Numeric(18, 4), nullable=False),
        sa.Column("share", sa.Numeric(6, 4), nullable=False),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_price_drops")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_price_drops_product_id"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_price_drops_dropped_at", "price_drops", ["dropped_at"])


def downgrade() -> None:
    for name in ("price_drops", "pictures", "category_rules"):
        op.drop_table(name)
    op.drop_index("ix_products_category_key", table_name="products")
    op.drop_column("products", "category_key")
