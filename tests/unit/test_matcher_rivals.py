"""What rivals of one store take from a pair, and what codes say of one another."""

from __future__ import annotations

import numpy as np
import pytest

from matcher.comparison import COMPARISONS, compare
from matcher.preparation import PreparedCatalogue, prepare
from matcher.records import OfferRecord
from matcher.rivals import Claims, KeptClaims, taken_by_rivals

_MODEL_CODE = next(one for one in COMPARISONS if one.name == "model_code")
_COLUMN = COMPARISONS.index(_MODEL_CODE)


def two_stores(count: int) -> PreparedCatalogue:
    """Offers 0..count-1 of one store, then as many of another one."""
    return prepare(
        OfferRecord(offer_id=f"{store}{number}", store=store, title="Kettle")
        for store in ("north", "south")
        for number in range(count)
    )


def test_four_offers_that_fit_four_others_equally_get_a_fourth_each() -> None:
    left, right = (side.ravel() for side in np.meshgrid(np.arange(4), np.arange(4, 8)))
    scores = np.full(16, 5.0)
    chance = 1 / (1 + np.exp(taken_by_rivals(two_stores(4), left, right, scores) - scores))
    np.testing.assert_allclose(chance, 0.25, atol=0.03)


def test_an_offer_that_another_one_fits_better_hardly_contests() -> None:
    # Both of the second store fit the first offer alike, but one of them fits the other offer far better.
    left, right = np.array([0, 0, 1]), np.array([2, 3, 3])
    alone = taken_by_rivals(two_stores(2), left[:2], right[:2], np.array([2.0, 2.0]))
    beside = taken_by_rivals(two_stores(2), left, right, np.array([2.0, 2.0, 6.0]))
    assert alone[0] > 2
    assert beside[0] < 0.2
    assert beside[1] > 4


def test_offers_of_different_stores_do_not_contest() -> None:
    catalogue = prepare(
        OfferRecord(offer_id=str(number), store=str(number), title="Kettle") for number in range(3)
    )
    assert taken_by_rivals(catalogue, np.array([0, 0]), np.array([1, 2]), np.array([3.0, 3.0])).tolist() == [
        0,
        0,
    ]


def test_claims_that_are_kept_count_as_they_did() -> None:
    store = two_stores(6).store
    left, right = (side.ravel() for side in np.meshgrid(np.arange(6), np.arange(6, 12), indexing="ij"))
    scores = np.random.default_rng(1).normal(1, 2, 36)
    taken = Claims.of(store, left, right, scores).taken_of_all(left, right)
    moving = left == 2
    old = (left[~moving], right[~moving], scores[~moving], taken[0][~moving], taken[1][~moving])
    beside = Claims.of(store, left[moving], right[moving], scores[moving], KeptClaims.of(*old))
    for end, found in zip(taken, beside.taken_of_all(left[moving], right[moving]), strict=True):
        np.testing.assert_allclose(found, end[moving], atol=0.25)


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("Sony DVP-FX820 player DVPFX820P", "Sony player DVPFX820P", "equal"),
        ("Sony DVP-FX820 player DVPFX820P", "Sony DVP-FX820 player DVPFX820R", "other_ending"),
        ("Whirlpool dishwasher DU1055BK", "Whirlpool dishwasher DU1055XTSB", "other_ending"),
        ("Sony case LCSTWAB", "Sony LCS-TWA/B Cyber-shot case", "equal"),
        ("Logitech remote HARMONY1", "Logitech remote 915000035", "other_kind"),
        ("Canon camera SX110", "Canon camera XSI1855", "conflict"),
    ],
)
def test_codes_are_compared_by_what_they_name(one: str, other: str, level: str) -> None:
    catalogue = prepare(
        OfferRecord(offer_id=str(number), title=title) for number, title in enumerate((one, other))
    )
    (found,) = compare(catalogue, np.array([0]), np.array([1]))
    assert _MODEL_CODE.level_names[found[_COLUMN]] == level
