"""`click2cart runs`, `quarantine` and `alarms` on a database of their own."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import click
import pytest
from click.testing import CliRunner

from aggregator.catalog.ingest import release_run, stage_offers
from aggregator.catalog.runs import open_run
from aggregator.catalog.stores import NewStore, register_store
from aggregator.cli.alarms import alarms
from aggregator.cli.quarantine import quarantine
from aggregator.cli.runs import runs
from aggregator.db.session import Sessions
from aggregator.domain.errors import Conflict, InvalidInput
from aggregator.domain.offers import RawOffer
from aggregator.domain.runs import CrawlCounts
from aggregator.settings import Settings


def crawl(sessions: Sessions, price: str) -> str:
    with sessions.begin() as session:
        ticket = open_run(session, "shop", trigger="command", worker="test")
        assert ticket is not None
        offers = [
            RawOffer(external_id=str(n), url=f"https://s.example/{n}", title="Cup", price=Decimal(price))
            for n in range(30)
        ]
        stage_offers(session, ticket, offers, CrawlCounts(requests=1, bytes_received=1))
        return release_run(session, ticket, is_complete=True).run


@pytest.fixture
def held_run(sessions: Sessions, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("CLICK2CART_DATA_DIR", str(settings.data_dir))
    with sessions.begin() as session:
        register_store(
            session,
            NewStore(url="https://s.example", platform="generic", name="Shop", slug="shop", currency="EUR"),
        )
    crawl(sessions, "5.00")
    return crawl(sessions, "500.00")


def call(*arguments: str, of: click.Command = runs) -> dict[str, Any]:
    result = CliRunner().invoke(of, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert isinstance(found, list | dict)
    return found[0] if isinstance(found, list) else found


def words(*arguments: str, of: click.Command = runs) -> str:
    result = CliRunner().invoke(of, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_held_run_is_listed_with_its_reason_and_accepted(held_run: str) -> None:
    listed = call("list", "--store", "shop")
    assert (listed["id"], listed["state"], listed["held"]) == (held_run, "held", 30)
    assert "tripled" in str(listed["problem"])
    assert str(listed["started_at"]).endswith("Z")
    accepted = call("accept", held_run)
    assert (accepted["state"], accepted["changed"]) == ("finished", 30)


def test_a_discarded_run_changes_nothing_and_is_settled_once(held_run: str) -> None:
    assert call("discard", held_run)["state"] == "cancelled"
    with pytest.raises(Conflict):
        CliRunner().invoke(runs, ["accept", held_run], catch_exceptions=False)


def test_a_run_is_shown_with_its_anomalies_changes_and_log(held_run: str) -> None:
    shown = call("show", held_run)
    assert shown["anomalies"][0]["kind"] == "prices_moved"
    assert shown["difference"]["samples"][0]["before"] == "5"
    assert shown["counts"]["requests"] == 1
    assert call("log", held_run)["level"] == "warning"
    text = words("show", held_run)
    assert "30 seen = 0 new + 0 changed + 0 unchanged + 30 held + 0 quarantined" in text
    assert "5 -> 500 EUR" in text
    assert "Held back" in words("log", held_run)


def test_an_alarm_is_listed_and_acknowledged(held_run: str) -> None:
    alarm = call("list", of=alarms)
    assert (alarm["kind"], alarm["run"], alarm["state"]) == ("run_held", held_run, "open")
    assert call("acknowledge", alarm["id"], of=alarms)["state"] == "acknowledged"
    assert "acknowledged" in words("list", "--all", of=alarms)


def test_what_waits_is_listed_fixed_by_a_rule_replayed_and_discarded(
    held_run: str, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        ticket = open_run(session, "shop", trigger="command", worker="test")
        assert ticket is not None
        offers = [
            RawOffer(external_id=f"q{n}", url=f"https://s.example/q{n}", title="Cup", price=price)
            for n, price in enumerate(("1.299", "call us"))
        ]
        stage_offers(session, ticket, offers, CrawlCounts())
        release_run(session, ticket, is_complete=False)
    assert call("list", "--summary", of=quarantine)["count"] == 1
    waiting = call("list", "--reason", "ambiguous_price", of=quarantine)
    assert (waiting["external_id"], waiting["reason"]) == ("q0", "ambiguous_price")
    assert "ambiguous_price" in words("show", waiting["id"], of=quarantine)
    fixed = call("fix", "shop", "--rule", "decimal_mark=,", "--replay", of=quarantine)
    assert (fixed["replayed"], fixed["run"]["new"], fixed["run"]["quarantined"]) == (2, 1, 1)
    left = call("list", of=quarantine)
    assert left["external_id"] == "q1"
    assert "1 read again: 0 new, 0 changed, 1 refused again" in words(
        "replay", "--store", "shop", of=quarantine
    )
    left = call("list", of=quarantine)
    assert call("discard", left["id"], of=quarantine) == {"discarded": 1}
    assert "no such" not in words("list", of=quarantine)
    with pytest.raises(InvalidInput):
        CliRunner().invoke(quarantine, ["fix", "shop"], catch_exceptions=False)
