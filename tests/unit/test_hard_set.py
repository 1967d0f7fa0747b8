"""The hard set: made again byte by byte, labelled without contradiction, scored as stated."""

from __future__ import annotations

import csv
from collections import Counter

from benchmarks.hard_groups import HARD_SET
from benchmarks.hard_set import build
from benchmarks.matching_hard import TARGET_PRECISION, TARGET_RECALL, HardScore, JudgedPair, by_kind, judge


def _rows(name: str) -> list[dict[str, str]]:
    with (HARD_SET / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_committed_files_are_what_the_rules_make() -> None:
    offers, pairs = build()
    assert [row["title"] for row in _rows("offers.csv")] == [offer["title"] for offer in offers]
    assert [tuple(row.values()) for row in _rows("pairs.csv")] == pairs


def test_every_pair_names_two_offers_and_is_labelled_once() -> None:
    ids = {row["offer_id"] for row in _rows("offers.csv")}
    pairs = _rows("pairs.csv")
    assert all({pair["left_id"], pair["right_id"]} <= ids for pair in pairs)
    assert len({frozenset((pair["left_id"], pair["right_id"])) for pair in pairs}) == len(pairs)


def test_labels_do_not_contradict_each_other() -> None:
    parent: dict[str, str] = {}

    def root(offer: str) -> str:
        while offer in parent:
            offer = parent[offer]
        return offer

    pairs = _rows("pairs.csv")
    for pair in pairs:
        one, other = root(pair["left_id"]), root(pair["right_id"])
        if pair["label"] == "1" and one != other:
            parent[one] = other
    assert [
        pair for pair in pairs if pair["label"] == "0" and root(pair["left_id"]) == root(pair["right_id"])
    ] == []


def test_the_set_is_large_and_balanced() -> None:
    pairs = _rows("pairs.csv")
    kinds = Counter(pair["kind"] for pair in pairs)
    assert len(pairs) > 2000
    assert 0.4 < sum(pair["label"] == "1" for pair in pairs) / len(pairs) < 0.52
    assert {
        "accessory",
        "bundle",
        "case_or_unit",
        "multipack",
        "refurbished",
        "restricted_gtin",
        "shared_gtin",
    } <= set(kinds)
    assert min(kinds.values()) >= 20


def test_precision_counts_wrong_merges_and_recall_missed_ones() -> None:
    pairs = [
        JudgedPair("a", "b", True, "colour", 0.99, "merged"),
        JudgedPair("a", "c", True, "colour", 0.80, "doubtful"),
        JudgedPair("a", "d", False, "colour", 0.97, "merged"),
        JudgedPair("e", "f", False, "size", 0.10, "apart"),
    ]
    score = HardScore.of(pairs)
    assert (score.precision, score.recall, score.wrong) == (0.5, 0.5, 1)
    assert by_kind(pairs)["size"].precision == 1.0


def test_the_shipped_model_merges_the_hard_set_as_surely_as_wanted() -> None:
    score = HardScore.of(judge())
    assert score.precision >= TARGET_PRECISION
    assert score.recall >= TARGET_RECALL
