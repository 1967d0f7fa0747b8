"""`click2cart stores`, `schedule` and `operators`: the console's part at the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from aggregator.accounts.sign_in import invite
from aggregator.catalog.stores import NewStore, register_store
from aggregator.cli import commands
from aggregator.db.models import StoreRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import Click2CartError, Conflict, InvalidInput, NotFound
from aggregator.secrets import StoreSecrets
from aggregator.settings import Settings


@pytest.fixture
def shell(
    settings: Settings, sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CliRunner:
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CLICK2CART_DATA_DIR", str(tmp_path))
    with sessions.begin() as session:
        register_store(
            session, NewStore(url="https://shop.example", platform="shopify", name="Shop", slug="shop")
        )
    return CliRunner()


def run(shell: CliRunner, *words: str, given: str | None = None) -> Any:
    """What the command prints, read as JSON."""
    result = shell.invoke(commands, words, input=given, catch_exceptions=False)
    return json.loads(result.stdout)


def refused(shell: CliRunner, *words: str, given: str | None = None) -> Click2CartError:
    result = shell.invoke(commands, words, input=given)
    assert isinstance(result.exception, Click2CartError), result.output
    return result.exception


def test_settings_are_shown_and_changed_one_by_one(shell: CliRunner, sessions: Sessions) -> None:
    tiers = '{"tiers": [{"min_subtotal": "0", "cost": "4.90"}]}'
    saved = run(
        shell, "stores", "set", "shop", "--name", "New", "--currency", "eur", "--shipping", tiers,
        "--shipping-to", f"at={tiers}", "--set", "crawl_delay=2", "--set", "storefront_token=sesame", "--json",
    )  # fmt: skip
    assert saved == run(shell, "stores", "show", "shop", "--json")
    assert (saved["name"], saved["currency"], saved["secrets_set"]) == ("New", "EUR", ["storefront_token"])
    assert saved["shipping_by_country"]["AT"] == saved["shipping"] == {**json.loads(tiers), "min_order": None}
    with sessions() as session:
        sealed = session.scalars(select(StoreRow)).one().secret_options
    assert StoreSecrets.from_settings(Settings.from_env()).open(sealed) == {"storefront_token": "sesame"}
    saved = run(
        shell, "stores", "set", "shop", "--shipping", "unknown", "--shipping-to", "AT=none",
        "--unset", "crawl_delay", "--unset", "storefront_token", "--json",
    )  # fmt: skip
    assert (saved["shipping"], saved["shipping_by_country"], saved["options"]) == (None, {}, {})
    assert saved["secrets_set"] == []


def test_a_store_is_paused_resumed_listed_and_removed(shell: CliRunner) -> None:
    assert run(shell, "stores", "pause", "shop", "--json")["next_crawl_at"] is None
    assert run(shell, "stores", "resume", "shop", "--json")["next_crawl_at"].endswith("Z")
    (listed,) = run(shell, "stores", "list", "--json")
    assert (listed["slug"], listed["schedule"]) == ("shop", {"interval": 21_600, "timezone": "UTC"})
    assert listed["health"]["circuit"] == "closed"
    unconfirmed = refused(shell, "stores", "remove", "shop")
    assert (unconfirmed.exit_code, str(unconfirmed)) == (2, "--confirm: not confirmed; add --confirm shop")
    assert run(shell, "stores", "remove", "shop", "--confirm", "shop", "--json")["removed"]["offers"] == 0
    assert isinstance(refused(shell, "stores", "show", "shop"), NotFound)


def test_settings_go_out_to_a_file_and_come_back(shell: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "stores.json"
    assert shell.invoke(commands, ["stores", "export", "--output", str(file)]).exit_code == 0
    text = file.read_text().replace('"name": "Shop"', '"name": "Other"')
    outcome = [{"slug": "shop", "outcome": "changed", "secrets_missing": ["storefront_token"]}]
    assert run(shell, "stores", "import", "-", "--dry-run", "--json", given=text) == outcome
    assert run(shell, "stores", "show", "shop", "--json")["name"] == "Shop"
    assert run(shell, "stores", "import", "-", "--json", given=text) == outcome
    assert run(shell, "stores", "show", "shop", "--json")["name"] == "Other"
    assert isinstance(refused(shell, "stores", "import", "-", given="nonsense"), InvalidInput)
    assert isinstance(refused(shell, "stores", "import", str(tmp_path / "none.json")), InvalidInput)


def test_a_schedule_is_set_part_by_part_and_told(shell: CliRunner) -> None:
    told = run(
        shell, "schedule", "set", "shop", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--jitter", "10m",
        "--quiet", "22:00-01:00", "--json",
    )  # fmt: skip
    assert told["schedule"] == {
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "jitter": 600,
        "quiet_from": "22:00",
        "quiet_until": "01:00",
    }
    assert len(told["next"]) == 5
    told = run(shell, "schedule", "set", "shop", "--jitter", "0", "--quiet", "none", "--json")
    assert told["schedule"] == {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    after = ("schedule", "next", "shop", "--count", "2", "--after", "2027-03-27T12:00:00Z", "--json")
    assert run(shell, *after)["next"] == ["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]
    assert run(shell, "schedule", "set", "shop", "--every", "90m", "--json")["schedule"]["interval"] == 5400
    (listed,) = run(shell, "schedule", "list", "--json")
    assert listed["schedule"] == {"interval": 5400, "timezone": "Europe/Berlin"}
    for wrong in (["--every", "often"], ["--cron", "* *"], ["--timezone", "Mars"], ["--quiet", "22"]):
        assert refused(shell, "schedule", "set", "shop", *wrong).exit_code == 2


def test_operators_are_listed_and_lose_their_rights(shell: CliRunner, sessions: Sessions) -> None:
    with sessions.begin() as session:
        invite(session, "ada@example.org", "admin")
        invite(session, "grace@example.org", "operator")
    listed = run(shell, "operators", "list", "--json")
    assert [(member["email"], member["roles"]) for member in listed] == [
        ("ada@example.org", ["admin"]),
        ("grace@example.org", ["operator"]),
    ]
    assert run(shell, "operators", "remove", " Grace@example.org", "--json")["roles"] == []
    assert isinstance(refused(shell, "operators", "remove", "ada@example.org"), Conflict)
    assert isinstance(refused(shell, "operators", "remove", "nobody@example.org"), NotFound)
