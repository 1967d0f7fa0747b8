"""GTINs told from other numbers, and ids of our own."""

from __future__ import annotations

import re

import pytest

from aggregator.domain.identifiers import compact_code, new_public_id, read_gtin, shown_gtin


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("4006381333931", "04006381333931"),
        ("4006381-33393 1", "04006381333931"),
        ("036000291452", "00036000291452"),
        ("0036000291452", "00036000291452"),
        ("73513537", "00000073513537"),
        ("10614141543219", "10614141543219"),
        ("0-306-40615-2", "09780306406157"),
        ("9780306406157", "09780306406157"),
        ("080442957X", "09780804429573"),
        ("4006381333932", None),
        ("2012345678900", None),
        ("0212345678909", None),
        ("9770317847001", None),
        ("9812345678902", None),
        ("00000000", None),
        ("0000000000000", None),
        ("123", None),
        ("", None),
        (None, None),
        ("B00012345X1", None),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", None),
    ],
)
def test_only_a_trade_items_number_with_a_right_check_digit_is_a_gtin(
    text: str | None, gtin: str | None
) -> None:
    assert read_gtin(text) == gtin


def test_the_demonstration_prefix_of_gs1_is_allowed() -> None:
    assert [digit for digit in range(10) if read_gtin(f"952000000000{digit}")] == [4]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("04006381333931", "4006381333931"),
        ("00000073513537", "73513537"),
        ("10614141543219", "10614141543219"),
    ],
)
def test_a_gtin_is_shown_as_it_is_printed(stored: str, shown: str) -> None:
    assert shown_gtin(stored) == shown


def test_public_ids_are_letters_and_digits_and_never_repeat() -> None:
    ids = {new_public_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(re.fullmatch(r"[a-z0-9]{12}", public_id) for public_id in ids)


def test_codes_agree_with_and_without_separators() -> None:
    assert compact_code("WH-1000 xm4") == compact_code("wh1000/XM4") == "WH1000XM4"
