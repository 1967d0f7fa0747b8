"""Accounts of shoppers: profile, addresses, second factors, tokens"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ACCOUNT_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("name", sa.Text()),
    ("phone_sealed", sa.Text()),
    ("phone_hash", postgresql.BYTEA()),
    ("totp_sealed", sa.Text()),
    ("totp_confirmed_at", sa.DateTime(timezone=True)),
    ("totp_last_step", sa.BigInteger()),
    ("deletion_due_at", sa.DateTime(timezone=True)),
)
_SESSION_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("public_id", sa.Text()),
    ("device", sa.Text()),
    ("opened_by", sa.Text()),
    ("last_seen_at", sa.DateTime(timezone=True)),
)
_TABLES = (
    "refresh_tokens",
    "app_sign_ins",
    "api_tokens",
    "passkeys",
    "recovery_codes",
    "account_addresses",
    "account_pictures",
    "account_challenges",
    "mailed_tokens",
)
_CHANNELS = "channel in ('mail', 'webhook', 'sms')"


def upgrade() -> None:
    for name, kind in _ACCOUNT_COLUMNS:
        op.add_column("accounts", sa.Column(name, kind, nullable=True))
    op.create_unique_constraint(op.f("uq_accounts_phone_hash"), "accounts", ["phone_hash"])
    op.create_index(
        "ix_accounts_deletion_due_at",
        "accounts",
        ["deletion_due_at"],
        postgresql_where=sa.text("deletion_due_at is not null"),
    )
    for name, kind in _SESSION_COLUMNS:
        op.add_column("account_sessions", sa.Column(name, kind, nullable=True))
    # Those that stand get an id nobody was told: 12 hexadecimal digits without the two that are mistaken for letters.
    op.execute(
        "update account_sessions set public_id = translate(substr(md5(random()::text || id), 1, 12), '01', 'xy')"
    )
    op.alter_column("account_sessions", "public_id", nullable=False)
    op.create_unique_constraint(op.f("uq_account_sessions_public_id"), "account_sessions", ["public_id"])

    op.create_table(
        "mailed_tokens",
        *_serial("mailed_tokens"),
        sa.Column("purpose", sa.Text(), nullable=False),
        _of_account("mailed_tokens", nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("token_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("browser_hash", postgresql.BYTEA(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose in ('activate', 'recover', 'change_mail')", name=op.f("ck_mailed_tokens_purpose")
        ),
        sa.UniqueConstraint("token_hash", name=op.f("uq_mailed_tokens_token_hash")),
    )
    op.create_index("ix_mailed_tokens_account_id", "mailed_tokens", ["account_id"])
    op.create_index("ix_mailed_tokens_email", "mailed_tokens", ["email"])

    op.create_table(
        "account_challenges",
        *_serial("account_challenges"),
        sa.Column("purpose", sa.Text(), nullable=False),
        _of_account("account_challenges", nullable=True),
        sa.Column("token_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("expected", postgresql.BYTEA(), nullable=True),
        sa.Column("phone_sealed", sa.Text(), nullable=True),
        sa.Column("opened_by", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose in ('second_factor', 'passkey_sign_in', 'passkey_add', 'phone_sign_in', 'phone_confirm')",
            name=op.f("ck_account_challenges_purpose"),
        ),
        sa.UniqueConstraint("token_hash", name=op.f("uq_account_challenges_token_hash")),
    )
    op.create_index("ix_account_challenges_account_id", "account_challenges", ["account_id"])

    op.create_table(
        "account_pictures",
        _of_account("account_pictures"),
        sa.Column("content", postgresql.BYTEA(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_pictures")),
    )
    op.create_table(
        "account_addresses",
        *_public("account_addresses"),
        _of_account("account_addresses"),
        sa.Column("content_sealed", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index("ix_account_addresses_account_id", "account_addresses", ["account_id"])
    op.create_index(
        "uq_account_addresses_default",
        "account_addresses",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        _of_account("recovery_codes"),
        sa.Column("code_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_codes_code_hash")),
    )
    op.create_index("ix_recovery_codes_account_id", "recovery_codes", ["account_id"])
    op.create_table(
        "passkeys",
        *_public("passkeys"),
        _of_account("passkeys"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("credential_id", postgresql.BYTEA(), nullable=False),
        sa.Column("public_key", postgresql.BYTEA(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index("ix_passkeys_account_id", "passkeys", ["account_id"])
    op.create_table(
        "api_tokens",
        *_public("api_tokens"),
        _of_account("api_tokens"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_index("ix_api_tokens_account_id", "api_tokens", ["account_id"])
    op.create_table(
        "app_sign_ins",
        *_public("app_sign_ins"),
        _of_account("app_sign_ins"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_app_sign_ins_account_id", "app_sign_ins", ["account_id"])
    op.create_table(
        "refresh_tokens",
        *_serial("refresh_tokens"),
        sa.Column("app_sign_in_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["app_sign_in_id"],
            ["app_sign_ins.id"],
            name=op.f("fk_refresh_tokens_app_sign_in_id"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("token_hash", name=op.f("uq_refresh_tokens_token_hash")),
    )
    op.create_index("ix_refresh_tokens_app_sign_in_id", "refresh_tokens", ["app_sign_in_id"])

    op.drop_constraint(op.f("ck_notices_channel"), "notices", type_="check")
    op.create_check_constraint(op.f("ck_notices_channel"), "notices", _CHANNELS)


def downgrade() -> None:
    op.execute("delete from notices where channel = 'sms'")
    op.drop_constraint(op.f("ck_notices_channel"), "notices", type_="check")
    op.create_check_constraint(op.f("ck_notices_channel"), "notices", "channel in ('mail', 'webhook')")
    for table in _TABLES:
        op.drop_table(table)
    op.drop_constraint(op.f("uq_account_sessions_public_id"), "account_sessions", type_="unique")
    for name, _kind in _SESSION_COLUMNS:
        op.drop_column("account_sessions", name)
    op.drop_index("ix_accounts_deletion_due_at", table_name="accounts")
    op.drop_constraint(op.f("uq_accounts_phone_hash"), "accounts", type_="unique")
    for name, _kind in _ACCOUNT_COLUMNS:
        op.drop_column("accounts", name)


def _of_account(table: str, *, nullable: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey("accounts.id", name=op.f(f"fk_{table}_account_id"), ondelete="CASCADE")
    return sa.Column("account_id", sa.BigInteger(), key, nullable=nullable)


def _serial(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    now = sa.text("now()")
    return (
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )


def _public(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        *_serial(table),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")),
    )
