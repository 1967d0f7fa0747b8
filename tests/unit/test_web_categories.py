"""Categories of several stores, as one choice."""

from __future__ import annotations

import pytest

from aggregator.domain.products import FacetValue, SearchQuery
from web.categories import Category, category_key, merged_categories
from web.presenters import sentence
from web.search_address import toggled


def test_paths_that_end_alike_are_one_choice_named_as_most_products_are() -> None:
    merged = merged_categories(
        [
            FacetValue("Home > Fridges & freezers", "Home > Fridges & freezers", 3, is_chosen=False),
            FacetValue("Kettles", "Kettles", 4, is_chosen=False),
            FacetValue("Fridge freezers", "Fridge freezers", 5, is_chosen=False),
        ]
    )
    assert merged == [
        Category("Fridge freezers", ("Home > Fridges & freezers", "Fridge freezers"), 8, is_chosen=False),
        Category("Kettles", ("Kettles",), 4, is_chosen=False),
    ]


def test_a_chosen_category_stays_on_top() -> None:
    values = [
        FacetValue("Mugs", "Mugs", 9, is_chosen=False),
        FacetValue("Lamps", "Lamps", 1, is_chosen=True),
    ]
    assert [category.label for category in merged_categories(values)] == ["Lamps", "Mugs"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TV & Video", "Shop > TV and Video"),
        ("TVs", "TV"),
        ("Home > Glass", "GLASS"),
        ("And", "and"),
    ],
)
def test_spelling_does_not_part_a_category(one: str, other: str) -> None:
    assert category_key(one) == category_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Glass", "Glas"), ("Kettles", "Mugs"), ("&", "+"), ("شاي", "茶")]
)
def test_other_words_are_another_category(one: str, other: str) -> None:
    assert category_key(one) != category_key(other)


def test_a_merged_choice_goes_in_and_out_as_a_whole() -> None:
    query = SearchQuery(categories=("A > Mugs",))
    assert toggled(query, "category", "A > Mugs", "Mugs") == "/search"
    assert (
        toggled(SearchQuery(), "category", "A > Mugs", "Mugs") == "/search?category=A+%3E+Mugs&category=Mugs"
    )


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("The same brand: .", "The same brand."),
        ("Both name the model “”.", "Both name the model."),
        ("Both carry the bar code 9521000146891.", "Both carry the bar code 9521000146891."),
    ],
)
def test_evidence_without_a_value_is_still_a_sentence(said: str, read: str) -> None:
    assert sentence(said) == read
