"""Versions of a product as a table, and what a unit of it costs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aggregator.domain.money import Money
from aggregator.domain.products import VariantView
from aggregator.domain.unit_prices import unit_price
from web.variant_matrix import variant_matrix


def version(**attributes: str) -> VariantView:
    return VariantView(
        id="x",
        slug="x",
        title="x",
        attributes=tuple(attributes.items()),
        lowest_price=Money(Decimal(9), "EUR"),
    )


def test_two_attributes_make_a_table_with_gaps() -> None:
    own = {"Size": "M", "Colour": "red"}
    matrix = variant_matrix(own, [version(Size="S", Colour="red"), version(Size="XL", Colour="blue")])
    assert matrix is not None
    assert (matrix.row_name, matrix.column_name, matrix.columns) == ("Size", "Colour", ("blue", "red"))
    assert [row for row, _ in matrix.rows] == ["S", "M", "XL"]
    own_row = dict(matrix.rows)["M"]
    assert own_row[0] is None
    assert own_row[1] is not None
    assert own_row[1].variant is None


def test_numbers_stand_in_their_order() -> None:
    versions = [
        version(Storage=f"{size} GB", Colour=colour) for size in (1024, 64, 256) for colour in ("a", "b")
    ]
    matrix = variant_matrix({"Storage": "128 GB", "Colour": "a"}, versions)
    assert matrix is not None
    assert [row for row, _ in matrix.rows] == ["64 GB", "128 GB", "256 GB", "1024 GB"]


@pytest.mark.parametrize(
    "versions",
    [
        [version(Size="S", Colour="red")],  # one attribute differs
        [version(Size="S")],  # not every version tells both
        [version(Size="S", Colour="blue"), version(Size="S", Colour="blue")],  # one place, two products
        [],
    ],
)
def test_what_is_no_table_is_a_list(versions: list[VariantView]) -> None:
    assert variant_matrix({"Size": "M", "Colour": "red"}, versions) is None


@pytest.mark.parametrize(
    ("title", "category", "amount", "unit"),
    [
        ("Olive oil 750 ml", "pantry", "13.32", "l"),
        ("Coffee beans 1 kg", "coffee-and-tea", "9.99", "kg"),
        ("Tea 125 g", "coffee-and-tea", "7.99", "100 g"),
        ("Juice 1 l, pack of 6", "soft-drinks", "1.66", "l"),
        ("HDMI cable, pack of 4", "cables", "2.50", "piece"),
    ],
)
def test_unit_prices(title: str, category: str, amount: str, unit: str) -> None:
    found = unit_price(Money(Decimal("9.99"), "EUR"), title, {}, category)
    assert found is not None
    assert (str(found.price.amount), found.unit) == (amount, unit)


@pytest.mark.parametrize(
    ("title", "category"),
    [("Fridge 366 l", "fridges-and-freezers"), ("Kettle 1.7 l", None), ("Mug", "pantry")],
)
def test_content_that_is_not_bought_gives_no_unit_price(title: str, category: str | None) -> None:
    assert unit_price(Money(Decimal("9.99"), "EUR"), title, {}, category) is None
