"""`click2cart runs` on a database of its own."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner

from aggregator.catalog.ingest import release_run, stage_offers
from aggregator.catalog.runs import open_run
from aggregator.catalog.stores import NewStore, register_store
from aggregator.cli.runs import runs
from aggregator.db.session import Sessions
from aggregator.domain.errors import Conflict
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


def call(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(runs, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    return found[0] if isinstance(found, list) else found


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
