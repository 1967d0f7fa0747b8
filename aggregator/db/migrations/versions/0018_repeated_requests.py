"""Answers to requests that may be sent again"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "repeated_requests",
        sa.Column("name", postgresql.BYTEA(), nullable=False),
        sa.Column("request_digest", postgresql.BYTEA(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("body", postgresql.BYTEA(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repeated_requests")),
        sa.UniqueConstraint("name", name=op.f("uq_repeated_requests_name")),
    )
    op.create_index("ix_repeated_requests_created_at", "repeated_requests", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_table("repeated_requests")
