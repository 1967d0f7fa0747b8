"""The outbox: a notice is written in the transaction of what it tells, and sent afterwards, at least once.

A sender takes a notice for a limited time. One that dies lets go of it when that time is over, and the notice is sent
again under the same id, by which a receiver can tell a repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import func, not_, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.db.models import NoticeRow
from aggregator.db.session import database_now
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.notices import NewNotice, Notice, OutboxState

# Half a minute, then twice as long each time, six hours at most: about three days in all.
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)
MOST_ATTEMPTS = 20
# Notices about accounts carry single-use links and codes.
ACCOUNT_TOPIC = "account"
# Mails, SMS and operators' webhooks; all else goes where an account told us to, which may be slow or dead.
_IS_OURS = NoticeRow.account_id.is_(None) | (NoticeRow.channel == "mail")


def put_notices(session: Session, notices: Iterable[NewNotice]) -> int:
    """Write notices to be sent when this transaction is committed; how many were new."""
    rows = [
        {
            "public_id": new_public_id(),
            "topic": notice.topic,
            "channel": notice.channel,
            "recipient": notice.recipient,
            "account_id": notice.account_id,
            "dedupe_key": notice.dedupe_key,
            "content": dict(notice.content),
        }
        for notice in notices
    ]
    if not rows:
        return 0
    now = database_now(session)
    put = session.scalars(
        insert(NoticeRow).on_conflict_do_nothing(index_elements=["dedupe_key"]).returning(NoticeRow.id),
        [{**row, "due_at": now} for row in rows],
    )
    return len(put.all())


def has_due_notices(session: Session) -> bool:
    """Whether anything waits to be sent now."""
    now = database_now(session)
    is_due = (NoticeRow.state == "waiting") & (NoticeRow.due_at <= now)
    is_free = or_(NoticeRow.taken_until.is_(None), NoticeRow.taken_until < now)
    return bool(session.scalar(select(select(NoticeRow.id).where(is_due, is_free).exists())))


def take_due_notices(session: Session, *, limit: int, hold: timedelta) -> list[Notice]:
    """Take some of what is due, the longest due first; nobody else gets it before `hold` is over. Commit at once.

    Mails come before what goes to accounts' own webhooks, browsers and messengers: a slow one keeps no mail waiting.
    """
    now = database_now(session)
    rows: list[NoticeRow] = []
    for lane in (_IS_OURS, not_(_IS_OURS)):
        if len(rows) < limit:
            rows += session.scalars(
                select(NoticeRow)
                .where(
                    NoticeRow.state == "waiting",
                    NoticeRow.due_at <= now,
                    or_(NoticeRow.taken_until.is_(None), NoticeRow.taken_until < now),
                    lane,
                )
                .order_by(NoticeRow.due_at, NoticeRow.id)
                .limit(limit - len(rows))
                .with_for_update(skip_locked=True)
            )
    for row in rows:
        row.taken_until = now + hold
        row.attempts += 1
    session.flush()
    return [
        Notice(
            id=row.public_id,
            topic=row.topic,
            channel=row.channel,  # type: ignore[arg-type]  # the table's check constraint holds the same words
            recipient=row.recipient,
            content=row.content,
            attempts=row.attempts,
            created_at=row.created_at,
            account_id=row.account_id,
        )
        for row in rows
    ]


def note_sent(session: Session, notice_id: str, *, forget_secrets: bool = False) -> None:
    """It was handed over. With `forget_secrets` the text of those that carry links and codes goes."""
    session.execute(
        update(NoticeRow)
        .where(NoticeRow.public_id == notice_id)
        .values(state="sent", sent_at=func.now(), taken_until=None, problem=None)
    )
    if forget_secrets:
        session.execute(
            update(NoticeRow)
            .where(NoticeRow.public_id == notice_id, NoticeRow.topic == ACCOUNT_TOPIC)
            .values(content={})
        )


def note_not_sent(session: Session, notice: Notice, problem: str, *, is_final: bool = False) -> None:
    """It could not be handed over: tried again later, or given up where that is in vain."""
    gives_up = is_final or notice.attempts >= MOST_ATTEMPTS
    pause = min(FIRST_PAUSE * 2 ** min(notice.attempts - 1, 12), LONGEST_PAUSE)
    session.execute(
        update(NoticeRow)
        .where(NoticeRow.public_id == notice.id, NoticeRow.state == "waiting")
        .values(
            state="given_up" if gives_up else "waiting",
            due_at=database_now(session) + pause,
            taken_until=None,
            problem=clean_text(problem, 500),
        )
    )


def put_back(session: Session, notice: Notice) -> None:
    """It was taken, but not tried: somebody else may take it now."""
    session.execute(
        update(NoticeRow)
        .where(NoticeRow.public_id == notice.id, NoticeRow.state == "waiting")
        .values(taken_until=None, attempts=NoticeRow.attempts - 1)
    )


def outbox_state(session: Session) -> OutboxState:
    """The outbox in figures; of what was given up, the last day.

    An account's own webhook or browser that takes nothing does not count: it is nothing an operator could mend.
    """
    is_waiting = NoticeRow.state == "waiting"
    row = session.execute(
        select(
            func.count().filter(is_waiting),
            func.count().filter(is_waiting, NoticeRow.attempts > 1),
            # Nor could one mend an address that somebody mistyped at registration.
            func.count().filter(
                NoticeRow.state == "given_up",
                NoticeRow.topic != ACCOUNT_TOPIC,
                NoticeRow.due_at > func.now() - timedelta(days=1),
            ),
            func.min(NoticeRow.created_at).filter(is_waiting),
        ).where(NoticeRow.state != "sent", _IS_OURS)
    ).one()
    problem = session.scalar(
        select(NoticeRow.problem)
        .where(NoticeRow.problem.is_not(None), _IS_OURS)
        .order_by(NoticeRow.id.desc())
        .limit(1)
    )
    return OutboxState(
        waiting=row[0], retried=row[1], given_up=row[2], oldest_waiting_at=row[3], last_problem=problem
    )
