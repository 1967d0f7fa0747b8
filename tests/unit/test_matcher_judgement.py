"""How pairs are judged: features, how they stand in their catalogue, what is never merged without a person."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matcher.engines.local import Scoring, partition, score_candidates
from matcher.explanation import explain
from matcher.features import PAIR_FEATURES, pair_features
from matcher.files import read_offers, read_truth
from matcher.model import ALL_COMPARISONS, FEATURES, MatchModel, log_odds, probability_of
from matcher.preparation import prepare
from matcher.pseudo_catalogues import PLANS, pseudo_catalogues
from matcher.records import OfferRecord
from matcher.safety import is_safe
from matcher.standing import ScoreSpread

SAMPLE = Path(__file__).parents[2] / "fixtures" / "matching" / "abt-buy-sample"


@pytest.fixture(scope="module")
def sample() -> list[OfferRecord]:
    return read_offers(SAMPLE / "offers.csv")


@pytest.fixture(scope="module")
def scoring(sample: list[OfferRecord]) -> Scoring:
    return score_candidates(prepare(sample), MatchModel.load())


def test_features_are_the_same_from_both_sides_and_finite(scoring: Scoring) -> None:
    left, right = scoring.pairs.left[:300], scoring.pairs.right[:300]
    one, other = scoring.seen(left, right)[1], scoring.seen(right, left)[1]
    assert one.shape == (300, len(FEATURES))
    assert np.isfinite(one).all()
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_features_say_what_two_titles_share_and_leave_over() -> None:
    titles = ["Sony WH1000XM4 headphones black 2m", "Sony WH1000XM4 headphones white", "Bosch kettle"]
    catalogue = prepare(OfferRecord(offer_id=str(number), title=title) for number, title in enumerate(titles))
    (row,) = pair_features(catalogue, np.array([0]), np.array([1]))
    said = dict(zip(PAIR_FEATURES, row.tolist(), strict=True))
    assert (said["shared_codes"], said["unmatched_codes_high"]) == (1, 0)
    assert (said["shared_colours"], said["unmatched_colours_low"]) == (0, 1)
    assert said["unmatched_measures"] == 1
    assert said["words_contained_high"] > said["words_contained_low"] > 0.3


def test_any_pair_has_a_score_candidate_or_not(scoring: Scoring) -> None:
    position = np.arange(len(scoring.catalogue))
    scores = scoring.scores_of(position[:-1], position[1:])
    assert np.isfinite(scores).all()


def test_a_pair_scores_the_same_alone_and_among_all(scoring: Scoring) -> None:
    left, right = scoring.pairs.left[:5], scoring.pairs.right[:5]
    np.testing.assert_allclose(scoring.scores_of(left, right), scoring.scores[:5], rtol=0, atol=1e-9)


def test_a_kept_spread_judges_as_the_catalogue_it_was_taken_from(
    sample: list[OfferRecord], scoring: Scoring
) -> None:
    kept = ScoreSpread.from_json(json.loads(json.dumps(scoring.spread.to_json())))
    again = score_candidates(scoring.catalogue, scoring.model, spread=kept)
    assert np.array_equal(again.scores, scoring.scores)


def test_an_empty_catalogue_and_a_single_offer_are_judged_too() -> None:
    for records in ([], [OfferRecord(offer_id="a", title="thing")]):
        assert len(score_candidates(prepare(records), MatchModel.load()).scores) == 0


def test_evidence_adds_up_to_the_log_odds(scoring: Scoring) -> None:
    best = np.argsort(-scoring.scores)[::40]
    left, right = scoring.pairs.left[best], scoring.pairs.right[best]
    levels, features = scoring.seen(left, right)
    for number, index in enumerate(best.tolist()):
        pair = int(left[number]), int(right[number])
        evidence = explain(scoring.catalogue, scoring.model, *pair, levels[number], features[number])
        assert sum(one.weight for one in evidence) == pytest.approx(scoring.scores[index], abs=1e-4)


def judged(*records: OfferRecord) -> Scoring:
    """Two offers alone in their catalogue, one candidate pair."""
    scoring = score_candidates(prepare(records), MatchModel.load())
    assert len(scoring.pairs) == 1
    return scoring


def headphones(offer_id: str, title: str, **rest: str) -> OfferRecord:
    return OfferRecord(offer_id=offer_id, store=f"store {offer_id}", title=title, brand="Sony", **rest)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("Sony WH-1000XM4 wireless headphones black", True),
        ("Sony WH-1000XM4 wireless headphones white", False),
        ("Sony WH-1000XM5 wireless headphones black", False),
        ("Sony WH-1000XM4 wireless headphones black refurbished", False),
        ("Sony WH-1000XM4 wireless headphones black 2 pack", False),
        ("Cable CB77120 for Sony WH-1000XM4 wireless headphones black", False),
    ],
)
def test_what_plainly_differs_is_never_merged_without_a_person(changed: str, expected: bool) -> None:
    scoring = judged(headphones("a", "Sony WH-1000XM4 wireless headphones black"), headphones("b", changed))
    seen = scoring.seen(scoring.pairs.left, scoring.pairs.right)
    assert is_safe(*seen, probability_of(scoring.scores)).tolist() == [expected]
    doubtful = log_odds(scoring.model.doubtful)
    assert (scoring.cautious[0] >= scoring.scores[0]) == (expected or scoring.scores[0] <= doubtful)


def test_one_piece_of_evidence_is_too_little_but_a_bar_code_is_enough() -> None:
    neutral = np.array(
        [[comparison.level_names.index(comparison.neutral) for comparison in ALL_COMPARISONS]], dtype=np.int8
    )
    features = np.zeros((1, len(FEATURES)), dtype=np.float32)
    names = [comparison.name for comparison in ALL_COMPARISONS]
    only_brand, bar_code = neutral.copy(), neutral.copy()
    only_brand[0, names.index("brand")] = 0
    bar_code[0, names.index("gtin")] = 0
    sure = np.array([0.99])
    assert not is_safe(neutral, features, sure)[0]
    assert not is_safe(only_brand, features, sure)[0]
    assert is_safe(bar_code, features, sure)[0]


def test_a_shared_rare_code_needs_less_probability_than_titles_alone() -> None:
    model = MatchModel.load()
    neutral = np.array(
        [[comparison.level_names.index(comparison.neutral) for comparison in ALL_COMPARISONS]], dtype=np.int8
    )
    features = np.zeros((1, len(FEATURES)), dtype=np.float32)
    names = [comparison.name for comparison in ALL_COMPARISONS]
    alike, coded = neutral.copy(), neutral.copy()
    for name in ("brand", "edition"):
        alike[0, names.index(name)] = coded[0, names.index(name)] = 0
    coded[0, names.index("model_code")] = 0
    score, threshold = np.array([log_odds(0.74)]), log_odds(model.automatic)
    assert model.cautious(score, coded, features)[0] > threshold > model.cautious(score, alike, features)[0]


def test_titles_alone_are_not_merged_where_both_leave_a_rare_word_over_or_prices_are_far_apart() -> None:
    levels = np.array(
        [[comparison.level_names.index(comparison.neutral) for comparison in ALL_COMPARISONS]], dtype=np.int8
    )
    names = [comparison.name for comparison in ALL_COMPARISONS]
    for name in ("brand", "edition"):
        levels[0, names.index(name)] = 0
    features, sure = np.zeros((1, len(FEATURES)), dtype=np.float32), np.array([0.97])
    assert is_safe(levels, features, sure)[0]
    features[0, PAIR_FEATURES.index("rarest_unmatched_word_low")] = 0.8
    assert not is_safe(levels, features, sure)[0]
    features[0, PAIR_FEATURES.index("letter_likeness")] = 0.9
    assert is_safe(levels, features, sure)[0]
    price = names.index("price")
    levels[0, price] = ALL_COMPARISONS[price].level_names.index("far")
    assert not is_safe(levels, features, sure)[0]


@pytest.mark.parametrize(
    ("said", "left_over", "probability", "expected"),
    [
        # A rare code says more than a word for an edition, where no rival comes near.
        ({"model_code": "equal", "edition": "conflict", "rival": "far_ahead"}, 0.0, 0.9, True),
        ({"model_code": "equal", "edition": "conflict", "rival": "ahead"}, 0.0, 0.9, False),
        # One code is a part of the other, and one title counts what the other does not.
        ({"model_code": "one_contains_other", "number": "conflict", "rival": "far_ahead"}, 0.9, 0.95, True),
        ({"model_code": "one_contains_other", "number": "conflict", "rival": "far_ahead"}, 0.9, 0.91, False),
        ({"model_code": "one_contains_other", "number": "conflict", "rival": "ahead"}, 0.9, 0.95, False),
        # One of two codes may be a store's own article number.
        ({"model_code": "conflict", "rival": "just_ahead"}, 0.9, 0.91, True),
        ({"model_code": "conflict", "rival": "just_ahead"}, 0.9, 0.89, False),
        ({"model_code": "conflict", "rival": "ahead"}, 0.9, 0.81, True),
        ({"model_code": "conflict", "rival": "level"}, 0.9, 0.95, False),
        (
            {"model_code": "conflict", "brand": "unknown", "rival": "far_ahead", "price": "near"},
            0.9,
            0.86,
            True,
        ),
        ({"model_code": "conflict", "brand": "unknown", "rival": "ahead", "price": "near"}, 0.9, 0.86, False),
        # A brand that is not known is no other brand.
        ({"brand": "unknown", "number": "agree", "measure": "agree", "rival": "well_ahead"}, 0.7, 0.86, True),
        (
            {"brand": "different", "number": "agree", "measure": "agree", "rival": "well_ahead"},
            0.7,
            0.91,
            False,
        ),
        ({"edition": "one_sided", "number": "agree", "rival": "well_ahead"}, 0.4, 0.93, True),
        ({"edition": "one_sided", "number": "agree", "rival": "ahead"}, 0.4, 0.93, False),
    ],
)
def test_what_stands_out_may_differ_more(
    said: dict[str, str], left_over: float, probability: float, expected: bool
) -> None:
    levels = np.array(
        [[comparison.level_names.index(comparison.neutral) for comparison in ALL_COMPARISONS]], dtype=np.int8
    )
    names = [comparison.name for comparison in ALL_COMPARISONS]
    for name, level in {"brand": "equal", "choice": "mutual", "title_letters": "from_60", **said}.items():
        column = names.index(name)
        levels[0, column] = ALL_COMPARISONS[column].level_names.index(level)
    features = np.zeros((1, len(FEATURES)), dtype=np.float32)
    features[0, PAIR_FEATURES.index("rarest_unmatched_word_low")] = left_over
    features[0, PAIR_FEATURES.index("letter_likeness")] = 0.65
    assert is_safe(levels, features, np.array([probability])).tolist() == [expected]


@pytest.mark.parametrize(("shared_colours", "expected"), [(0, False), (1, True)])
def test_a_code_outweighs_the_second_of_two_colours_but_not_another_colour(
    shared_colours: int, expected: bool
) -> None:
    levels = np.array(
        [[comparison.level_names.index(comparison.neutral) for comparison in ALL_COMPARISONS]], dtype=np.int8
    )
    names = [comparison.name for comparison in ALL_COMPARISONS]
    said = {
        "model_code": "equal",
        "brand": "equal",
        "colour": "conflict",
        "choice": "mutual",
        "rival": "far_ahead",
    }
    for name, level in said.items():
        column = names.index(name)
        levels[0, column] = ALL_COMPARISONS[column].level_names.index(level)
    features = np.zeros((1, len(FEATURES)), dtype=np.float32)
    features[0, PAIR_FEATURES.index("shared_colours")] = shared_colours
    assert is_safe(levels, features, np.array([0.95])).tolist() == [expected]


def test_a_bar_code_does_not_merge_what_is_plainly_another_condition() -> None:
    scoring = judged(
        headphones("a", "Sony WH-1000XM4 headphones", gtin="4006381333931"),
        headphones("b", "Sony WH-1000XM4 headphones refurbished", gtin="4006381333931"),
    )
    found = partition(scoring)
    assert found.automatic.tolist() == [0, 1]


def test_codes_that_several_offers_carry_and_one_sign_parts_are_sisters() -> None:
    titles = [
        "Acme TV RB320D4WW1 white",
        "RB320D4WW1 Acme television",
        "Acme TV RB320D4WW1K white",
        "Acme RB320D4WW1K",
    ]
    catalogue = prepare(OfferRecord(offer_id=str(number), title=title) for number, title in enumerate(titles))
    left, right = np.array([0, 0]), np.array([1, 2])
    column = PAIR_FEATURES.index("sister_codes")
    assert pair_features(catalogue, left, right)[:, column].tolist() == [0, 1]


def test_pseudo_catalogues_keep_ids_and_are_the_same_each_time(sample: list[OfferRecord]) -> None:
    truth = read_truth(SAMPLE / "truth.csv")
    first, second = (list(pseudo_catalogues(sample, truth)) for _ in range(2))
    assert first == second
    assert len(first) == len(PLANS)
    by_id = {record.offer_id: record for record in sample}
    for records, plan in zip(first, PLANS, strict=True):
        assert all(replace(by_id[one.offer_id], store=one.store) == one for one in records)
        if plan.stores == "unknown":
            assert {record.store for record in records} == {""}
