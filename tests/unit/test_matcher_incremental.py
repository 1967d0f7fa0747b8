"""The index on disk: increments join what is there, keep what they do not touch, and notice damage."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.domain.errors import InvalidInput
from matcher.beside import Beside
from matcher.blocking import ROOM_FOR_ALL, CandidatePairs, candidate_pairs
from matcher.columns import Integers
from matcher.comparison import compare
from matcher.engines.local import clusters_by_offer, partition, score_candidates
from matcher.evaluation import evaluate
from matcher.features import pair_features
from matcher.files import read_offers, read_truth
from matcher.incremental import build_index, link_new
from matcher.index import CatalogueIndex
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


def indexed(
    folder: Path,
    records: list[OfferRecord],
    model: MatchModel,
    statistics: CatalogueStatistics | None = None,
) -> CatalogueIndex:
    scoring = score_candidates(prepare(records, statistics), model)
    return build_index(folder, scoring, clusters_by_offer(scoring.catalogue, partition(scoring).automatic))


def ends(pairs: CandidatePairs) -> tuple[Integers, Integers]:
    return pairs.left, pairs.right


def clusters(index: CatalogueIndex) -> dict[str, str]:
    return {offer_id: str(index.keys[row]) for offer_id, row in index.rows.items()}


@pytest.mark.parametrize("offers", [None, ROOM_FOR_ALL + 1], ids=["as many as there are", "as of very many"])
def test_increments_come_near_to_a_full_run(
    tmp_path: Path, model: MatchModel, sample: list[OfferRecord], offers: int | None
) -> None:
    truth = read_truth(SAMPLE / "truth.csv")
    statistics = CatalogueStatistics.of(sample)
    # Of so many offers' pairs the hopeless ones are not looked at twice.
    statistics = replace(statistics, offers=offers or statistics.offers)
    scoring = score_candidates(prepare(sample, statistics), model)
    full = evaluate(truth, clusters_by_offer(scoring.catalogue, partition(scoring).automatic))
    shuffled = random.Random(1).sample(sample, len(sample))
    index = indexed(tmp_path, shuffled[: len(sample) // 2], model, statistics)
    for start in range(len(sample) // 2, len(sample), 50):
        link_new(index, shuffled[start : start + 50], model)
    found = clusters(CatalogueIndex.open(tmp_path, model.version))
    assert found == clusters(index)
    assert set(found) == {record.offer_id for record in sample}
    by_increments = evaluate(truth, found)
    assert by_increments.precision >= 0.97
    assert by_increments.f1 >= full.f1 - 0.05


def test_kept_offers_compare_as_they_did(
    tmp_path: Path, model: MatchModel, sample: list[OfferRecord]
) -> None:
    statistics = CatalogueStatistics.of(sample)
    index = indexed(tmp_path, sample[40:], model, statistics)
    link_new(index, sample[20:40], model)
    kept = CatalogueIndex.open(tmp_path, model.version)
    beside = Beside.of(kept, prepare(sample[:20], statistics), np.arange(kept.count))
    known = prepare(sample, statistics)
    assert list(beside.catalogue.offer_ids) == list(known.offer_ids)
    assert list(beside.catalogue.records) == list(known.records)
    pairs = candidate_pairs(known)
    assert (compare(beside.catalogue, *ends(pairs)) == compare(known, *ends(pairs))).all()
    assert np.allclose(pair_features(beside.catalogue, *ends(pairs)), pair_features(known, *ends(pairs)))


def test_clusters_are_the_same_without_evidence(
    tmp_path: Path, model: MatchModel, sample: list[OfferRecord]
) -> None:
    one, other = (indexed(tmp_path / name, sample[50:], model) for name in ("one", "other"))
    told = link_new(one, sample[:50], model)
    alone = link_new(other, sample[:50], model, with_evidence=False)
    assert told.links
    assert not alone.links
    assert (told.assignments, told.joined) == (alone.assignments, alone.joined)
    assert clusters(one) == clusters(other)


def test_an_empty_index_and_no_offers_are_fine(tmp_path: Path, model: MatchModel) -> None:
    index = indexed(tmp_path, [], model)
    assert link_new(index, [], model).assignments == {}
    twins = [OfferRecord(offer_id=name, store=name, title="Sony WH1000XM4", brand="Sony") for name in "ab"]
    assert set(link_new(index, twins, model).assignments) == {"a", "b"}
    index.forget(["a", "never seen"])
    assert set(clusters(CatalogueIndex.open(tmp_path, model.version))) == {"b"}


def test_an_unrelated_offer_moves_nothing(
    tmp_path: Path, model: MatchModel, sample: list[OfferRecord]
) -> None:
    index = indexed(tmp_path, sample, model)
    before = clusters(index)
    stranger = OfferRecord(offer_id="zz", store="elsewhere", title="qwxyz jjkkvv")
    result = link_new(index, [stranger], model)
    assert (dict(result.assignments), dict(result.joined)) == ({"zz": "zz"}, {})
    assert clusters(index) == {**before, "zz": "zz"}


def test_linking_the_same_offers_again_changes_nothing(
    tmp_path: Path, model: MatchModel, sample: list[OfferRecord]
) -> None:
    index = indexed(tmp_path, sample[20:], model)
    link_new(index, sample[:20], model)
    before = clusters(index)
    result = link_new(index, sample[:20], model)
    assert {offer_id: before[offer_id] for offer_id in result.assignments} == result.assignments
    assert clusters(index) == before


def test_a_changed_offer_leaves_its_cluster(
    tmp_path: Path, model: MatchModel, sample: list[OfferRecord]
) -> None:
    index = indexed(tmp_path, sample, model)
    moving = next(
        record
        for record in sample
        if sum(key == index.keys[index.rows[record.offer_id]] for key in index.keys) > 1
    )
    result = link_new(index, [replace(moving, title="qwxyz jjkkvv")], model)
    assert result.assignments == {moving.offer_id: result.assignments[moving.offer_id]}
    alone = result.assignments[moving.offer_id]
    assert [key for key in index.keys if key == alone] == [alone]


def test_verdicts_hold_in_an_increment(tmp_path: Path, model: MatchModel, sample: list[OfferRecord]) -> None:
    twin = OfferRecord(offer_id="zz", store="elsewhere", title=sample[0].title, brand=sample[0].brand)
    other = sample[1].offer_id
    index = indexed(tmp_path, sample, model)
    verdicts = [Verdict("zz", sample[0].offer_id, same=False), Verdict("zz", other, same=True)]
    result = link_new(index, [twin], model, verdicts)
    assert result.assignments["zz"] == clusters(index)[other] != clusters(index)[sample[0].offer_id]


@pytest.mark.parametrize("damage", ["cut short", "other bytes", "other model"])
def test_a_damaged_or_foreign_index_is_refused(
    tmp_path: Path, model: MatchModel, sample: list[OfferRecord], damage: str
) -> None:
    index = indexed(tmp_path, sample[:60], model)
    if damage == "cut short":
        path = next(tmp_path.glob("*/pair_ranks.npy"))
        path.write_bytes(path.read_bytes()[:-4])
    elif damage == "other bytes":
        path = next(tmp_path.glob("*/word_names.json"))
        path.write_bytes(path.read_bytes().replace(b"a", b"b"))
    version = "another" if damage == "other model" else model.version
    with pytest.raises(InvalidInput, match="the index cannot be used"):
        CatalogueIndex.open(index.folder, version)
