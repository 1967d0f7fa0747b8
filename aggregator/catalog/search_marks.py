"""Three small facets of a product in one number: price range, conditions, whether it can be bought.

Counting them all is then one look at each product found, where it was three.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from aggregator.domain.vocabulary import ItemCondition

# The lower limits of all price ranges but the first.
PRICES = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# Of a product without a price that can be compared.
_NO_RANGE = len(PRICES) + 1
_CONDITIONS = tuple(ItemCondition)
_MASKS = 1 << len(_CONDITIONS)
MOST_MARKS = 2 * _MASKS * (_NO_RANGE + 1)


def mark(price: Decimal | None, conditions: Iterable[str], *, is_available: bool) -> int:
    """The number of a product; ranges include their lower limit."""
    place = _NO_RANGE if price is None else bisect_right(PRICES, price)
    mask = sum(1 << _CONDITIONS.index(ItemCondition(one)) for one in set(conditions))
    return (place * _MASKS + mask) * 2 + is_available


@dataclass(frozen=True, slots=True)
class MarkCounts:
    """How many products are in each price range (by its place), in each condition, and can be bought."""

    ranges: Mapping[int, int]
    conditions: Mapping[str, int]
    available: int


def read_marks(counts: Mapping[int, int]) -> MarkCounts:
    """The facets from how many products have each number."""
    ranges: Counter[int] = Counter()
    conditions: Counter[str] = Counter()
    available = 0
    for number, count in counts.items():
        rest, is_available = divmod(number, 2)
        place, mask = divmod(rest, _MASKS)
        ranges[place] += count
        available += count * is_available
        for bit, condition in enumerate(_CONDITIONS):
            if mask >> bit & 1:
                conditions[str(condition)] += count
    return MarkCounts(ranges, conditions, available)
