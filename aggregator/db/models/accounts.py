"""Accounts, their roles and sessions, and who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from aggregator.db.base import Created, Public, Row, Serial


class AccountRow(Public, Created, Row):
    """A person who can sign in; `email` is stored in lower case."""

    __tablename__ = "accounts"

    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    activated_at: Mapped[datetime | None]


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


class AccountSessionRow(Serial, Created, Row):
    """A signed-in browser, revocable; only the hash of its token is kept."""

    __tablename__ = "account_sessions"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(BYTEA, unique=True)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


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
