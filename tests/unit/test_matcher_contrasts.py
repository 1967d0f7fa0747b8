"""What titles say that no one product can be at once."""

from __future__ import annotations

import re

import pytest

from matcher.contrasts import contrasts_of
from matcher.titles import plain


def _said(title: str) -> dict[str, str]:
    text = plain(title)
    return dict(contrasts_of(text, frozenset(re.findall(r"[a-z0-9]+", text))))


@pytest.mark.parametrize(
    ("title", "attribute", "value"),
    [
        ("Levi's 501 W32 L34 Jeans", "waist", "32"),
        ("Levi's 501 32W 34L Jeans", "length", "34"),
        ("Nike Air Max 42 EU", "size", "42"),
        ("ThinkPad X1 Gen 10", "generation", "10"),
        ("Echo Dot 3rd Generation", "generation", "3"),
        ("Smeg FAB30 Right Hand Hinge", "side", "right"),
        ("Bosch Einbau Geschirrspüler integrierbar", "installation", "built in"),
        ("LG 42\" Plasma TV", "screen", "plasma"),
        ("Sun Spray LSF 50", "spf", "50"),
        ("Canon EF 50mm f/1.4", "aperture", "1.4"),
        ("Canon EF-S 17-85mm f/4.0-5.6", "aperture", "4"),
        ("Norton 360 5 Devices", "devices", "5"),
        ("Dior Sauvage EDT 100ml", "form", "toilette"),
        ("Nivea Men Sensitive Shaving Gel", "form", "gel"),
        ("HP 305 Tri-Colour Ink", "colours", "several"),
        ("Galaxy S21 5G (256GB)", "gigabytes", "256"),
        ("Adventure Workshop 4th-6th Grade 7th Edition", "edition", "7"),
        ("WD Elements 1.5 TB", "terabytes", "1.5"),
    ],
)  # fmt: skip
def test_an_attribute_is_read_however_it_is_written(title: str, attribute: str, value: str) -> None:
    assert _said(title)[attribute] == value


@pytest.mark.parametrize("title", ["Panasonic SDYD250 Bread Maker", "French Door Fridge", "Full HD TV", ""])
def test_most_titles_say_nothing(title: str) -> None:
    assert _said(title) == {}


def test_a_title_that_says_two_values_says_none() -> None:
    assert "cord" not in _said("Cordless phone with corded base")
    assert "gigabytes" not in _said("ThinkPad 8GB 256GB")
