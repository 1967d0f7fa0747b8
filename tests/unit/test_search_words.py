"""The words a product is found by."""

from __future__ import annotations

from aggregator.domain.search_words import (
    code_of,
    index_words,
    named_things,
    query_words,
    search_query,
    search_vector,
    synonyms,
    whole_wording,
    words_of,
)


def test_codes_are_words_with_and_without_separators() -> None:
    assert list(words_of("Sony WH-1000XM4 Kopfhörer")) == ["sony", "wh", "1000xm4", "wh1000xm4", "kopfhorer"]


def test_a_query_asks_for_every_word_by_its_beginning() -> None:
    assert search_query("sony head") == "('sony':*) & ('head':*)"
    assert search_query("wh-1000") == "(('wh':* & '1000':*) | 'wh1000':*)"


def test_a_query_of_signs_asks_for_nothing() -> None:
    assert search_query("  -- '' & | ! :* \\ ") is None
    assert search_query("") is None


def test_no_sign_of_the_query_language_gets_through() -> None:
    assert search_query("a'b | !c:*") == "(('a':* & 'b':*) | 'ab':*) & ('c':*)"


def test_title_words_weigh_more_than_those_of_other_offers() -> None:
    assert search_vector("Sony TV", "Sony", None, ["Sony Bravia"]) == "'sony':1A 'tv':2A 'bravia':3C"


def test_a_product_is_found_by_the_parts_of_its_words_too() -> None:
    assert {"cybershot", "cyber", "shot", "dsc", "w55", "dscw55", "55"} <= set(
        index_words(["CyberShot DSC-W55"])
    )


def test_a_wording_is_alike_however_it_is_spelt() -> None:
    assert whole_wording("  SONY  WH-1000xm4 ") == whole_wording("Sony WH 1000XM4")


def test_a_code_is_a_gtin_in_every_form_or_a_model_number_without_separators() -> None:
    gtin = "04006381333931"
    assert {code_of(form) for form in ("4006381333931", "EAN 4006381333931", "4-006381-333931")} == {gtin}
    assert code_of("WH-1000 XM4") == code_of("wh1000xm4") == "wh1000xm4"
    assert code_of("headphones") is None


def test_names_of_several_words_are_one_thing() -> None:
    things = named_things(query_words("bosch washing machine 8 kg"))
    assert [name for name, _ in things] == [("bosch",), ("washing", "machine"), ("8",), ("kg",)]
    assert ("waschmaschine",) in dict(things)[("washing", "machine")]


def test_synonyms_go_both_ways_and_name_no_letter_alone() -> None:
    assert all((name in synonyms()[other]) for name, others in synonyms().items() for other in others)
    assert not [name for name in synonyms() if len("".join(name)) < 2]
