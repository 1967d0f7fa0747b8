"""Live checks as values: what stores say of chosen offers just before a shopper goes to buy them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from aggregator.domain.money import Money
from aggregator.domain.offers import OfferState
from aggregator.domain.stores import HandOffLine, Store
from aggregator.domain.vocabulary import Availability

# Less than this factor is an ordinary change; a thousandth aside, a factor is a power of ten.
_MOVED = Decimal("1.5")
_NEARLY = Decimal("0.001")

LiveOfferState = Literal["waiting", "same", "changed", "sold_out", "doubtful", "unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshOffer:
    """What a store said of one offer some minutes ago; `stock` None is no limit that is known."""

    price: Money
    is_sold_out: bool
    stock: int | None
    checked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOffer:
    """One offer of a check, before and now. `now` is None where the store did not tell a price."""

    offer_id: str
    state: LiveOfferState
    quantity: int
    before: Money
    now: Money | None
    availability: Availability | None
    stock: int | None
    problem: str | None
    checked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCheck:
    """The latest check of a checkout, its offers by public id. `is_open` while a worker may still add to it."""

    is_open: bool
    created_at: datetime
    offers: Mapping[str, CheckedOffer]

    def count(self, *states: LiveOfferState) -> int:
        """How many of its offers are in one of these states."""
        return sum(offer.state in states for offer in self.offers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPrices:
    """What the catalogue knows of an offer's price, by which one seen live is judged.

    `lowest` and `highest` are of 30 days, `elsewhere` what other stores ask (None: none do), all in the currency of
    `price`; `jump` is the factor at which a single price is not believed alone.
    """

    price: Money
    lowest: Decimal
    highest: Decimal
    elsewhere: Decimal | None
    jump: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreToCheck:
    """One store's offers to look at now, by the keys of their rows in the order of `lines`."""

    store: Store
    lines: tuple[HandOffLine, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CheckToDo:
    """A check that a worker took, by its public id, and the stores to ask."""

    id: str
    stores: tuple[StoreToCheck, ...]


def live_state(state: OfferState, *, before: Money, quantity: int, is_doubtful: bool) -> LiveOfferState:
    """What a look at an offer means for the shopper who chose so many of it at the price `before`."""
    if state.is_gone:
        return "sold_out"
    if state.availability is not None and not state.availability.can_be_bought:
        return "sold_out"
    if state.price is None:
        return "unverified"
    if is_doubtful:
        return "doubtful"
    is_short = state.stock_level is not None and state.stock_level < quantity
    return "changed" if is_short or state.price.rounded() != before.rounded() else "same"


def is_doubtful(now: Money, known: KnownPrices) -> bool:
    """Whether a price seen live cannot be believed alone: the rule by which runs hold single prices back.

    It changes the currency, or leaves what the offer asked within 30 days by the store's factor or by exactly a power
    of ten, and no other store asks about as much (see `aggregator.catalog.price_jumps`).
    """
    if now.currency != known.price.currency:
        return True
    price, old = now.amount, known.price.amount
    if price <= old * _MOVED and price * _MOVED >= old:
        return False
    if known.elsewhere is not None and known.elsewhere / 3 <= price <= known.elsewhere * 3:
        return False
    if price > old:
        has_left, is_far = price > known.highest * _MOVED, price > known.lowest * known.jump
    else:
        has_left, is_far = price * _MOVED < known.lowest, price * known.jump < known.highest
    smaller, larger = sorted((price, old))
    is_power = any(abs(larger - power * smaller) < power * smaller * _NEARLY for power in (10, 100, 1000))
    return has_left and (is_far or is_power)
