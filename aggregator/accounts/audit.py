"""Reading the audit log: who changed what, when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from aggregator.db.models import AccountRow, AuditEntryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change. `who` is the mail address of an account that still exists; None is the command line.

    `about` is the address of the account that it was done to, where the subject is one.

    `changes` is by name {"from", "to"}; `detail` is what else was noted.
    """

    id: int
    at: datetime
    who: str | None
    action: str
    subject: str
    about: str | None
    changes: Mapping[str, Mapping[str, Any]]
    detail: Mapping[str, Any]


def list_audit_entries(
    session: Session,
    *,
    subject: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """The newest entries, of one subject or action where given, older than the entry `before` where given."""
    about = aliased(AccountRow)
    query = (
        select(AuditEntryRow, AccountRow.email, about.email)
        .outerjoin(AccountRow, AccountRow.id == AuditEntryRow.account_id)
        .outerjoin(about, about.public_id == AuditEntryRow.subject)
    )
    if subject:
        query = query.where(AuditEntryRow.subject == subject)
    if action:
        query = query.where(AuditEntryRow.action == action)
    if before is not None:
        query = query.where(AuditEntryRow.id < before)
    found = session.execute(query.order_by(AuditEntryRow.id.desc()).limit(limit))
    return [
        AuditEntry(
            id=row.id,
            at=row.created_at,
            who=email,
            action=row.action,
            subject=row.subject,
            about=about_email,
            changes=row.detail.get("changes", {}),
            detail={name: value for name, value in row.detail.items() if name != "changes"},
        )
        for row, email, about_email in found
    ]


def list_audit_actions(session: Session) -> list[str]:
    """Every action that the log has an entry of, by name."""
    return sorted(session.scalars(select(AuditEntryRow.action).distinct()))
