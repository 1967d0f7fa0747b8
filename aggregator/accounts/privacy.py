"""What an account may ask of its data: to have all of it, and to have it deleted."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from aggregator.accounts import letters
from aggregator.accounts.addresses import list_addresses
from aggregator.accounts.api_tokens import list_api_tokens
from aggregator.accounts.app_tokens import list_app_sign_ins
from aggregator.accounts.passkeys import list_passkeys
from aggregator.accounts.phones import find_phone
from aggregator.accounts.profiles import find_picture
from aggregator.accounts.second_factors import second_factor_state
from aggregator.accounts.sessions import list_sessions, public_id_of, sign_out_everywhere
from aggregator.db import audit
from aggregator.db.models import AccountRow, ApiTokenRow, AuditEntryRow, MailedTokenRow, NoticeRow
from aggregator.settings import Settings

GRACE = timedelta(days=30)

Export = Callable[[Session, Settings, int], Any]


def _profile(session: Session, settings: Settings, account_id: int) -> dict[str, Any]:
    row = session.execute(
        select(
            AccountRow.public_id,
            AccountRow.email,
            AccountRow.name,
            AccountRow.language,
            AccountRow.created_at,
        ).where(AccountRow.id == account_id)
    ).one()
    return {
        "id": row.public_id,
        "email": row.email,
        "name": row.name,
        "language": row.language,
        "phone": find_phone(session, settings, account_id),
        "picture": _as_data_address(find_picture(session, account_id)),
        "second_factor": second_factor_state(session, account_id).is_on,
        "created_at": row.created_at,
    }


def _as_data_address(picture: tuple[bytes, str] | None) -> str | None:
    return picture and f"data:image/webp;base64,{base64.b64encode(picture[0]).decode()}"


def _activity(session: Session, settings: Settings, account_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(AuditEntryRow.created_at, AuditEntryRow.action, AuditEntryRow.subject)
        .where(AuditEntryRow.account_id == account_id)
        .order_by(AuditEntryRow.id)
    )
    return [dict(row._mapping) for row in rows]


def _mails(session: Session, settings: Settings, account_id: int) -> list[dict[str, Any]]:
    email = session.scalar(select(AccountRow.email).where(AccountRow.id == account_id))
    rows = session.execute(
        select(NoticeRow.created_at, NoticeRow.topic, NoticeRow.channel, NoticeRow.state)
        .where((NoticeRow.recipient == email) | (NoticeRow.account_id == account_id))
        .order_by(NoticeRow.id)
    )
    return [dict(row._mapping) for row in rows]


# Each is a name in the export and what it holds; values of the domain become JSON by themselves.
EXPORTS: Mapping[str, Export] = MappingProxyType(
    {
        "account": _profile,
        "addresses": list_addresses,
        "sessions": lambda session, settings, account_id: list_sessions(session, account_id, None),
        "apps": lambda session, settings, account_id: list_app_sign_ins(session, account_id),
        "api_tokens": lambda session, settings, account_id: list_api_tokens(session, account_id),
        "passkeys": lambda session, settings, account_id: list_passkeys(session, account_id),
        "activity": _activity,
        "mails": _mails,
    }
)


def ask_deletion(session: Session, settings: Settings, account_id: int) -> datetime:
    """Delete the account in 30 days unless it says otherwise until then; returns when.

    It is signed out everywhere and its tokens end at once.
    """
    due_at = datetime.now(UTC) + GRACE
    email = session.scalars(select(AccountRow.email).where(AccountRow.id == account_id)).one()
    session.execute(update(AccountRow).where(AccountRow.id == account_id).values(deletion_due_at=due_at))
    session.execute(
        update(ApiTokenRow)
        .where(ApiTokenRow.account_id == account_id, ApiTokenRow.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )
    audit.record(session, account_id, "account.deletion_asked", public_id_of(session, account_id))
    sign_out_everywhere(session, account_id)
    letters.mail_deletion(session, settings, email, due_at)
    return due_at


def keep_account(session: Session, account_id: int) -> None:
    """Not to be deleted after all."""
    session.execute(update(AccountRow).where(AccountRow.id == account_id).values(deletion_due_at=None))
    audit.record(session, account_id, "account.deletion_withdrawn", public_id_of(session, account_id))


def delete_due_accounts(session: Session, *, now: datetime | None = None, at_most: int = 100) -> int:
    """Delete the accounts whose time has come, with all that is theirs; how many.

    What remains of them is the audit log: that something was done by an account that is gone, and no word of whom.
    """
    due = session.execute(
        select(AccountRow.id, AccountRow.email, AccountRow.public_id)
        .where(AccountRow.deletion_due_at <= (now or datetime.now(UTC)))
        .limit(at_most)
        .with_for_update(skip_locked=True)
    ).all()
    for account in due:
        session.execute(delete(NoticeRow).where(NoticeRow.recipient == account.email))
        session.execute(delete(MailedTokenRow).where(MailedTokenRow.email == account.email))
        session.execute(delete(AccountRow).where(AccountRow.id == account.id))
        audit.record(session, None, "account.deleted", account.public_id)
    return len(due)
