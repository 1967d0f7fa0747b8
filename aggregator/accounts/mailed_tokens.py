"""Single-use tokens that prove a mailbox: making, looking at and spending them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import new_token, token_hash
from aggregator.db.models import MailedTokenRow

Purpose = Literal["activate", "recover", "change_mail"]

LIFETIMES: dict[Purpose, timedelta] = {
    "activate": timedelta(days=1),
    "recover": timedelta(hours=1),
    "change_mail": timedelta(hours=6),
}


def put_token(
    session: Session, purpose: Purpose, email: str, *, account_id: int | None = None, **values: Any
) -> str:
    """Make a token to be mailed to the address; earlier ones of the account and purpose are void."""
    if account_id is not None:
        void_tokens(session, account_id, purpose)
    token = new_token()
    session.execute(
        insert(MailedTokenRow).values(
            purpose=purpose,
            email=email,
            account_id=account_id,
            token_hash=token_hash(token),
            expires_at=datetime.now(UTC) + LIFETIMES[purpose],
            **values,
        )
    )
    return token


def find_token(
    session: Session, purpose: Purpose, token: str, *, lock: bool = False
) -> MailedTokenRow | None:
    """The row of a token that is still good; None for every other."""
    query = select(MailedTokenRow).where(
        MailedTokenRow.purpose == purpose,
        MailedTokenRow.token_hash == token_hash(token),
        MailedTokenRow.used_at.is_(None),
        MailedTokenRow.expires_at > datetime.now(UTC),
    )
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def void_tokens(session: Session, account_id: int, *purposes: Purpose) -> None:
    """No token of these purposes that the account was mailed works any more."""
    session.execute(
        update(MailedTokenRow)
        .where(MailedTokenRow.account_id == account_id, MailedTokenRow.purpose.in_(purposes))
        .where(MailedTokenRow.used_at.is_(None))
        .values(used_at=datetime.now(UTC))
    )
