"""The command line as a whole: what it says on one line, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from psycopg.errors import DiskFull, InsufficientPrivilege, UndefinedColumn
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from aggregator import cli
from aggregator.cli import main
from aggregator.domain.errors import UnreadableAnswer

BASKET = {"currency": "EUR", "lines": [{"id": "l1", "quantity": 1}], "stores": [], "offers": []}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["click2cart", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["plam"], "click2cart: No such command 'plam'; see click2cart --help"),
        (["plan"], "click2cart plan: Missing argument 'BASKET'; see click2cart plan --help"),
        (
            ["stores", "list", "--fast"],
            "click2cart stores list: No such option '--fast'; see click2cart stores list --help",
        ),
    ],
)
def test_a_wrong_call_is_told_on_one_line(
    arguments: list[str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert capsys.readouterr() == ("", f"{line}\n")


def test_a_stores_words_do_not_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise UnreadableAnswer("https://shop.example/", "says \x1b[2J\r\n\x9b31mhello")

    monkeypatch.setattr(cli, "commands", click.Command("click2cart", callback=fail))
    assert run(monkeypatch) == 1
    assert capsys.readouterr().err == "click2cart: https://shop.example/: says [2J 31mhello\n"


@pytest.mark.parametrize("address", ["nonsense", "postgresql://somebody@127.0.0.1:port/name"])
def test_an_unreadable_database_address_is_told_without_its_password(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    monkeypatch.setenv("CLICK2CART_DATA_DIR", str(tmp_path))
    assert run(monkeypatch, "offers") == 2
    assert capsys.readouterr() == (
        "",
        "click2cart: DATABASE_URL cannot be read; write it as postgresql://user:password@host:5432/name\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_the_output_is_told_on_one_line(tmp_path: Path) -> None:
    basket = tmp_path / "basket.json"
    basket.write_text(json.dumps(BASKET), encoding="utf-8")
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", "from aggregator.cli import main; main()", "plan", str(basket)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (
        2,
        "click2cart: the output: the disk is full; free some space\n",
    )


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("insert", {}, DiskFull("no space left\nHINT:  Check free disk space.")),
        ProgrammingError("create table", {}, InsufficientPrivilege("no space left\nHINT: ask")),
    ],
)
def test_what_the_database_cannot_do_is_told_on_one_line(
    error: DBAPIError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "commands", click.Command("click2cart", callback=fail))
    assert run(monkeypatch) == 2
    assert capsys.readouterr() == (
        "",
        "click2cart: the database could not do it: no space left; mend that and try again, nothing was half done\n",
    )


def test_a_wrong_statement_of_ours_stays_an_error_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ProgrammingError("select", {}, UndefinedColumn("no such column"))

    monkeypatch.setattr(cli, "commands", click.Command("click2cart", callback=fail))
    monkeypatch.setattr(sys, "argv", ["click2cart"])
    with pytest.raises(ProgrammingError):
        main()
