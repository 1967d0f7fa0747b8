"""What people tell of themselves: a name and a picture."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from sqlalchemy import delete, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.accounts.pictures import redraw
from aggregator.db.models import AccountPictureRow, AccountRow
from aggregator.domain.normalization.names import clean_text


def set_name(session: Session, account_id: int, name: str) -> None:
    """How the account is called; nothing takes the name away."""
    shown = clean_text(name, 100) or None
    session.execute(update(AccountRow).where(AccountRow.id == account_id).values(name=shown))


def set_language(session: Session, account_id: int, language: str, *, only_first: bool = False) -> None:
    """What the account is written to in, such as "de"; with `only_first` one that was known already stays."""
    known = AccountRow.language.is_(None) if only_first else true()
    session.execute(update(AccountRow).where(AccountRow.id == account_id, known).values(language=language))


def set_picture(session: Session, account_id: int, content: bytes) -> None:
    """Keep an uploaded picture, drawn anew; raises InvalidInput for what is none."""
    values = {"content": redraw(content), "updated_at": datetime.now(UTC)}
    session.execute(
        insert(AccountPictureRow)
        .values(account_id=account_id, **values)
        .on_conflict_do_update(index_elements=["account_id"], set_=values)
    )


def remove_picture(session: Session, account_id: int) -> None:
    """Let go of the account's picture."""
    session.execute(delete(AccountPictureRow).where(AccountPictureRow.account_id == account_id))


def find_picture(session: Session, account_id: int) -> tuple[bytes, str] | None:
    """The account's picture (WebP) and its digest; None where it has none."""
    content = session.scalar(
        select(AccountPictureRow.content).where(AccountPictureRow.account_id == account_id)
    )
    return None if content is None else (content, hashlib.sha256(content).hexdigest()[:16])
