"""Putting a live re-check of one offer into words: its price and availability now, or why neither is known."""

from __future__ import annotations

from datetime import UTC, datetime

from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer


def state_of(raw: RawOffer | InvalidOffer, default_currency: str | None) -> OfferState:
    """What a freshly read offer says now."""
    read = raw if isinstance(raw, InvalidOffer) else normalize_offer(raw, default_currency=default_currency)
    if isinstance(read, InvalidOffer):
        return unknown_state(raw.external_id, f"could not be read ({read.reason})")
    return OfferState(
        external_id=read.external_id,
        price=read.price,
        availability=read.availability,
        checked_at=datetime.now(UTC),
    )


def unknown_state(external_id: str, problem: str) -> OfferState:
    """An offer whose price could not be read now."""
    return OfferState(
        external_id=external_id, price=None, availability=None, checked_at=datetime.now(UTC), problem=problem
    )
