"""Matching: groups, verdict history, related products"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_IS_OPEN = sa.text("settled_at is null")


def _offer(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["offers.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "offer_relations",
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("other_offer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind in ('variant', 'multipack', 'case', 'bundle', 'refurbished', 'accessory')",
            name=op.f("ck_offer_relations_kind"),
        ),
        _offer("offer_relations", "offer_id"),
        _offer("offer_relations", "other_offer_id"),
        sa.PrimaryKeyConstraint("offer_id", "other_offer_id", "kind", name=op.f("pk_offer_relations")),
    )
    op.create_index(op.f("ix_offer_relations_other_offer_id"), "offer_relations", ["other_offer_id"])

    op.add_column("match_reviews", sa.Column("value", sa.Float(), server_default="0", nullable=False))
    op.add_column("match_reviews", sa.Column("model_version", sa.Text(), server_default="", nullable=False))
    op.add_column("match_reviews", sa.Column("reported_at", _INSTANT))
    op.add_column("match_reviews", sa.Column("report", sa.Text()))
    op.add_column("match_reviews", sa.Column("skipped_at", _INSTANT))
    op.add_column("match_reviews", sa.Column("skipped_by_id", sa.BigInteger()))
    op.create_foreign_key(
        op.f("fk_match_reviews_skipped_by_id"),
        "match_reviews",
        "accounts",
        ["skipped_by_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.drop_index("ix_match_reviews_open", table_name="match_reviews")
    op.create_index(
        "ix_match_reviews_queue",
        "match_reviews",
        ["skipped_at", "reported_at", "value"],
        postgresql_where=_IS_OPEN,
    )

    made_by_server = sa.text("left(replace(gen_random_uuid()::text, '-', ''), 20)")
    op.add_column(
        "match_verdicts", sa.Column("public_id", sa.Text(), server_default=made_by_server, nullable=False)
    )
    op.alter_column("match_verdicts", "public_id", server_default=None)
    op.create_unique_constraint(op.f("uq_match_verdicts_public_id"), "match_verdicts", ["public_id"])
    op.add_column("match_verdicts", sa.Column("withdrawn_by_id", sa.BigInteger()))
    op.add_column("match_verdicts", sa.Column("applied_at", _INSTANT))
    op.create_foreign_key(
        op.f("fk_match_verdicts_withdrawn_by_id"),
        "match_verdicts",
        "accounts",
        ["withdrawn_by_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(
        "ix_match_verdicts_unapplied",
        "match_verdicts",
        ["id"],
        postgresql_where=sa.text("applied_at is null"),
    )
    op.create_index("ix_match_verdicts_account_id", "match_verdicts", ["account_id"])


def downgrade() -> None:
    op.drop_index("ix_match_verdicts_account_id", table_name="match_verdicts")
    op.drop_index(
        "ix_match_verdicts_unapplied",
        table_name="match_verdicts",
        postgresql_where=sa.text("applied_at is null"),
    )
    for column in ("applied_at", "withdrawn_by_id", "public_id"):
        op.drop_column("match_verdicts", column)
    op.drop_index("ix_match_reviews_queue", table_name="match_reviews", postgresql_where=_IS_OPEN)
    op.create_index("ix_match_reviews_open", "match_reviews", ["probability"], postgresql_where=_IS_OPEN)
    for column in ("skipped_by_id", "skipped_at", "report", "reported_at", "model_version", "value"):
        op.drop_column("match_reviews", column)
    op.drop_table("offer_relations")
