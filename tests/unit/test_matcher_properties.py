"""What holds for every catalogue: order, parts and strangers decide nothing, and people's words always hold."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from aggregator.domain.verdicts import Verdict, contradiction
from matcher import blocking, clustering, reading
from matcher.blocking import candidate_pairs
from matcher.engines import local
from matcher.engines.local import link_records, partition, score_candidates
from matcher.files import read_offers
from matcher.model import MatchModel
from matcher.preparation import CatalogueStatistics, prepare
from matcher.records import OfferRecord

SAMPLE = Path(__file__).parents[2] / "fixtures" / "matching" / "abt-buy-sample" / "offers.csv"


@pytest.fixture(scope="module")
def model() -> MatchModel:
    return MatchModel.load()


@pytest.fixture(scope="module")
def sample() -> list[OfferRecord]:
    return read_offers(SAMPLE)


@pytest.mark.parametrize("seed", range(4))
def test_verdicts_always_hold(model: MatchModel, sample: list[OfferRecord], seed: int) -> None:
    chance = random.Random(seed)
    records = chance.sample(sample, 120)
    verdicts: list[Verdict] = []
    for _ in range(60):
        one, other = chance.sample(records, 2)
        verdict = Verdict(one.offer_id, other.offer_id, same=chance.random() < 0.4)
        if contradiction(verdicts, verdict) is None:
            verdicts.append(verdict)
    result = link_records([], records, model, verdicts)
    for clusters in (result.assignments, result.probable):
        assert [clusters[one.left_id] == clusters[one.right_id] for one in verdicts] == [
            one.same for one in verdicts
        ]


@pytest.mark.parametrize("seed", range(3))
def test_an_offer_that_shares_no_pair_changes_no_other_cluster(
    model: MatchModel, sample: list[OfferRecord], seed: int
) -> None:
    chance = random.Random(seed)
    records = chance.sample(sample, 150)
    statistics = CatalogueStatistics.of(sample)
    spread = score_candidates(prepare(sample, statistics), model).spread
    words = ["".join(chance.choices("qxzjkvw", k=6)) for _ in range(5)]
    stranger = OfferRecord(offer_id=f"s{seed}", store=chance.choice(sample).store, title=" ".join(words))
    catalogue = prepare([*records, stranger], statistics)
    pairs = candidate_pairs(catalogue)
    position = next(i for i, one in enumerate(catalogue.records) if one.offer_id == stranger.offer_id)
    for ends in (pairs.left, pairs.right, pairs.alike_left, pairs.alike_right):
        assert position not in ends
    without = link_records([], records, model, statistics=statistics, spread=spread)
    with_it = link_records([], [*records, stranger], model, statistics=statistics, spread=spread)
    assert with_it.assignments == {**without.assignments, stranger.offer_id: stranger.offer_id}
    assert with_it.probable == {**without.probable, stranger.offer_id: stranger.offer_id}
    assert (with_it.links, with_it.doubtful) == (without.links, without.doubtful)


def test_several_processes_give_the_same_to_the_bit(
    model: MatchModel, sample: list[OfferRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, size in (
        (reading, "_PART", 50),
        (blocking, "_ROWS", 40),
        (blocking, "_TARGETS_AT_ONCE", 60),
        (local, "_PAIRS_AT_ONCE", 300),
        (clustering, "_PARTS_AT_ONCE", 7),
    ):
        monkeypatch.setattr(module, name, size)
    whole = score_candidates(prepare(sample), model)
    expected = partition(whole)
    parted = score_candidates(prepare(sample, processes=2), model, processes=2)
    found = partition(parted, processes=2)
    assert (parted.pairs.left == whole.pairs.left).all()
    assert (parted.scores == whole.scores).all()
    assert (found.automatic == expected.automatic).all()
    assert (found.probable == expected.probable).all()
