"""What the matcher is given and what people have said about it: offers as records, verdicts on pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from aggregator.domain.errors import InvalidInput
from aggregator.domain.verdicts import Verdict

__all__ = ["OfferRecord", "Verdict", "in_stable_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRecord:
    """One offer as the matcher sees it; all but `offer_id` and `title` may be unknown.

    `offer_id` is unique among the records of a run. An empty `store` is unknown: no rule about one store
    applies then. `gtin` may be raw text, only a valid one counts. Offers of one store that share an
    `item_group_id` are variants of each other; `variant_attributes` are (name, value) pairs.
    """

    offer_id: str
    title: str
    store: str = ""
    brand: str = ""
    mpn: str = ""
    gtin: str = ""
    price: Decimal | None = None
    currency: str = ""
    category: str = ""
    item_group_id: str | None = None
    variant_attributes: tuple[tuple[str, str], ...] = ()


def in_stable_order(records: Iterable[OfferRecord]) -> list[OfferRecord]:
    """The records by offer id, so that the order of input decides nothing.

    Raises InvalidInput for an offer id that occurs twice.
    """
    ordered = sorted(records, key=lambda record: record.offer_id)
    for before, after in pairwise(ordered):
        if before.offer_id == after.offer_id:
            raise InvalidInput(
                f"offer_id {after.offer_id} occurs twice", remedy="give every offer an id of its own"
            )
    return ordered
