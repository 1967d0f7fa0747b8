"""What waits for the matcher, and what people have said about its pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aggregator.db.models import MatchReviewRow, MatchVerdictRow, OfferRow


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


def still_pending(session: Session, read_as: Mapping[int, datetime]) -> set[int]:
    """Those of the offers that are pending and unchanged since they were read with these `changed_at`."""
    rows = session.execute(
        select(OfferRow.id, OfferRow.changed_at).where(
            OfferRow.id.in_(read_as), OfferRow.gone_at.is_(None), OfferRow.match_state == "pending"
        )
    )
    return {offer_id for offer_id, changed_at in rows if read_as[offer_id] == changed_at}
