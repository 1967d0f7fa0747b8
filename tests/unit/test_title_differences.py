"""What is marked in two titles that stand side by side."""

from __future__ import annotations

import pytest

from web.title_differences import compare_titles


def marked(left: str, right: str) -> tuple[list[str], list[str]]:
    sides = compare_titles(left, right)
    return tuple([part.text for part in side if part.is_different] for side in sides)  # type: ignore[return-value]  # two sides


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Red pen", "red PEN", ([], [])),
        ("Sony WH-1000XM4 black", "Black Sony WH 1000XM4", ([], [])),
        ("Sony WH1000XM4", "Sony WH 1000XM4 (silver)", ([], ["(silver)"])),
        ("Lamp 60 W - warm white", "Lamp 40 W, cold white", (["60", "warm"], ["40", "cold"])),
        ("Kettle/jug 1.7 l", "Kettle jug 1.7 l", ([], [])),
        ("Deux tasses bleues", "", (["Deux tasses bleues"], [])),
        ("", "", ([], [])),
        ("مصباح أحمر", "مصباح أزرق", (["أحمر"], ["أزرق"])),
    ],
)
def test_marks_the_words_that_the_other_title_has_not(
    left: str, right: str, expected: tuple[list[str], list[str]]
) -> None:
    assert marked(left, right) == expected


def test_the_parts_are_the_title() -> None:
    left, _ = compare_titles("A  b-c  (d) e", "x b-c")
    assert " ".join(part.text for part in left) == "A b-c (d) e"
