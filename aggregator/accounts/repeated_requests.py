"""Answers that are kept for a day, so that a request that is sent again is not done again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import token_hash
from aggregator.db.models import RepeatedRequestRow

KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Answered:
    """What was asked (a digest of method, address and body) and what was answered."""

    request_digest: bytes
    status: int
    content_type: str
    body: bytes


def find_answer(session: Session, owner: str, key: str) -> Answered | None:
    """The answer kept under this key; None for a new one, of which nobody else can begin meanwhile."""
    name = token_hash(f"{owner}\0{key}")
    # Held to the end of the transaction: the same request at the same moment waits for the first one's answer.
    number = int.from_bytes(name[:8], signed=True)
    session.execute(text("select pg_advisory_xact_lock(:number)"), {"number": number})
    row = session.execute(
        select(
            RepeatedRequestRow.request_digest,
            RepeatedRequestRow.status,
            RepeatedRequestRow.content_type,
            RepeatedRequestRow.body,
        ).where(RepeatedRequestRow.name == name, RepeatedRequestRow.created_at > func.now() - KEPT)
    ).one_or_none()
    return Answered(*row) if row else None


def keep_answer(session: Session, owner: str, key: str, answered: Answered) -> None:
    """Keep an answer with what it changed, in one transaction."""
    name = token_hash(f"{owner}\0{key}")
    session.execute(delete(RepeatedRequestRow).where(RepeatedRequestRow.name == name))
    session.execute(
        insert(RepeatedRequestRow).values(
            name=name,
            request_digest=answered.request_digest,
            status=answered.status,
            content_type=answered.content_type,
            body=answered.body,
        )
    )
