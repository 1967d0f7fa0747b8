"""The audit log's one writer: who changed what, from what to what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from aggregator.db.models import AuditEntryRow

MASK = "••••"


def record(session: Session, account_id: int | None, action: str, subject: str, **detail: Any) -> None:
    """Add an entry. `account_id` is who did it (None: the command line), `subject` such as "store:slug" or a public id.

    Nothing personal goes into `detail`, and no secret: no address, no name, no key.
    """
    session.execute(
        insert(AuditEntryRow).values(account_id=account_id, action=action, subject=subject, detail=detail)
    )


def record_change(
    session: Session,
    account_id: int | None,
    action: str,
    subject: str,
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    secrets: frozenset[str] = frozenset(),
) -> bool:
    """Add an entry with what differs, by name `{"from", "to"}`; none where nothing does, and False then.

    Of the names in `secrets` only that they changed is kept.
    """
    changes: dict[str, Any] = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            is_secret = name in secrets
            changes[name] = {
                "from": (old and MASK) if is_secret else old,
                "to": (new and MASK) if is_secret else new,
            }
    if changes:
        record(session, account_id, action, subject, changes=changes)
    return bool(changes)
