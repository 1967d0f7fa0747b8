"""Accounts: how people come in and what they told us of themselves, and who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row, Serial


class AccountRow(Public, Created, Row):
    """A person who can sign in; `email` is stored in lower case, what ends in `_sealed` is encrypted.

    `phone_hash` finds an account by its number and says nothing without the installation's key.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        Index(
            "ix_accounts_deletion_due_at",
            "deletion_due_at",
            postgresql_where=text("deletion_due_at is not null"),
        ),
    )

    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    activated_at: Mapped[datetime | None]
    name: Mapped[str | None]
    # What the account is written to in, such as "de"; unknown until it used the site.
    language: Mapped[str | None]
    phone_sealed: Mapped[str | None]
    phone_hash: Mapped[bytes | None] = mapped_column(BYTEA, unique=True)
    totp_sealed: Mapped[str | None]
    totp_confirmed_at: Mapped[datetime | None]
    # The last step that a one-time code was taken of: none is good twice.
    totp_last_step: Mapped[int | None]
    deletion_due_at: Mapped[datetime | None]


class AccountRoleRow(Row):
    """What an account may do; one row a role."""

    __tablename__ = "account_roles"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "role"),
        CheckConstraint(
            "role in ('shopper', 'seller', 'courier', 'analyst', 'operator', 'admin')", name="role"
        ),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    role: Mapped[str]


class SignInLinkRow(Serial, Created, Row):
    """A single-use sign-in link; only the hash of its token is kept."""

    __tablename__ = "sign_in_links"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class MailedTokenRow(Serial, Created, Row):
    """A single-use token that was mailed; only its hash is kept.

    Of a registration there is no account yet: the row carries the address, the hash of the password that was chosen,
    and the hash of what the browser holds that chose it.
    """

    __tablename__ = "mailed_tokens"
    __table_args__ = (
        CheckConstraint("purpose in ('activate', 'recover', 'change_mail')", name="purpose"),
        Index("ix_mailed_tokens_account_id", "account_id"),
        Index("ix_mailed_tokens_email", "email"),
    )

    purpose: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    email: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    password_hash: Mapped[str | None]
    browser_hash: Mapped[bytes | None] = mapped_column(BYTEA)
    attempts: Mapped[int] = mapped_column(server_default="0")
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AccountChallengeRow(Serial, Created, Row):
    """A sign-in or a proof that was begun and waits for its second half; only hashes of tokens and codes are kept.

    `expected` is the hash of a code, or the bytes that a passkey must sign.
    """

    __tablename__ = "account_challenges"
    __table_args__ = (
        CheckConstraint(
            "purpose in ('second_factor', 'passkey_sign_in', 'passkey_add', 'phone_sign_in', 'phone_confirm')",
            name="purpose",
        ),
        Index("ix_account_challenges_account_id", "account_id"),
    )

    purpose: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    expected: Mapped[bytes | None] = mapped_column(BYTEA)
    phone_sealed: Mapped[str | None]
    opened_by: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AccountSessionRow(Public, Created, Row):
    """A signed-in browser, revocable; only the hash of its token is kept, of the browser two words."""

    __tablename__ = "account_sessions"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    device: Mapped[str | None]
    opened_by: Mapped[str | None]
    last_seen_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AccountPictureRow(Row):
    """An account's picture as we drew it anew."""

    __tablename__ = "account_pictures"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[bytes] = mapped_column(BYTEA)
    updated_at: Mapped[datetime]


class AccountAddressRow(Public, Created, Row):
    """Where an account's parcels go; `content_sealed` is the whole address, encrypted."""

    __tablename__ = "account_addresses"
    __table_args__ = (
        Index("ix_account_addresses_account_id", "account_id"),
        Index("uq_account_addresses_default", "account_id", unique=True, postgresql_where=text("is_default")),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    content_sealed: Mapped[str]
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))


class RecoveryCodeRow(Serial, Row):
    """A code that stands in for a lost second factor, once; only its hash is kept."""

    __tablename__ = "recovery_codes"
    __table_args__ = (Index("ix_recovery_codes_account_id", "account_id"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    code_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    used_at: Mapped[datetime | None]


class PasskeyRow(Public, Created, Row):
    """A passkey: the public half of a key that the person's device holds."""

    __tablename__ = "passkeys"
    __table_args__ = (Index("ix_passkeys_account_id", "account_id"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str]
    credential_id: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    public_key: Mapped[bytes] = mapped_column(BYTEA)
    sign_count: Mapped[int] = mapped_column(server_default="0")
    last_used_at: Mapped[datetime | None]


class ApiTokenRow(Public, Created, Row):
    """A token for programs: named, scoped, revocable; only its hash is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (Index("ix_api_tokens_account_id", "account_id"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AppSignInRow(Public, Created, Row):
    """An app that somebody signed in with: the family of its refresh tokens, revoked as one."""

    __tablename__ = "app_sign_ins"
    __table_args__ = (Index("ix_app_sign_ins_account_id", "account_id"),)

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class RefreshTokenRow(Serial, Created, Row):
    """One refresh token of a family; only its hash is kept. A spent one that comes again revokes the family."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_app_sign_in_id", "app_sign_in_id"),)

    app_sign_in_id: Mapped[int] = mapped_column(ForeignKey("app_sign_ins.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    spent_at: Mapped[datetime | None]


class AuditEntryRow(Serial, Created, Row):
    """Who changed what, when. No personal data beyond the account's id."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_created_at", "created_at"),
        Index("ix_audit_log_subject", "subject"),
    )

    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
