"""What waits for the matcher, whose turn it is, and what people have said about its pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session, sessionmaker

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
    way, a minute at most.
    """
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


def still_pending(session: Session, read_as: Mapping[int, datetime]) -> set[int]:
    """Those of the offers that are pending and unchanged since they were read with these `changed_at`."""
    rows = session.execute(
        select(OfferRow.id, OfferRow.changed_at).where(
            OfferRow.id.in_(read_as), OfferRow.gone_at.is_(None), OfferRow.match_state == "pending"
        )
    )
    return {offer_id for offer_id, changed_at in rows if read_as[offer_id] == changed_at}
