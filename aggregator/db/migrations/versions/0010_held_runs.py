"""Runs: who asked that a held one be accepted; the newest of all stores are found by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("accept_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("accept_asked_by", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("accept_sent_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(
        op.f("fk_runs_accept_asked_by"), "runs", "accounts", ["accept_asked_by"], ["id"], ondelete="SET NULL"
    )
    op.create_index(
        "ix_runs_accept_asked_by",
        "runs",
        ["accept_asked_by"],
        unique=False,
        postgresql_where=sa.text("accept_asked_by is not null"),
    )
    op.create_index(
        "ix_runs_accept_asked_at",
        "runs",
        ["accept_asked_at"],
        unique=False,
        postgresql_where=sa.text("accept_asked_at is not null"),
    )
    op.create_index("ix_runs_started_at", "runs", [sa.text("started_at desc")], unique=False)


def downgrade() -> None:
    op.drop_index("ix_runs_started_at", table_name="runs")
    op.drop_index("ix_runs_accept_asked_at", table_name="runs")
    op.drop_index("ix_runs_accept_asked_by", table_name="runs")
    op.drop_constraint(op.f("fk_runs_accept_asked_by"), "runs", type_="foreignkey")
    for name in ("accept_sent_at", "accept_asked_by", "accept_asked_at"):
        op.drop_column("runs", name)
