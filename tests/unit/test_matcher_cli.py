"""The file commands: cluster, give probabilities, explain, train."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from aggregator.domain.errors import InvalidInput, NotFound
from matcher.cli import match

SAMPLE = Path(__file__).parents[2] / "fixtures" / "matching" / "abt-buy-sample"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(match, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_file_of_offers_becomes_a_file_of_clusters_and_figures(tmp_path: Path) -> None:
    out = tmp_path / "clusters.csv"
    printed = run("run", SAMPLE / "offers.csv", "--output", out, "--truth", SAMPLE / "truth.csv", "--json")
    assert json.loads(printed)["f1"] > 0.93
    clusters = rows(out)
    assert sorted(row["offer_id"] for row in clusters) == sorted(
        row["offer_id"] for row in rows(SAMPLE / "offers.csv")
    )
    again = tmp_path / "again.csv"
    run("run", SAMPLE / "offers.csv", "--output", again)
    assert again.read_bytes() == out.read_bytes()


def test_parquet_in_and_out_gives_the_same_clusters(tmp_path: Path) -> None:
    offers, from_csv = tmp_path / "offers.parquet", tmp_path / "clusters.csv"
    parquet.write_table(arrow_csv.read_csv(SAMPLE / "offers.csv"), offers)
    run("run", SAMPLE / "offers.csv", "--output", from_csv)
    run("run", offers, "--output", tmp_path / "clusters.parquet")
    assert parquet.read_table(tmp_path / "clusters.parquet").to_pylist() == rows(from_csv)


def test_what_is_no_parquet_is_said(tmp_path: Path) -> None:
    path = tmp_path / "offers.parquet"
    path.write_bytes(b"offer_id,title")
    with pytest.raises(InvalidInput, match="not a Parquet file"):
        run("run", path, "--output", tmp_path / "c.csv")


def test_clusters_on_standard_output_leave_the_figures_to_the_other_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(
        match, ["run", str(SAMPLE / "offers.csv"), "--output", "-", "--truth", str(SAMPLE / "truth.csv")]
    )
    header, *lines = result.stdout.splitlines()
    assert (header, len(lines)) == ("offer_id,cluster_id", len(rows(SAMPLE / "offers.csv")))
    assert result.stderr.startswith("offers ")
    assert list(tmp_path.iterdir()) == []


def test_every_asked_pair_gets_a_probability_and_an_outcome(tmp_path: Path) -> None:
    truth = {row["offer_id"]: row["cluster_id"] for row in rows(SAMPLE / "truth.csv")}
    left, right = sorted(truth)[0], sorted(truth)[-1]
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        f"left_id,right_id,label\n{left},{right},0\n{right},{left},0\na7,b158,1\n", encoding="utf-8"
    )
    out = tmp_path / "out.csv"
    run(
        *("run", SAMPLE / "offers.csv", "--output", tmp_path / "c.csv"),
        *("--pairs", pairs, "--pairs-output", out, "--automatic-only"),
    )
    first, second, third = rows(out)
    assert (first["left_id"], first["right_id"], first["outcome"]) == (left, right, "apart")
    assert (second["left_id"], second["probability"]) == (right, first["probability"])
    assert float(third["probability"]) > 0.9 > 0.1 > float(first["probability"])
    clusters = {row["offer_id"]: row["cluster_id"] for row in rows(tmp_path / "c.csv")}
    assert (third["outcome"] == "merged") == (clusters["a7"] == clusters["b158"])


def test_a_pair_is_explained_in_sentences() -> None:
    text = run("explain", "a7", "b158", "--offers", SAMPLE / "offers.csv")
    assert "Both name the model code SDYD250, and no other." in text
    value = json.loads(run("explain", "b158", "a7", "--offers", SAMPLE / "offers.csv", "--json"))
    assert value["offers"] == ["a7", "b158"]
    assert {"comparison", "level", "weight", "sentence"} == set(value["evidence"][0])


def test_training_gives_the_same_model_every_time(tmp_path: Path) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    for output in (one, other):
        run("train", "--catalogue", SAMPLE / "offers.csv", SAMPLE / "truth.csv", "--output", output)
    assert one.read_bytes() == other.read_bytes()
    run("run", SAMPLE / "offers.csv", "--output", tmp_path / "c.csv", "--model", one)


def test_training_learns_from_labelled_pairs(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        "left_id,right_id,label,split\na7,b158,1,train\na7,b160,0,train\na7,b161,1,test\n", encoding="utf-8"
    )
    output = tmp_path / "m.json"
    run("train", "--labelled", SAMPLE / "offers.csv", pairs, "--split", "train", "--output", output)
    assert json.loads(output.read_text())["trained_on"] == ["abt-buy-sample"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pairs", "x.csv"], "--pairs and --pairs-output belong together"),
        (["--model", "missing.json"], "the model cannot be read"),
        (["--truth", "missing.csv"], "cannot be read"),
    ],
)
def test_a_wrong_call_says_what_to_do(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        run("run", SAMPLE / "offers.csv", "--output", tmp_path / "c.csv", *arguments)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("offer_id\n1\n", "the header lacks title"),
        ("offer_id,title\n1,x\n1,y\n", "offer_id 1 occurs twice"),
        ("offer_id,title\n1,x,y\n", "line 2: the line has not as many fields"),
        ("offer_id,title\n,x\n", "line 2: offer_id is empty"),
    ],
)
def test_a_file_at_fault_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "offers.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match=message):
        run("run", path, "--output", tmp_path / "c.csv")


def test_an_unknown_offer_cannot_be_explained() -> None:
    with pytest.raises(NotFound, match="no such offer: nobody"):
        run("explain", "nobody", "a7", "--offers", SAMPLE / "offers.csv")


def test_new_offers_are_linked_into_a_kept_index(tmp_path: Path) -> None:
    offers = rows(SAMPLE / "offers.csv")
    first, later, clusters = tmp_path / "first.csv", tmp_path / "later.csv", tmp_path / "clusters.csv"
    for path, part in ((first, offers[:-10]), (later, offers[-10:])):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, offers[0].keys())
            writer.writeheader()
            writer.writerows(part)
    index = tmp_path / "index"
    run("run", first, "--output", clusters, "--index", index)
    before = {row["cluster_id"] for row in rows(clusters)}
    run("run", later, "--output", clusters, "--index", index)
    found = {row["offer_id"]: row["cluster_id"] for row in rows(clusters)}
    assert set(found) == {row["offer_id"] for row in offers[-10:]}
    assert before & set(found.values())
    next(index.glob("keys-*.json")).write_bytes(b"00000000[]")
    with pytest.raises(InvalidInput, match="the index cannot be used"):
        run("run", later, "--output", clusters, "--index", index)
