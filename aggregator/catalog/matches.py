"""What waits for the matcher, whose turn it is, and people's words that it has to take up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session, sessionmaker

from aggregator.catalog.locks import lock_catalogue
from aggregator.db.models import MatchVerdictRow, OfferRow, RunRow

LONGEST_WAIT = timedelta(minutes=1)
# Any constant will do, as long as all linkers agree on it.
_LINKING = 0x436C_6D61


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """A person's standing word on two offers: "same", "different" or "variant"."""

    left_offer_id: int
    right_offer_id: int
    verdict: str


def count_pending_offers(session: Session) -> int:
    """How many current offers wait for the matcher."""
    return (
        session.scalar(
            select(func.count()).where(OfferRow.match_state == "pending", OfferRow.gone_at.is_(None))
        )
        or 0
    )


def matching_is_due(session: Session) -> bool:
    """Whether offers wait and the stores being read now need not be waited for any longer.

    Offers of several stores are told apart better together, so a linking waits for crawls that are under
    way, a minute at most. A person's word is taken up at once.
    """
    if _words_wait(session):
        return True
    oldest = session.scalar(
        select(func.min(OfferRow.changed_at)).where(
            OfferRow.match_state == "pending", OfferRow.gone_at.is_(None)
        )
    )
    if oldest is None:
        return False
    is_reading = session.scalar(select(exists().where(RunRow.state == "running")))
    return not is_reading or oldest < datetime.now(UTC) - LONGEST_WAIT


@contextmanager
def linking_turn(sessions: sessionmaker[Session]) -> Iterator[bool]:
    """Whether this process may link: one does at a time, because two would only do the same work twice."""
    with sessions.begin() as session:
        yield bool(session.scalar(text("select pg_try_advisory_xact_lock(:key)"), {"key": _LINKING}))


def standing_verdicts(session: Session) -> list[PairVerdict]:
    """Every verdict that was not withdrawn."""
    rows = session.execute(
        select(MatchVerdictRow.left_offer_id, MatchVerdictRow.right_offer_id, MatchVerdictRow.verdict)
        .where(MatchVerdictRow.withdrawn_at.is_(None))
        .order_by(MatchVerdictRow.id)
    )
    return [PairVerdict(left, right, verdict) for left, right, verdict in rows]


def _words_wait(session: Session) -> bool:
    return bool(session.scalar(select(exists().where(MatchVerdictRow.applied_at.is_(None)))))


def take_up_verdicts(session: Session) -> int:
    """Let what people said since the last time be decided anew; returns how many offers wait because of it.

    All offers of the products that a new (or withdrawn) verdict concerns become pending, so that these
    products are made again under it. One that only confirms that two products are two concerns none.
    """
    if not _words_wait(session):
        return 0
    lock_catalogue(session)
    waiting = session.execute(
        text(
            """
            with words as (
                select l.product_id as left_id, g.product_id as right_id
                from match_verdicts v
                join offers l on l.id = v.left_offer_id join offers g on g.id = v.right_offer_id
                where v.applied_at is null
                  and (v.verdict = 'same' or v.withdrawn_at is not null or l.product_id = g.product_id)
            )
            update offers set match_state = 'pending'
            where gone_at is null and match_state <> 'pending'
              and product_id in (select left_id from words union select right_id from words)
            returning id
            """
        )
    ).all()
    session.execute(text("update match_verdicts set applied_at = now() where applied_at is null"))
    return len(waiting)


def still_current(session: Session, read_as: Mapping[int, datetime], *, pending_only: bool) -> set[int]:
    """Those of the offers that are current and unchanged since they were read with these `changed_at`."""
    rows = session.execute(
        text(
            f"""
            select id, changed_at from offers
            where id = any(cast(:offers as bigint[])) and gone_at is null
              {"and match_state = 'pending'" if pending_only else ""}
            """
        ),
        {"offers": list(read_as)},
    )
    return {offer_id for offer_id, changed_at in rows if read_as[offer_id] == changed_at}
