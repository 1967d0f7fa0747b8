"""What waits for the matcher, what people have said about its pairs, and who may link now."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from aggregator.db.models import MatchReviewRow, MatchVerdictRow, OfferRow

# Any constant will do, as long as all linkers agree on it.
_LINKING_LOCK = 0x436C_6D61


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """A person's standing word on two offers: "same", "different" or "variant"."""

    left_offer_id: int
    right_offer_id: int
    verdict: str


def take_linking_turn(session: Session) -> bool:
    """Whether this transaction may link: one links at a time, until its transaction ends."""
    return bool(session.scalar(text("select pg_try_advisory_xact_lock(:key)"), {"key": _LINKING_LOCK}))


def count_pending_offers(session: Session) -> int:
    """How many current offers wait for the matcher."""
    return (
        session.scalar(
            select(func.count()).where(OfferRow.match_state == "pending", OfferRow.gone_at.is_(None))
        )
        or 0
    )


def count_open_reviews(session: Session) -> int:
    """How many doubtful pairs wait for a person."""
    return session.scalar(select(func.count()).where(MatchReviewRow.settled_at.is_(None))) or 0


def standing_verdicts(session: Session) -> list[PairVerdict]:
    """Every verdict that was not withdrawn."""
    rows = session.execute(
        select(MatchVerdictRow.left_offer_id, MatchVerdictRow.right_offer_id, MatchVerdictRow.verdict)
        .where(MatchVerdictRow.withdrawn_at.is_(None))
        .order_by(MatchVerdictRow.id)
    )
    return [PairVerdict(left, right, verdict) for left, right, verdict in rows]
