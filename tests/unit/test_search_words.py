"""The words a product is found by."""

from __future__ import annotations

from aggregator.domain.search_words import search_query, search_vector, words_of


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
