"""Pairs of offers as people judge them: the queue of doubtful pairs, and what was said about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aggregator.domain.money import Money
from aggregator.domain.products import Evidence
from aggregator.domain.vocabulary import Availability, ItemCondition

Word = Literal["same", "different", "variant"]
WORDS: tuple[Word, ...] = ("same", "different", "variant")


@dataclass(frozen=True, slots=True)
class PairFilter:
    """Which pairs are asked for: with an offer of this store (slug), of this brand, with these words in a title."""

    store: str = ""
    brand: str = ""
    text: str = ""

    def is_empty(self) -> bool:
        """Whether every pair passes."""
        return not (self.store or self.brand or self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedOffer:
    """One side of a pair. The last three tell the product that it belongs to now; None before it was linked."""

    id: str
    title: str
    store_slug: str
    store_name: str
    url: str
    brand: str | None
    gtin: str | None
    mpn: str | None
    sku: str | None
    category: str | None
    image_url: str | None
    price: Money
    list_price: Money | None
    availability: Availability | None
    item_condition: ItemCondition
    pack_size: int
    variant_attributes: tuple[tuple[str, str], ...]
    is_gone: bool
    product_id: str | None
    product_slug: str | None
    product_stores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReview:
    """A pair that waits for a person, with the evidence; `value` orders the queue (docs/matching.md).

    `reported_at` is set where somebody said that the two are wrongly together (or apart), in their words.
    """

    id: str
    left: ComparedOffer
    right: ComparedOffer
    probability: float
    evidence: tuple[Evidence, ...]
    value: float
    reported_at: datetime | None
    report: str | None
    was_skipped: bool
    is_settled: bool


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many pairs wait (with the filter), how many of them were skipped, and what one person settled today."""

    open: int
    skipped: int
    settled_today: int


@dataclass(frozen=True, slots=True)
class PairLabel:
    """An offer as a list of verdicts names it."""

    id: str
    title: str
    store_name: str
    product_id: str | None
    product_slug: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """A person's word on a pair: who, when, and whether it was withdrawn. `by` is None for the command line."""

    id: str
    word: Word
    left: PairLabel
    right: PairLabel
    said_at: datetime
    by: str | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    review_id: str | None
