"""Three facets in one number and back."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from aggregator.catalog.search_marks import MOST_MARKS, PRICES, mark, read_marks
from aggregator.domain.vocabulary import ItemCondition


@pytest.mark.parametrize(
    ("price", "place"), [("0", 0), ("9.99", 0), ("10", 1), ("49.99", 2), ("5000", len(PRICES)), (None, 10)]
)
def test_a_price_lies_in_the_range_that_its_lower_limit_opens(price: str | None, place: int) -> None:
    number = mark(None if price is None else Decimal(price), ["NewCondition"], is_available=True)
    assert read_marks({number: 3}).ranges == {place: 3}


def test_every_combination_is_told_apart_and_adds_up() -> None:
    prices = [None, *(Decimal(limit) for limit in (0, *PRICES))]
    conditions = [[str(one) for one in some] for some in ([], [ItemCondition.USED], list(ItemCondition))]
    numbers = {
        mark(price, some, is_available=is_available)
        for price, some, is_available in product(prices, conditions, (False, True))
    }
    assert len(numbers) == len(prices) * len(conditions) * 2
    assert max(numbers) < MOST_MARKS
    counts = read_marks(dict.fromkeys(numbers, 2))
    assert counts.available == len(numbers)
    assert counts.conditions["UsedCondition"] == 2 * counts.conditions["NewCondition"]
    assert sum(counts.ranges.values()) == 2 * len(numbers)
