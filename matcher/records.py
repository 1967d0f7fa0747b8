"""What the matcher is given and what people have said about it: offers as records, verdicts on pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import pairwise
from typing import Any

from aggregator.domain.errors import InvalidInput
from aggregator.domain.identifiers import read_gtin
from aggregator.domain.verdicts import Verdict
from matcher.titles import squashed

__all__ = [
    "OfferRecord",
    "Verdict",
    "identifiers_of",
    "in_stable_order",
    "record_from_json",
    "record_to_json",
]


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


def identifiers_of(record: OfferRecord) -> list[str]:
    """The valid bar code and the part number as keys that equal ones of other records equal."""
    gtin = read_gtin(record.gtin) if record.gtin else None
    part_number = squashed(record.mpn) if record.mpn else ""
    return [*([f"gtin {gtin}"] if gtin else []), *([f"mpn {part_number}"] if part_number else [])]


def record_to_json(record: OfferRecord) -> list[Any]:
    """A record as json.dumps takes it, read again by `record_from_json`."""
    values = [getattr(record, name) for name in _FIELDS]
    values[_PRICE] = None if record.price is None else str(record.price)
    return values


def record_from_json(values: Sequence[Any]) -> OfferRecord:
    """What `record_to_json` wrote."""
    found = dict(zip(_FIELDS, values, strict=True))
    if found["price"] is not None:
        found["price"] = Decimal(found["price"])
    found["variant_attributes"] = tuple((name, value) for name, value in found["variant_attributes"])
    return OfferRecord(**found)


_FIELDS = tuple(field.name for field in fields(OfferRecord))
_PRICE = _FIELDS.index("price")
