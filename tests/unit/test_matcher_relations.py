"""What belongs together without being one product is said with its kind and its direction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matcher.blocking import candidate_pairs
from matcher.files import read_offers
from matcher.preparation import prepare
from matcher.records import OfferRecord
from matcher.relations import relations_between

SAMPLE = Path(__file__).parents[2] / "fixtures" / "matching" / "abt-buy-sample" / "offers.csv"


@pytest.mark.parametrize(
    ("plain", "special", "kind"),
    [
        ({"title": "Makita DHP484Z drill"}, {"title": "Makita DHP484Z drill refurbished"}, "refurbished"),
        ({"title": "Duracell MN2400 batteries"}, {"title": "Duracell MN2400 batteries 12 pack"}, "multipack"),
        ({"title": "Sony A6400 camera"}, {"title": "Leather case for Sony A6400 camera"}, "accessory"),
        ({"title": "Canon EOS2000D camera"}, {"title": "Canon EOS2000D camera bundle"}, "bundle"),
        (
            {"title": "Fritz KX40 cola", "gtin": "4006381333931"},
            {"title": "Fritz KX40 cola crate", "gtin": "14006381333938"},
            "case",
        ),
        (
            {"title": "Samsung Galaxy phone black", "brand": "Samsung"},
            {"title": "Samsung Galaxy phone white", "brand": "Samsung"},
            "variant",
        ),
    ],
)
def test_a_kind_is_told_by_rule(plain: dict[str, str], special: dict[str, str], kind: str) -> None:
    records = [
        *read_offers(SAMPLE),
        OfferRecord(offer_id="y", store="north", **plain),
        OfferRecord(offer_id="z", store="south", **special),
    ]
    catalogue = prepare(records)
    found = relations_between(catalogue, candidate_pairs(catalogue), np.arange(len(records)))
    ours = [one for one in found if {one.offer_id, one.other_offer_id} == {"y", "z"}]
    assert [(one.offer_id, one.other_offer_id, one.kind.value) for one in ours] == [("y", "z", kind)]


def test_offers_of_one_item_group_are_variants_however_they_are_worded() -> None:
    records = [
        OfferRecord(offer_id=name, store="north", title=title, item_group_id="g")
        for name, title in (("a", "Shirt S"), ("b", "completely other words"), ("c", "thing"))
    ]
    catalogue = prepare(records)
    found = relations_between(catalogue, candidate_pairs(catalogue), np.arange(3))
    assert [(one.offer_id, one.other_offer_id) for one in found] == [("a", "b"), ("a", "c")]
    assert relations_between(catalogue, candidate_pairs(catalogue), np.zeros(3, dtype=np.int64)) == ()
