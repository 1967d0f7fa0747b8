"""Lists as people paste them: quantities in many forms, tables, and nothing dropped."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.errors import InvalidInput
from aggregator.domain.pasted_lists import MAX_QUANTITY, WantedLine, read_pasted_list, read_wanted_line


@pytest.mark.parametrize(
    ("written", "quantity", "wording"),
    [
        ("Bosch GSR 12V", 1, "Bosch GSR 12V"),
        ("2x Bosch GSR 12V", 2, "Bosch GSR 12V"),
        ("2 x Bosch GSR 12V", 2, "Bosch GSR 12V"),
        ("2 × Bosch GSR 12V", 2, "Bosch GSR 12V"),
        ("2 * mug", 2, "mug"),
        ("x2 mug", 2, "mug"),
        ("Bosch GSR 12V x2", 2, "Bosch GSR 12V"),
        ("Bosch GSR 12V ×3", 3, "Bosch GSR 12V"),
        ("Bosch GSR 12V (2)", 2, "Bosch GSR 12V"),
        ("Bosch GSR 12V (x2)", 2, "Bosch GSR 12V"),
        ("Bosch GSR 12V - 2x", 2, "Bosch GSR 12V"),
        ("4 pcs. of mug", 4, "mug"),
        ("4 Stück Tassen", 4, "Tassen"),
        ("Mug - 4 pcs", 4, "Mug"),
        ("Qty: 4 Mug", 4, "Mug"),
        ("Mug, qty 4", 4, "Mug"),
        ("Anzahl 3; Mug", 3, "Mug"),
        ("- 3 milk frothers", 3, "milk frothers"),
        ("* [ ] 2× Kettle", 2, "Kettle"),
        ("☑ Kettle (2)", 2, "Kettle"),
        ("1. Sony WH-1000XM5", 1, "Sony WH-1000XM5"),
        ("1) 2 pcs Mug", 2, "Mug"),
        ("**Bold thing** ×2", 2, "Bold thing"),
        ("[Foo bar](https://shop.example/foo) x 3", 3, "Foo bar"),
        ("4006381333931 3", 3, "4006381333931"),
        ("3 4006381333931", 3, "4006381333931"),
        ("* 3, 4006381333931", 3, "4006381333931"),
        ("EAN 4006381333931", 1, "EAN 4006381333931"),
        # Numbers that are no quantity.
        ("12V battery", 1, "12V battery"),
        ("2 TB disk", 1, "2 TB disk"),
        ("2 m HDMI cable", 1, "2 m HDMI cable"),
        ("3-in-1 printer", 1, "3-in-1 printer"),
        ("7 Days to Die", 1, "7 Days to Die"),
        ("Samsung TV 55", 1, "Samsung TV 55"),
        ("Sigma 70-200 (2018)", 1, "Sigma 70-200 (2018)"),
        ("0 x foo", 1, "0 x foo"),
        ("2x", 1, "2x"),
        ("=HYPERLINK(1)", 1, "=HYPERLINK(1)"),
        ("123456 x mug", MAX_QUANTITY, "mug"),
    ],
)
def test_reads_how_many_of_what(written: str, quantity: int, wording: str) -> None:
    assert read_pasted_list(written) == (WantedLine(written, wording, quantity),)


def test_reads_bullets_headings_and_blank_lines() -> None:
    text = "# Workshop\n\n- 2x Bosch GSR 12V\n* Mug\n---\n3. Kettle (2)\r\n\r\n"
    assert [(line.quantity, line.wording) for line in read_pasted_list(text)] == [
        (2, "Bosch GSR 12V"),
        (1, "Mug"),
        (2, "Kettle"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "GTIN;qty\n4006381333931;3\n9780306406157;2",
        "4006381333931;3\n9780306406157;2",
        "4006381333931,3\n9780306406157,2\n",
        "3\t4006381333931\n2\t9780306406157",
        '"Menge","EAN","Name"\n"3","4006381333931","Pen; blue"\n2,9780306406157,Book',
        "| EAN | Qty |\n|:----|----:|\n| 4006381333931 | 3 |\n| 9780306406157 | 2 |",
        "\ufeffqty,ean\r\n3,4006381333931\r\n2,9780306406157\r\n",
    ],
)
def test_reads_tables(text: str) -> None:
    assert [(line.quantity, line.wording) for line in read_pasted_list(text)] == [
        (3, "4006381333931"),
        (2, "9780306406157"),
    ]


def test_a_line_with_its_count_behind_a_comma_is_a_small_table() -> None:
    assert read_pasted_list("Bosch GSR 12V, 2x") == (WantedLine("Bosch GSR 12V · 2x", "Bosch GSR 12V", 2),)


def test_a_table_by_name_takes_brand_name_and_code() -> None:
    text = "Brand;Article;Model;Quantity\nBosch;Drill;GSR 12V;2 pcs\n;Mug;;\n"
    assert read_pasted_list(text) == (
        WantedLine("Bosch · Drill · GSR 12V · 2 pcs", "Bosch Drill GSR 12V", 2),
        WantedLine("Mug", "Mug", 1),
    )


def test_commas_in_names_make_no_table() -> None:
    text = "Bosch, Makita or Metabo, 18V\nMug, white, 2"
    assert [line.text for line in read_pasted_list(text)] == text.splitlines()


def test_a_list_that_is_too_long_is_refused_with_what_to_do() -> None:
    assert len(read_pasted_list("mug\n" * 500)) == 500
    with pytest.raises(InvalidInput, match="501 lines, at most 500 can be read; paste it in parts"):
        read_pasted_list("mug\n" * 501)
    with pytest.raises(InvalidInput, match="at most 100 can be read"):
        read_pasted_list("é" * 50_001)


@given(st.text(max_size=2_000))
def test_any_text_is_read_and_every_written_line_is_kept(text: str) -> None:
    try:
        lines = read_pasted_list(text)
    except InvalidInput:
        return
    assert all(line.text and line.wording and 1 <= line.quantity <= MAX_QUANTITY for line in lines)


@given(
    st.lists(st.sampled_from('2 x × * ( ) [ ] - , ; qty pcs mug 12V "'.split(" ")), max_size=12).map(" ".join)
)
def test_one_line_stays_one_line(text: str) -> None:
    if text.strip():
        assert read_wanted_line(text).text == text.strip()


@pytest.mark.parametrize(
    "hostile",
    [
        "- " * 50_000,
        ("a (" * 130 + "\n") * 250,
        ("*" * 398 + "\n") * 250,
        ("[a" * 199 + "\n") * 250,
        ("1;" * 199 + "\n") * 250,
        (" ,-" * 132 + "x\n") * 250,
        '"' * 99_999,
        "\t" * 99_999,
    ],
    ids=range(8),
)
def test_hostile_lists_are_read_in_no_time(hostile: str) -> None:
    began = time.process_time()
    read_pasted_list(hostile)
    assert time.process_time() - began < 2
