"""Purchases: what became of each store part of a basket; shared baskets; pasted lists"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_STATES = "state in ('waiting', 'opened', 'bought', 'shipped', 'delivered', 'returned', 'given_up')"
_FACTS = (
    ("paid", sa.Numeric(18, 4)),
    ("paid_currency", sa.Text()),
    ("order_number", sa.Text()),
    ("bought_on", sa.Date()),
    ("taken_out_at", sa.DateTime(timezone=True)),
)


def _key(name: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    ]


def _public(name: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{name}_public_id")),
        *_key(name),
    ]


def _created() -> sa.schema.SchemaItem:
    return sa.Column(
        "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _of_a_cart(name: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("cart_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["carts.id"], name=op.f(f"fk_{name}_cart_id"), ondelete="CASCADE"
        ),
    ]


def upgrade() -> None:
    op.add_column("checkouts", sa.Column("rest_planned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("hand_offs", sa.Column("store_name", sa.Text(), server_default="", nullable=False))
    op.execute("update hand_offs set store_name = s.name from stores s where s.id = hand_offs.store_id")
    for name, kind in _FACTS:
        op.add_column("hand_offs", sa.Column(name, kind, nullable=True))
    op.drop_constraint(op.f("ck_hand_offs_state"), "hand_offs", type_="check")
    op.create_check_constraint(op.f("ck_hand_offs_state"), "hand_offs", _STATES)
    op.alter_column("hand_offs", "store_id", nullable=True)
    op.drop_constraint(op.f("fk_hand_offs_store_id"), "hand_offs", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_hand_offs_store_id"), "hand_offs", "stores", ["store_id"], ["id"], ondelete="SET NULL"
    )
    op.create_table(
        "hand_off_events",
        sa.Column("hand_off_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        _created(),
        sa.ForeignKeyConstraint(
            ["hand_off_id"], ["hand_offs.id"], name=op.f("fk_hand_off_events_hand_off_id"), ondelete="CASCADE"
        ),
        *_key("hand_off_events"),
    )
    op.create_index(op.f("ix_hand_off_events_hand_off_id"), "hand_off_events", ["hand_off_id"])
    op.execute(
        "insert into hand_off_events (hand_off_id, state, created_at) "
        "select id, state, coalesce(settled_at, opened_at, created_at) from hand_offs where state <> 'waiting'"
    )
    op.create_table(
        "shared_baskets",
        *_of_a_cart("shared_baskets"),
        sa.Column("token_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        _created(),
        sa.UniqueConstraint("token_hash", name=op.f("uq_shared_baskets_token_hash")),
        *_public("shared_baskets"),
    )
    op.create_index(op.f("ix_shared_baskets_cart_id"), "shared_baskets", ["cart_id"])
    op.create_table("pasted_lists", *_of_a_cart("pasted_lists"), _created(), *_public("pasted_lists"))
    op.create_index(op.f("ix_pasted_lists_cart_id"), "pasted_lists", ["cart_id"])
    op.create_table(
        "pasted_lines",
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("quantity between 1 and 999", name=op.f("ck_pasted_lines_quantity")),
        sa.CheckConstraint("state in ('open', 'added', 'left_out')", name=op.f("ck_pasted_lines_state")),
        sa.ForeignKeyConstraint(
            ["list_id"], ["pasted_lists.id"], name=op.f("fk_pasted_lines_list_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_pasted_lines_product_id"), ondelete="SET NULL"
        ),
        sa.UniqueConstraint("list_id", "position", name=op.f("uq_pasted_lines_list_id_position")),
        *_public("pasted_lines"),
    )
    op.create_index("ix_pasted_lines_product_id", "pasted_lines", ["product_id"])


def downgrade() -> None:
    for table in ("pasted_lines", "pasted_lists", "shared_baskets", "hand_off_events"):
        op.drop_table(table)
    op.execute("delete from hand_offs where store_id is null")
    op.drop_constraint(op.f("fk_hand_offs_store_id"), "hand_offs", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_hand_offs_store_id"), "hand_offs", "stores", ["store_id"], ["id"], ondelete="CASCADE"
    )
    op.alter_column("hand_offs", "store_id", nullable=False)
    op.execute("update hand_offs set state = 'bought' where state in ('shipped', 'delivered', 'returned')")
    op.drop_constraint(op.f("ck_hand_offs_state"), "hand_offs", type_="check")
    op.create_check_constraint(
        op.f("ck_hand_offs_state"), "hand_offs", "state in ('waiting', 'opened', 'bought', 'given_up')"
    )
    for name in ("store_name", *(name for name, _ in _FACTS)):
        op.drop_column("hand_offs", name)
    op.drop_column("checkouts", "rest_planned_at")
