"""How public tools' scored pairs are judged: across stores, from a threshold on, or where each is the other's best."""

from __future__ import annotations

from pathlib import Path

from benchmarks.matching_peers import PEERS, ScoredPairs
from benchmarks.peers import link_offers_tools


def _pairs(folder: Path, rows: str) -> ScoredPairs:
    (folder / "offers.csv").write_text("offer_id,store\na1,a\na2,a\nb1,b\nb2,b\n", encoding="utf-8")
    (folder / "pairs.csv").write_text(f"left_id,right_id,score\n{rows}", encoding="utf-8")
    truth = {"a1": "p", "b1": "p", "a2": "q", "b2": "q"}
    return ScoredPairs.read(folder / "pairs.csv", folder / "offers.csv", truth)


def test_pairs_of_one_store_are_left_out(tmp_path: Path) -> None:
    assert _pairs(tmp_path, "a1,a2,0.9\na1,b1,0.8\na2,b2,0.7\n").f1_from(0.5) == 1.0


def test_what_the_pairs_from_the_threshold_on_connect_is_one_product(tmp_path: Path) -> None:
    pairs = _pairs(tmp_path, "a1,b1,0.9\na1,b2,0.6\na2,b2,0.8\n")
    assert pairs.f1_from(0.7) == 1.0
    assert pairs.f1_from(0.5) < 0.6


def test_mutual_pairs_are_each_others_best(tmp_path: Path) -> None:
    pairs = _pairs(tmp_path, "a1,b1,0.9\na1,b2,0.6\na2,b2,0.8\n")
    assert pairs.mutual().f1_from(0.5) == 1.0


def test_every_tool_has_a_threshold_and_a_function() -> None:
    assert set(PEERS) == link_offers_tools()
