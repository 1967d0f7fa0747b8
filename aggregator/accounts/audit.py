"""Who changed what: entries of the audit log."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.orm import Session

from aggregator.db.models import AuditEntryRow


def record(session: Session, account_id: int | None, action: str, subject: str, **detail: str) -> None:
    """Add an entry. `account_id` is who did it (None: the command line), `subject` a public id.

    Nothing personal goes into `detail`: no address, no name.
    """
    session.execute(
        insert(AuditEntryRow).values(account_id=account_id, action=action, subject=subject, detail=detail)
    )
