"""The lines between a crawl process and the process that started it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aggregator.domain.offers import InvalidOffer, RawOffer
from spiders.item_lines import Counts, Ending, Line, from_line, to_line


@pytest.mark.parametrize(
    "value",
    [
        RawOffer(
            external_id="1",
            url="https://shop.example/1",
            title="A\u2028B\n",
            price=Decimal("1.10"),
            list_price="2,00",
        ),
        RawOffer(
            external_id="1",
            url="u",
            title="t",
            price="1.299,00 €",
            variant_attributes={"c": "r"},
            raw={"a": [1]},
        ),
        InvalidOffer(external_id="", title="", url="", reason="no_id", detail="", raw={"x": None}),
        Counts(3, 4),
        Ending(None),
        Ending("broke down"),
    ],
)
def test_a_value_comes_back_from_its_line(value: Line) -> None:
    line = to_line(value)
    assert line.count("\n") == 1
    assert from_line(line) == value


@pytest.mark.parametrize("line", ["", "{}", '{"Store": {}}', '{"Counts": 1}', "[1]"])
def test_a_foreign_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # json, the shape and the fields each say it their way
        from_line(line)
