"""Rules that no clustering breaks: bar codes, stores, verdicts, the order of input, what exists already."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.domain.errors import InvalidInput
from matcher.blocking import blocking_recall, candidate_pairs
from matcher.engines.local import Outcome, link_records, partition, score_candidates
from matcher.evaluation import evaluate
from matcher.files import read_offers, read_truth
from matcher.model import MatchModel
from matcher.preparation import CatalogueStatistics, prepare
from matcher.records import OfferRecord, Verdict

SAMPLE = Path(__file__).parents[2] / "fixtures" / "matching" / "abt-buy-sample"


@pytest.fixture(scope="module")
def model() -> MatchModel:
    return MatchModel.load()


@pytest.fixture(scope="module")
def sample() -> list[OfferRecord]:
    return read_offers(SAMPLE / "offers.csv")


def offer(offer_id: str, store: str, title: str, **rest: str) -> OfferRecord:
    return OfferRecord(offer_id=offer_id, store=store, title=title, **rest)


def pair_with_codes(**rest: str) -> list[OfferRecord]:
    return [
        offer("a", "north", "Sony WH-1000XM4 Wireless Headphones Black", brand="Sony", **rest),
        offer("b", "south", "Sony Headphones WH1000XM4 black wireless", brand="Sony", **rest),
    ]


def test_the_same_code_with_and_without_separators_joins(
    model: MatchModel, sample: list[OfferRecord]
) -> None:
    result = link_records([], [*pair_with_codes(), *sample], model)
    assert result.assignments["a"] == result.assignments["b"] == "a"


def test_different_bar_codes_never_join(model: MatchModel, sample: list[OfferRecord]) -> None:
    one, other = pair_with_codes()
    pair = [replace(one, gtin="4006381333931"), replace(other, gtin="036000291452")]
    result = link_records([], [*pair, *sample], model)
    assert result.assignments["a"] != result.assignments["b"]
    assert result.probable["a"] != result.probable["b"]


def test_a_bar_code_with_a_wrong_check_digit_says_nothing(
    model: MatchModel, sample: list[OfferRecord]
) -> None:
    one, other = pair_with_codes()
    pair = [replace(one, gtin="4006381333931"), replace(other, gtin="4006381333932")]
    assert link_records([], [*pair, *sample], model).assignments["b"] == "a"


@pytest.mark.parametrize(
    ("one", "other"), [(" UK plug", " EU plug"), ("", " with case"), (" US version", " (German version)")]
)
def test_regions_and_bundles_stay_apart(
    model: MatchModel, sample: list[OfferRecord], one: str, other: str
) -> None:
    left, right = pair_with_codes()
    pair = [replace(left, title=left.title + one), replace(right, title=right.title + other)]
    result = link_records([], [*pair, *sample], model)
    assert result.probable["a"] != result.probable["b"]


def test_the_same_bar_code_joins_unlike_titles(model: MatchModel, sample: list[OfferRecord]) -> None:
    pair = [
        offer("a", "north", "Stabilo Boss highlighter", gtin="4006381333931"),
        offer("b", "south", "Textmarker 70/24 STABILO", gtin="04006381333931"),
    ]
    result = link_records([], [*pair, *sample], model)
    assert result.assignments["a"] == result.assignments["b"]
    (link,) = [link for link in result.links if {link.offer_id, link.other_offer_id} == {"a", "b"}]
    assert link.evidence[0].sentence == "Both carry the bar code 4006381333931."


def test_two_offers_of_one_store_never_join(model: MatchModel, sample: list[OfferRecord]) -> None:
    pair = [replace(record, store="north") for record in pair_with_codes()]
    result = link_records([], [*pair, *sample], model)
    assert result.probable["a"] != result.probable["b"]


def test_variants_of_one_group_never_join(model: MatchModel, sample: list[OfferRecord]) -> None:
    pair = [replace(record, store="north", item_group_id="7") for record in pair_with_codes()]
    result = link_records([], [*pair, *sample], model)
    assert result.probable["a"] != result.probable["b"]


def test_a_verdict_of_same_outranks_the_bar_codes(model: MatchModel) -> None:
    one, other = pair_with_codes()
    pair = [replace(one, gtin="4006381333931"), replace(other, gtin="036000291452")]
    result = link_records([], pair, model, [Verdict("a", "b", same=True)])
    assert result.assignments == {"a": "a", "b": "a"}
    (link,) = result.links
    assert (link.by_person, link.probability, link.outcome) == (True, 1.0, Outcome.MERGED)


def test_a_verdict_of_different_holds_and_is_not_asked_again(model: MatchModel) -> None:
    same_code = pair_with_codes(gtin="4006381333931")
    result = link_records([], same_code, model, [Verdict("b", "a", same=False)])
    assert result.assignments == {"a": "a", "b": "b"}
    assert result.probable == {"a": "a", "b": "b"}
    assert result.doubtful == ()


def test_a_verdict_of_same_tears_off_nothing_that_matched_one_of_the_two(
    model: MatchModel, sample: list[OfferRecord]
) -> None:
    pens = [offer("p", "pens", "Red pen"), offer("q", "ink", "Stift, rot")]
    trio = [*pair_with_codes(), offer("c", "west", "Sony WH-1000XM4 Wireless Headphones Black", brand="Sony")]
    verdicts = [Verdict("a", "p", True), Verdict("p", "q", True)]
    result = link_records([], [*trio, *pens, *sample], model, verdicts)
    assert {result.assignments[one.offer_id] for one in (*trio, *pens)} == {"a"}


def test_verdicts_that_contradict_each_other_are_refused(model: MatchModel) -> None:
    records = [offer(name, "", f"thing {name}") for name in "abc"]
    verdicts = [Verdict("a", "b", True), Verdict("b", "c", True), Verdict("a", "c", False)]
    with pytest.raises(InvalidInput, match="a and c are said to be two products"):
        link_records([], records, model, verdicts)


def test_the_order_of_input_never_changes_clusters(model: MatchModel, sample: list[OfferRecord]) -> None:
    first = link_records([], sample, model)
    shuffled = list(sample)
    random.Random(5).shuffle(shuffled)
    assert link_records([], shuffled, model) == first


def test_a_second_run_over_linked_offers_changes_nothing(
    model: MatchModel, sample: list[OfferRecord]
) -> None:
    first = link_records([], sample, model)
    again = link_records([(record, first.assignments[record.offer_id]) for record in sample], [], model)
    assert (again.assignments, dict(again.joined), again.links) == ({}, {}, ())


def test_pending_offers_join_existing_clusters_under_their_keys(
    model: MatchModel, sample: list[OfferRecord]
) -> None:
    statistics = CatalogueStatistics.of(sample)
    full = link_records([], sample, model, statistics=statistics)
    existing = [(record, f"product of {record.offer_id}") for record in sample if record.store == "abt.com"]
    pending = [record for record in sample if record.store != "abt.com"]
    result = link_records(existing, pending, model, statistics=statistics)
    assert set(result.assignments) == {record.offer_id for record in pending}
    for record in pending:
        key = full.assignments[record.offer_id]
        expected = key if key == record.offer_id else f"product of {key}"
        assert result.assignments[record.offer_id] == expected
    assert result.joined == {}


def test_existing_clusters_unite_around_an_offer_in_none_alone(
    model: MatchModel, sample: list[OfferRecord]
) -> None:
    existing = [(record, record.offer_id) for record in sample]
    assert link_records(existing, [], model).joined == {}
    late = replace(sample[0], offer_id="late", store="")
    result = link_records(existing, [late], model)
    assert result.joined
    assert set(result.joined.values()) == {result.assignments["late"]}


def test_what_rivals_take_counts_for_the_probable_partition_alone(
    model: MatchModel, sample: list[OfferRecord]
) -> None:
    scoring = score_candidates(prepare(sample), model)
    found = partition(scoring)
    beaten = partition(replace(scoring, taken=np.full(len(scoring.pairs), 50.0)))
    assert (beaten.automatic == found.automatic).all()
    assert (beaten.probable == found.automatic).all()
    assert (found.probable != found.automatic).any()


def test_a_verdict_unites_existing_clusters_under_the_larger_ones_key(model: MatchModel) -> None:
    existing = [
        (offer("a", "", "thing one"), "p9"),
        (offer("b", "", "thing one"), "p9"),
        (offer("c", "", "gadget two"), "p1"),
    ]
    result = link_records(existing, [], model, [Verdict("b", "c", same=True)])
    assert result.joined == {"p1": "p9"}


def test_an_existing_cluster_is_split_by_a_verdict_alone(model: MatchModel) -> None:
    existing = [(record, "p1") for record in pair_with_codes()]
    late = offer("c", "west", "Sony WH-1000XM4 headphones black", brand="Sony")
    result = link_records(existing, [late], model)
    assert (dict(result.joined), set(result.assignments)) == ({}, {"c"})
    parted = link_records(existing, [late], model, [Verdict("a", "b", same=False)])
    assert set(parted.assignments) == {"a", "b", "c"}
    assert parted.assignments["a"] != parted.assignments["b"]
    assert "p1" in parted.assignments.values()


def test_same_and_different_part_a_cluster_that_they_meet_in(model: MatchModel) -> None:
    existing = [(offer("a", "", "thing one"), "p1")]
    existing += [(offer(name, "", "thing two"), "p2") for name in ("b", "c")]
    verdicts = [Verdict("a", "b", same=False), Verdict("a", "c", same=True)]
    result = link_records(existing, [], model, verdicts)
    assert result.assignments["a"] == result.assignments["c"] != result.assignments["b"]


def test_evidence_adds_up_to_the_probability(model: MatchModel, sample: list[OfferRecord]) -> None:
    result = link_records([], sample, model)
    assert len(result.links) > 50
    assert all(link.evidence for link in result.doubtful)
    for link in (*result.links, *result.doubtful):
        total = sum(evidence.weight for evidence in link.evidence)
        assert link.probability == pytest.approx(1 / (1 + math.exp(-total)), abs=1e-9)
        assert not any("{" in evidence.sentence for evidence in link.evidence)


def test_a_real_sample_is_clustered_well(model: MatchModel, sample: list[OfferRecord]) -> None:
    truth = read_truth(SAMPLE / "truth.csv")
    result = link_records([], sample, model)
    probable = evaluate(truth, result.probable)
    automatic = evaluate(truth, result.assignments)
    assert (probable.precision >= 0.97, probable.recall >= 0.9) == (True, True)
    assert (automatic.precision >= 0.99, automatic.recall >= 0.5) == (True, True)
    catalogue = prepare(sample)
    assert blocking_recall(catalogue, candidate_pairs(catalogue), truth) >= 0.98


def test_statistics_survive_being_written_down(sample: list[OfferRecord], model: MatchModel) -> None:
    statistics = CatalogueStatistics.of(sample)
    restored = CatalogueStatistics.from_json(json.loads(json.dumps(statistics.to_json())))
    assert link_records([], sample, model, statistics=restored) == link_records([], sample, model)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_smallest_catalogues_work(model: MatchModel, count: int) -> None:
    records = [offer(name, "", "") for name in "ab"[:count]]
    assert set(link_records([], records, model).assignments) == set("ab"[:count])


def test_an_offer_id_given_twice_is_refused(model: MatchModel) -> None:
    with pytest.raises(InvalidInput, match="offer_id a occurs twice"):
        link_records([], [offer("a", "", "x"), offer("a", "", "y")], model)
