"""Putting a live re-check of one offer into words: its price and availability now, or why neither is known."""

from __future__ import annotations

from datetime import UTC, datetime

from aggregator.domain.normalization import normalize_offer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import Store

# The store answered, and has the offer no more: known as well as a price is.
NO_LONGER_LISTED = "is no longer listed"


def state_of(raw: RawOffer | InvalidOffer, store: Store) -> OfferState:
    """What a freshly read offer says now, taken by the rules that its store's crawls are read by."""
    read = (
        raw
        if isinstance(raw, InvalidOffer)
        else normalize_offer(raw, default_currency=store.currency, rules=store.offer_rules)
    )
    if isinstance(read, InvalidOffer):
        return unknown_state(raw.external_id, f"could not be read ({read.reason})")
    return OfferState(
        external_id=read.external_id,
        price=read.price,
        availability=read.availability,
        checked_at=datetime.now(UTC),
        stock_level=read.stock_level,
    )


def unknown_state(external_id: str, problem: str) -> OfferState:
    """An offer whose price could not be read now; gone where `problem` is NO_LONGER_LISTED."""
    return OfferState(
        external_id=external_id,
        price=None,
        availability=None,
        checked_at=datetime.now(UTC),
        problem=problem,
        is_gone=problem == NO_LONGER_LISTED,
    )
