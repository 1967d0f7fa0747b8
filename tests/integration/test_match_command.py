"""`click2cart match` on the catalogue: link, explain, and people's verdicts on their way to training."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from aggregator.accounts.sign_in import invite
from aggregator.catalog.verdicts import record_verdict
from aggregator.db.models import AccountRow, OfferRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.settings import Settings
from matcher.cli import match
from matcher.files import read_labels, read_offers
from tests.integration.test_linking import seed

Run = Callable[..., str]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DATABASE_URL", settings.database_url or "")

    def invoke(*arguments: object) -> str:
        result = CliRunner().invoke(match, [str(argument) for argument in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


@pytest.fixture
def ids(sessions: Sessions) -> dict[str, str]:
    """Public ids of the seeded offers by their stores' keys."""
    with sessions.begin() as session:
        seed(session)
        return {row.external_id: row.public_id for row in session.scalars(select(OfferRow))}


def test_a_full_linking_says_what_it_would_do_and_then_does_it(run: Run, ids: dict[str, str]) -> None:
    assert json.loads(run("link", "--json")) == {"linked": 5, "doubtful": 0, "products": 3}
    foreseen = json.loads(run("link", "--full", "--dry-run", "--json"))
    assert foreseen["dry_run"] is True
    assert (foreseen["offers"], foreseen["moved"], foreseen["products_after"]) == (5, 0, 3)
    assert foreseen["drift"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    with pytest.raises(InvalidInput, match="full linking"):
        run("link", "--dry-run")
    assert "0 offers moved" in run("link", "--full")


def test_explain_tells_the_kept_evidence_and_whose_word_it_is(
    run: Run, ids: dict[str, str], sessions: Sessions
) -> None:
    run("link")
    kept = json.loads(run("explain", ids["alpha-2"], ids["beta-2"], "--json"))
    assert (kept["outcome"], kept["verdict"]) == ("merged", None)
    assert "gtin" in {one["comparison"] for one in kept["evidence"]}
    with sessions.begin() as session:
        invite(session, "ada@example.org", "operator")
        ada = session.scalar(select(AccountRow.id))
        record_verdict(session, ids["alpha-2"], ids["gamma-3"], "same", account_id=ada)
    run("link")
    told = run("explain", ids["alpha-2"], ids["gamma-3"])
    assert "merged" in told
    assert "ada@example.org said on" in told
    apart = json.loads(run("explain", ids["alpha-1"], ids["beta-2"], "--json"))
    assert apart["outcome"] == "apart"
    assert apart["probability"] < 0.5
    with pytest.raises(NotFound):
        run("explain", ids["alpha-1"], "nobody")


def test_what_people_said_is_learnt_from(
    run: Run, ids: dict[str, str], sessions: Sessions, tmp_path: Path
) -> None:
    offers, pairs, model = tmp_path / "offers.csv", tmp_path / "pairs.csv", tmp_path / "model.json"
    with pytest.raises(InvalidInput, match="nobody has judged"):
        run("verdicts", "--offers", offers, "--pairs", pairs)
    with sessions.begin() as session:
        record_verdict(session, ids["alpha-1"], ids["beta-1"], "same", account_id=None)
        record_verdict(session, ids["alpha-2"], ids["gamma-3"], "different", account_id=None)
        record_verdict(session, ids["alpha-1"], ids["gamma-3"], "variant", account_id=None)
    report = json.loads(run("verdicts", "--offers", offers, "--pairs", pairs, "--json"))
    assert report == {"offers": 5, "pairs": 3, "same": 1}
    assert read_labels(pairs, None) == {
        tuple(sorted_like(ids["alpha-1"], ids["beta-1"], pairs)): True,
        tuple(sorted_like(ids["alpha-2"], ids["gamma-3"], pairs)): False,
        tuple(sorted_like(ids["alpha-1"], ids["gamma-3"], pairs)): False,
    }
    assert {record.offer_id for record in read_offers(offers)} == set(ids.values())
    run("train", "--labelled", offers, pairs, "--output", model)
    assert json.loads(model.read_text())["trained_on"] == [tmp_path.name]


def sorted_like(one: str, other: str, pairs: Path) -> tuple[str, str]:
    """The two ids in the order in which the file has them."""
    with pairs.open(newline="", encoding="utf-8") as file:
        found = {(row["left_id"], row["right_id"]) for row in csv.DictReader(file)}
    return (one, other) if (one, other) in found else (other, one)
