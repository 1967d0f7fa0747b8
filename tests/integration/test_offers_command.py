"""`click2cart offers`: the current offers one a line, exactly as the interfaces promise."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select

from aggregator.cli.offers import offers
from aggregator.db.models import AccountRoleRow, AccountRow, AuditEntryRow, OfferCheckRow, OfferRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.settings import Settings
from tests.integration.shop_rows import offer_row, product_row, store_row

KEYS = (
    "id store external_id name brand mpn gtin price currency availability url item_group_id product_id checked_at"
).split()


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    assert settings.database_url is not None
    return {"DATABASE_URL": settings.database_url, "CLICK2CART_DATA_DIR": str(settings.data_dir)}


@pytest.fixture
def catalogue(sessions: Sessions) -> dict[str, str]:
    """Public ids by name: a current kettle, a bare offer without product, one in yen, a gone one."""
    with sessions.begin() as session:
        near, far = store_row(session, "near"), store_row(session, "far", checked_at=None)
        kettle = product_row(session, "Kettle")
        full = offer_row(
            session,
            near,
            kettle,
            "19.9",
            number=1,
            title="Kettle, \u201cquick\u201d\t1.7 l",
            brand="Br\u00fcher",
            mpn="K-17",
            gtin="09520123456788",
            item_group_id="g1",
        )
        bare = offer_row(session, far, None, "5", number=2, title="Mug", availability=None)
        yen = offer_row(session, far, None, "1200", number=3, title="Tea", price_currency="JPY")
        gone = offer_row(
            session, near, kettle, "1", number=4, title="Old", gone_at=datetime(2026, 3, 2, tzinfo=UTC)
        )
        session.add(OfferCheckRow(offer_id=yen.id, checked_at=datetime(2026, 3, 5, 6, 7, 8, tzinfo=UTC)))
        return {
            "kettle": kettle.public_id,
            "full": full.public_id,
            "bare": bare.public_id,
            "yen": yen.public_id,
            "gone": gone.public_id,
        }


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(offers, arguments, env=environment, catch_exceptions=False)


def read_lines(result: Result) -> list[dict[str, Any]]:
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_writes_one_object_a_line_with_exactly_the_promised_keys(
    environment: dict[str, str], catalogue: dict[str, str]
) -> None:
    lines = read_lines(run(environment))

    assert [list(line) for line in lines] == [KEYS, KEYS, KEYS]
    assert lines[0] == {
        "id": catalogue["full"],
        "store": "near",
        "external_id": "near-1",
        "name": "Kettle, \u201cquick\u201d\t1.7 l",
        "brand": "Br\u00fcher",
        "mpn": "K-17",
        "gtin": "9520123456788",
        "price": "19.90",
        "currency": "EUR",
        "availability": "InStock",
        "url": "https://near.example/p/1",
        "item_group_id": "g1",
        "product_id": catalogue["kettle"],
        "checked_at": "2026-03-01T12:00:00Z",
    }
    assert {key: lines[1][key] for key in ("id", "brand", "gtin", "availability", "product_id", "price")} == {
        "id": catalogue["bare"],
        "brand": None,
        "gtin": None,
        "availability": None,
        "product_id": None,
        "price": "5.00",
    }
    assert (lines[2]["price"], lines[2]["currency"], lines[2]["checked_at"]) == (
        "1200",
        "JPY",
        "2026-03-05T06:07:08Z",
    )


def test_writes_the_offers_of_one_store(environment: dict[str, str], catalogue: dict[str, str]) -> None:
    assert [line["id"] for line in read_lines(run(environment, "--store", "far"))] == [
        catalogue["bare"],
        catalogue["yen"],
    ]


def test_writes_the_gone_ones_too_when_asked(environment: dict[str, str], catalogue: dict[str, str]) -> None:
    lines = read_lines(run(environment, "--store", "near", "--all"))
    assert [(line["id"], line["gone_at"]) for line in lines] == [
        (catalogue["full"], None),
        (catalogue["gone"], "2026-03-02T00:00:00Z"),
    ]


def test_writes_csv_with_a_header(environment: dict[str, str], catalogue: dict[str, str]) -> None:
    result = run(environment, "--format", "csv")
    assert result.exit_code == 0
    records = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(records[0]) == KEYS
    assert [record["id"] for record in records] == [catalogue[name] for name in ("full", "bare", "yen")]
    assert (records[0]["name"], records[1]["brand"]) == ("Kettle, \u201cquick\u201d\t1.7 l", "")
    assert "\r" not in result.stdout


def test_writes_a_file_when_asked(
    environment: dict[str, str], catalogue: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "offers.jsonl"
    result = run(environment, "--output", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3


def test_an_unknown_store_is_an_error_and_leaves_a_file_alone(
    environment: dict[str, str], catalogue: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "offers.jsonl"
    path.write_text("yesterday's")
    with pytest.raises(NotFound, match="no such store: nowhere"):
        run(environment, "--store", "nowhere", "--output", str(path))
    assert path.read_text() == "yesterday's"


def test_a_command_that_fails_half_way_leaves_the_file_as_it_was(
    environment: dict[str, str], catalogue: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "offers.jsonl"
    path.write_text("yesterday's")
    written = iter([dict.fromkeys(KEYS)])
    monkeypatch.setattr("aggregator.cli.offers.as_fields", lambda _offer: next(written))
    with pytest.raises(RuntimeError):
        run(environment, "--output", str(path))
    assert (path.read_text(), [file.name for file in tmp_path.iterdir()]) == ("yesterday's", ["offers.jsonl"])


def test_a_file_that_cannot_be_written_is_named(
    environment: dict[str, str], catalogue: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "nowhere" / "offers.jsonl"
    with pytest.raises(
        InvalidInput, match=r"^--output: cannot write .*offers.jsonl \(No such file or directory\); "
    ):
        run(environment, "--output", str(path))


def test_an_empty_catalogue_is_no_line_and_only_a_header_in_csv(
    environment: dict[str, str], sessions: Sessions
) -> None:
    assert read_lines(run(environment)) == []
    assert run(environment, "--format", "csv").stdout == ",".join(KEYS) + "\n"


def test_reads_more_offers_than_one_batch(environment: dict[str, str], sessions: Sessions) -> None:
    with sessions.begin() as session:
        near = store_row(session, "near")
        common = {"store_id": near.id, "price": 1, "price_currency": "EUR", "digest": b"", "title": "Mug"}
        instants = {"first_seen_at": datetime.now(UTC), "changed_at": datetime.now(UTC)}
        session.execute(
            insert(OfferRow),
            [
                {**common, **instants, "external_id": str(number), "url": f"https://near.example/{number}"}
                for number in range(2_100)
            ],
        )
    assert len(read_lines(run(environment))) == 2_100


def test_invites_an_operator_on_a_terminal(environment: dict[str, str], sessions: Sessions) -> None:
    terminal, theirs = pty.openpty()
    try:
        program = subprocess.run(
            [
                sys.executable,
                "-c",
                "from aggregator.cli import main; main()",
                "operators",
                "invite",
                "Ada@shop.example",
            ],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment, "PORT": "5123"},
            timeout=60,
            check=False,
        )
        printed = os.read(terminal, 4096).decode()
    finally:
        os.close(theirs)
        os.close(terminal)

    assert program.returncode == 0, program.stderr.decode()
    assert printed.startswith("http://127.0.0.1:5123/login/link/")
    with sessions.begin() as session:
        assert session.execute(
            select(AccountRow.email, AccountRoleRow.role).join(
                AccountRoleRow, AccountRoleRow.account_id == AccountRow.id
            )
        ).all() == [("ada@shop.example", "operator")]
        assert session.scalars(select(AuditEntryRow.action)).all() == ["account.invited"]
