"""Browsers, messengers, a feed and a webhook's key of one's own for alerts; the language of mails"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "push_subscriptions",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("content_sealed", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_push_subscriptions_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscriptions")),
        sa.UniqueConstraint("public_id", name=op.f("uq_push_subscriptions_public_id")),
        sa.UniqueConstraint("endpoint_hash", name=op.f("uq_push_subscriptions_endpoint_hash")),
    )
    op.create_index(op.f("ix_push_subscriptions_account_id"), "push_subscriptions", ["account_id"])
    op.create_table(
        "alert_messengers",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("address_sealed", sa.Text(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_alert_messengers_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_messengers")),
        sa.UniqueConstraint("public_id", name=op.f("uq_alert_messengers_public_id")),
    )
    op.create_index(op.f("ix_alert_messengers_account_id"), "alert_messengers", ["account_id"])
    op.add_column("alert_wishes", sa.Column("webhook_key_sealed", sa.Text(), nullable=True))
    op.add_column("alert_wishes", sa.Column("feed_hash", postgresql.BYTEA(), nullable=True))
    op.create_unique_constraint(op.f("uq_alert_wishes_feed_hash"), "alert_wishes", ["feed_hash"])
    op.add_column("accounts", sa.Column("language", sa.Text(), nullable=True))
    op.add_column("notices", sa.Column("account_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_notices_account_id"), "notices", "accounts", ["account_id"], ["id"], ondelete="CASCADE"
    )
    op.create_index(
        "ix_notices_account_id", "notices", ["account_id"], postgresql_where=sa.text("account_id is not null")
    )
    op.drop_constraint(op.f("ck_notices_channel"), "notices", type_="check")
    op.create_check_constraint(
        op.f("ck_notices_channel"), "notices", "channel in ('mail', 'webhook', 'sms', 'push', 'messenger')"
    )


def downgrade() -> None:
    op.execute("delete from notices where channel in ('push', 'messenger')")
    op.drop_constraint(op.f("ck_notices_channel"), "notices", type_="check")
    op.create_check_constraint(op.f("ck_notices_channel"), "notices", "channel in ('mail', 'webhook', 'sms')")
    op.drop_index("ix_notices_account_id", table_name="notices")
    op.drop_constraint(op.f("fk_notices_account_id"), "notices", type_="foreignkey")
    op.drop_column("notices", "account_id")
    op.drop_column("accounts", "language")
    op.drop_constraint(op.f("uq_alert_wishes_feed_hash"), "alert_wishes", type_="unique")
    op.drop_column("alert_wishes", "feed_hash")
    op.drop_column("alert_wishes", "webhook_key_sealed")
    op.drop_table("alert_messengers")
    op.drop_table("push_subscriptions")
