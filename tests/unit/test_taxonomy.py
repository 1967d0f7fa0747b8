"""What stores' own paths and titles mean in the one tree."""

from __future__ import annotations

import pytest

from aggregator.domain.taxonomy import (
    OTHER,
    branch,
    categories,
    category_of,
    children,
    departments,
)
from fixtures.demo.catalogue import CATALOGUES, read_catalogue


@pytest.mark.parametrize(
    ("path", "title", "key"),
    [
        ("Home > Home appliances > Fridge freezers", "", "fridges-and-freezers"),
        ("TVs", "", "televisions"),
        ("Elektronik > Fernseher & Zubehör > LED-Fernseher", "", "televisions"),
        ("Haushalt > Einbaukühlschränke", "", "fridges-and-freezers"),
        ("Küche/Kaffeevollautomaten", "", "coffee-machines"),
        ("Informatique > Ordinateurs portables", "", "laptops"),
        ("Taschen für Notebooks", "", "bags"),
        ("Housses pour ordinateur portable", "", "cases-and-bags"),
        ("Moda > Hombre > Zapatillas", "", "shoes"),
        ("Software > Music & video", "", "music-and-video-software"),
        ("Cooking and grills", "", "ovens-and-cookers"),
        # A path that says too little is told apart by the title, within its department.
        ("Electronics > Accessories", "HDMI cable 2 m", "cables"),
        ("Home appliances > Other", "Bosch Serie 2 dishwasher", "dishwashers"),
        ("Home appliances > Other", "Something of Bosch", "appliances"),
        (None, "Canon PIXMA Black Photo Printer - IP4600", "printers-and-scanners"),
        (None, "Samsung 40\" LED TV with DVD player", "televisions"),
        (None, "Samsung RS21 American style fridge freezer, water dispenser", "fridges-and-freezers"),
        (None, "Sony LCS-MX100 Camcorder Case", "tripods-and-bags"),
        ("Sale > New", "Xyzzy 9000", OTHER),
        ("حواسيب", "كمبيوتر", OTHER),
        ("", "", OTHER),
        (">>>|/", "(((", OTHER),
    ],
)  # fmt: skip
def test_paths_and_titles_mean_a_category(path: str | None, title: str, key: str) -> None:
    assert category_of(path, title) == key


def test_an_operators_rule_for_a_path_outranks_the_words() -> None:
    rules = {"Bits & bobs": "hand-tools"}
    assert category_of("Bits & bobs", "HDMI cable", rules) == "hand-tools"
    assert category_of("Bits", "HDMI cable", rules) == "cables"


def test_the_tree_has_two_levels_and_names_in_three_languages() -> None:
    tree = categories()
    assert 120 <= sum(1 for category in tree.values() if category.parent) <= 150
    for category in tree.values():
        assert category.parent is None or tree[category.parent].parent is None
        assert set(category.names) == {"en", "de", "fr"}
        assert all(category.names.values())
    assert branch("pets") == ("pets", "dogs", "cats", "other-pets")
    assert [category.key for category in children("pets")] == ["dogs", "cats", "other-pets"]
    assert departments()[-1].key == OTHER


def test_every_category_is_found_by_its_own_names() -> None:
    missed = [
        (category.key, name, found)
        for category in categories().values()
        for name in category.names.values()
        if category.key != OTHER and (found := category_of(name, "")) != category.key
    ]
    # Names that several categories share, or whose plain word belongs to another, are few and listed.
    assert len(missed) <= 10, missed


def test_nearly_all_paths_of_the_demo_stores_mean_a_category() -> None:
    products = [
        product for path in sorted(CATALOGUES.glob("*.jsonl")) for product in read_catalogue(path.stem)
    ]
    unfiled = [product for product in products if category_of(" > ".join(product.category), "") == OTHER]
    assert len(unfiled) <= 0.01 * len(products)
