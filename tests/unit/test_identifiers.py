"""GTINs told from other numbers, and ids of our own."""

from __future__ import annotations

import re

import pytest

from aggregator.domain.identifiers import (
    ProductNumber,
    compact_code,
    new_public_id,
    read_gtin,
    read_product_number,
    shown_gtin,
)


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


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("EAN13: 4006381333931", "gtin13", "4006381333931"),
        ("EAN134006381333931", "gtin13", "4006381333931"),
        ("EAN4006381333931", "gtin13", "4006381333931"),
        ("Gtin1410614141543219", "gtin14", "10614141543219"),
        ("gtin : 73513537", "gtin8", "73513537"),
        ("UPC-E 04252614", "upc", "042100005264"),
        ("upc: 036000291452", "upc", "036000291452"),
        ("(9780306406157)", "isbn13", "9780306406157"),
        ("ISBN-10: 080442957X", "isbn10", "080442957X"),
        ("978–0–306–40615–7", "isbn13", "9780306406157"),
        ("2434-561X", "issn", "2434561X"),
        ("ISSN 2049-3630", "issn", "20493630"),
        ("9770317847001", "issn", "9770317847001"),
        ("979-0-060-11561-5", "ismn", "9790060115615"),
    ],
)
def test_a_number_is_told_by_its_label_length_and_check_digit(text: str, kind: str, value: str) -> None:
    assert read_product_number(text) == ProductNumber(kind, value)  # type: ignore[arg-type]  # a kind as text


@pytest.mark.parametrize(
    "text",
    ["EAN8: 4006381333931", "isbn 4006381333931", "1063HP7710", "AB-4006381-333931", "4006381333932", "4.00638E+12",
     "00000000", "9" * 400, "ean", "(-)"],
)  # fmt: skip
def test_other_codes_are_no_product_numbers(text: str) -> None:
    assert read_product_number(text) is None


def test_works_and_pasted_examples_are_no_gtins_of_a_product() -> None:
    assert [read_gtin(text) for text in ("2434-561X", "979-0-060-11561-5", "1234567890128", "12345670")] == [
        None, None, None, None,
    ]  # fmt: skip
