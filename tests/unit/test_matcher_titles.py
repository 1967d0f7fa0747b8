"""What is read from titles: codes apart from measures, packs, colours, condition."""

from __future__ import annotations

import pytest

from matcher.titles import read_title


@pytest.mark.parametrize(
    ("title", "measure"),
    [
        ("Television 49 inch", ("length in inches", "49")),
        ("Fernseher 124 cm", ("length in inches", "49")),
        ("Drive 500gb", ("gigabytes", "500")),
        ("Drive 0.5 TB", ("gigabytes", "512")),
        ("Kettle 230v", ("volts", "230")),
        ("Soap 750 ml", ("litres", "0.75")),
        ("Soap 0,75 l", ("litres", "0.75")),
    ],
)
def test_measures_are_not_codes(title: str, measure: tuple[str, str]) -> None:
    reading = read_title(title)
    assert (reading.codes, reading.measures) == (frozenset(), {measure})


@pytest.mark.parametrize(
    ("title", "codes"),
    [
        ("Sony WH-1000XM4 Wireless", {"wh1000xm4"}),
        ("Sony WH1000XM4", {"wh1000xm4"}),
        ("Apple Mac mini MB138LL/A", {"mb138lla"}),
        ("Nikon D90 Black", {"d90"}),
        ("Mouse 910-001234", {"910001234"}),
        ("Print Master v17 for Windows XP SP2", set()),
        ("Screen 600x600 4k HDR10 DVB", set()),
        ("Lap desktop 30pk", set()),
        ("Sony LCS-TWA/B Cyber-shot Case - LCSTWAB", {"lcstwab"}),
        ("Speck SeeThru Case - MBA-CLR-SEE", {"mbaclrsee"}),
        ("SONY LCSTWAB CASE", set()),
        ("External DVD-RW writer, SCHWARZ", set()),
    ],
)
def test_codes_with_and_without_separators_are_one(title: str, codes: set[str]) -> None:
    assert read_title(title).codes == codes


@pytest.mark.parametrize(
    ("title", "pack"),
    [
        ("Batteries 4-pack", 4),
        ("Pack of 12 pens", 12),
        ("Pens twin pack", 2),
        ("Pens 24 ct", 24),
        ("Ink 4 colors pack", 4),
        ("Photo paper 40 pack - SVMF40P", 1),
        ("EtherFast10/100 switch pack of 10", 10),
        ("Pen", 1),
    ],
)
def test_packs_are_counted(title: str, pack: int) -> None:
    assert read_title(title).pack == pack


def test_a_network_is_no_weight() -> None:
    assert read_title("Galaxy S21 5G").measures == frozenset()
    assert read_title("Saffron 5 grams").measures == {("grams", "5")}


def test_versions_are_numbers() -> None:
    assert read_title("Mavis Beacon v17").numbers == {"17"}
    assert read_title("Rumba (v. 7.3)").numbers == {"7.3"}


def test_colours_of_several_languages_are_one() -> None:
    assert read_title("Kühlschrank schwarz").colours == read_title("Fridge BLK").colours == {"black"}


@pytest.mark.parametrize(
    ("title", "colours"),
    [
        ("Sony Blu-ray player", set()),
        ("Sony Blu-ray player blue", {"blue"}),
        ("Black camera, red-eye", {"black"}),
    ],
)
def test_techniques_called_by_a_colour_are_none(title: str, colours: set[str]) -> None:
    assert read_title(title).colours == colours


def test_a_code_that_ends_in_pieces_is_no_measure() -> None:
    assert read_title("Olympus VN-4100PC recorder").codes == {"vn4100pc"}
    assert read_title("Screws 100pcs").measures == {("pieces", "100")}


def test_refurbished_and_accessories_are_noticed() -> None:
    assert read_title("Phone (refurbished)").refurbished
    assert not read_title("Phone").refurbished
    assert read_title("Leather case for Phone").accessory
    assert not read_title("Phone").accessory


def test_any_script_keeps_its_words() -> None:
    assert read_title("Холодильник Атлант 300").words == ("холодильник", "атлант", "300")
    assert read_title("").words == ()


@pytest.mark.parametrize(
    ("title", "region"),
    [
        ("Toaster UK Plug", "uk"),
        ("Keyboard (US Layout)", "us"),
        ("Notebook QWERTZ", "german"),
        ("Keyboard QWERTY US International", "us"),
        ("Mikrowelle (Version Française)", "french"),
        ("Camera European Model", "eu"),
        ("Made in USA jeans", ""),
        ("German shepherd toy", ""),
    ],
)
def test_the_region_is_what_plug_keyboard_or_version_say(title: str, region: str) -> None:
    assert read_title(title).region == region


@pytest.mark.parametrize(
    ("title", "bundle"),
    [
        ("Samsung LN46A550 + Wall Bracket", 1),
        ("Recorder with Carry Bag", 1),
        ("Receiver and Cleaning Kit Bundle", 1),
        ("Keyboard and Mouse Combination MX5500", -1),
        ("Sportster 5 with Car Kit - SP5TK1", -1),
        ("Camera with 3x zoom", 0),
        ("Leather case for Phone", 0),
    ],
)
def test_a_bundle_is_noticed(title: str, bundle: int) -> None:
    assert read_title(title).bundle == bundle
