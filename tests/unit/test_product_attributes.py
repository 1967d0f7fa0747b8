"""Quantities that titles tell, as facets."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aggregator.domain.product_attributes import content_of, read_attributes


@pytest.mark.parametrize(
    ("title", "attributes"),
    [
        ('Samsung QE55 55" QLED TV', [("screen_size", "55 inch")]),
        ("LG OLED 55-inch", [("screen_size", "55 inch")]),
        ("Fernseher 32 Zoll", [("screen_size", "32 inch")]),
        ("SanDisk Ultra 1024GB", [("capacity", "1 TB")]),
        ("SanDisk Ultra 64 Go", [("capacity", "64 GB")]),
        ("Laptop 8GB RAM 256GB SSD", []),
        ("Olive oil 750 ml", [("volume", "750 ml")]),
        ("Olive oil 75cl", [("volume", "750 ml")]),
        ("Water 1,5 l", [("volume", "1.5 l")]),
        ("Flour 1000 g", [("weight", "1 kg")]),
        ("Microwave 900W", [("power", "900 W")]),
        ("Model 12G45 in blue", []),
        ('A 0.5" screw', []),
        ("1200Mbps router", []),
    ],
)
def test_a_quantity_is_read_where_its_unit_follows_it(title: str, attributes: list[tuple[str, str]]) -> None:
    assert read_attributes(title) == attributes


def test_what_a_store_says_of_its_variant_comes_first_and_is_named_one_way() -> None:
    said = {"Color": "Black", "Storage": "256GB", "Title": "Default"}
    assert read_attributes("Phone 128 GB", said) == [("colour", "Black"), ("capacity", "256 GB")]


def test_the_content_of_a_piece_is_in_kilograms_or_litres() -> None:
    assert content_of([("volume", "750 ml")]) == (Decimal("0.750"), "l")
    assert content_of([("weight", "1 kg")]) == (Decimal(1), "kg")
    assert content_of([("weight", "1 kg"), ("volume", "1 l")]) is None
    assert content_of([("power", "900 W")]) is None
