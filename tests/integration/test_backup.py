"""`backup` and `restore` on real data: what comes back, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from aggregator.cli.backup import backup, restore
from aggregator.db.embedded import embedded_services
from aggregator.db.embedded.layout import DataLayout
from aggregator.db.embedded.locks import sole_supervisor
from aggregator.domain.errors import EnvironmentProblem, InvalidInput
from aggregator.settings import Settings


@contextmanager
def database(folder: Path) -> Iterator[psycopg.Connection]:
    with (
        embedded_services(Settings(data_dir=folder), with_broker=False) as services,
        psycopg.connect(services.database_url.replace("+psycopg", ""), autocommit=True) as connection,
    ):
        yield connection


def fill(folder: Path, *prices: str) -> None:
    with database(folder) as connection:
        connection.execute("DROP TABLE IF EXISTS offers")
        connection.execute(
            "CREATE TABLE offers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, price numeric)"
        )
        connection.cursor().executemany(
            "INSERT INTO offers (price) VALUES (%s)", [(price,) for price in prices]
        )


def prices(folder: Path) -> list[str]:
    with database(folder) as connection:
        return [str(price) for (price,) in connection.execute("SELECT price FROM offers ORDER BY id")]


def run(command: object, folder: Path, *arguments: str, **environment: str) -> Result:
    variables = {
        "CLICK2CART_DATA_DIR": str(folder),
        "DATABASE_URL": "",
        "CLICK2CART_SECRET_KEY": "",
        **environment,
    }
    return CliRunner().invoke(command, list(arguments), env=variables)  # type: ignore[arg-type]  # both are commands


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of two offers and a key."""
    folder = tmp_path_factory.mktemp("saved")
    fill(folder / "data", "19.99", "5.00")
    DataLayout.at(folder / "data").secret_key.write_text("the key that sealed the options")
    assert run(backup, folder / "data", str(folder / "shop.backup")).exit_code == 0
    return folder / "shop.backup"


def test_what_was_saved_comes_back_in_a_new_place(saved: Path, tmp_path: Path) -> None:
    done = run(restore, tmp_path / "new", str(saved))
    assert (done.exit_code, done.exception) == (0, None)
    assert prices(tmp_path / "new") == ["19.99", "5.00"]
    key = DataLayout.at(tmp_path / "new").secret_key
    assert key.read_text() == "the key that sealed the options"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with database(tmp_path / "new") as connection:
        connection.execute(
            "INSERT INTO offers (price) VALUES ('7')"
        )  # the sequence goes on, the role owns the table
        connection.execute("ALTER TABLE offers ADD COLUMN name text")
        assert connection.execute("SELECT max(id) FROM offers").fetchone() == (3,)


def test_a_backup_is_private_and_alone_in_its_folder(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert sorted(path.name for path in saved.parent.iterdir()) == ["data", "shop.backup"]


def test_data_that_is_there_is_not_overwritten_unless_asked_and_then_kept(
    saved: Path, tmp_path: Path
) -> None:
    place = tmp_path / "data"
    fill(place, "1.00")
    refused = run(restore, place, str(saved))
    assert isinstance(refused.exception, InvalidInput)
    assert (refused.exception.exit_code, str(refused.exception)) == (
        2,
        f"{place}: there is data already; --replace backs it up beside and replaces it",
    )
    assert prices(place) == ["1.00"]

    done = run(restore, place, str(saved), "--replace")
    assert (done.exit_code, done.exception) == (0, None)
    assert prices(place) == ["19.99", "5.00"]
    kept = list(place.glob("replaced-*.click2cart"))
    assert len(kept) == 1
    assert run(restore, tmp_path / "former", str(kept[0])).exit_code == 0
    assert prices(tmp_path / "former") == ["1.00"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_damaged_backup_changes_nothing(saved: Path, tmp_path: Path, share: float) -> None:
    damaged = tmp_path / "damaged"
    content = saved.read_bytes()
    damaged.write_bytes(content[: int(len(content) * share)])
    refused = run(restore, saved.parent / "data", str(damaged), "--replace")
    assert str(refused.exception) == (
        f"{damaged}: no complete backup of Click2Cart; name a file that `backup` wrote"
    )
    assert prices(saved.parent / "data") == ["19.99", "5.00"]


def test_a_flipped_bit_is_found(saved: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    assert isinstance(run(restore, tmp_path / "new", str(damaged)).exception, InvalidInput)
    assert not (tmp_path / "new").exists()


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    refused = run(restore, tmp_path / "data", str(tmp_path / "none"))
    assert str(refused.exception) == f"{tmp_path}/none: no such file; name a file that `backup` wrote"


def test_an_unwritable_target_is_one_clear_line(saved: Path, tmp_path: Path) -> None:
    refused = run(backup, saved.parent / "data", str(tmp_path / "no folder" / "file"))
    assert isinstance(refused.exception, EnvironmentProblem)
    assert str(refused.exception) == (
        f"{tmp_path}/no folder/file cannot be written (No such file or directory); "
        "name a file where there is room and you may write"
    )


def test_a_backup_of_a_newer_schema_is_refused_and_the_data_stays(saved: Path, tmp_path: Path) -> None:
    fill(tmp_path / "newer", "1.00")
    with database(tmp_path / "newer") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    assert run(backup, tmp_path / "newer", str(tmp_path / "newer.backup")).exit_code == 0
    refused = run(restore, saved.parent / "data", str(tmp_path / "newer.backup"), "--replace")
    assert str(refused.exception) == (
        "the backup has a newer schema (9999) than this program knows; "
        "install the newer Click2Cart, nothing was changed"
    )
    assert prices(saved.parent / "data") == ["19.99", "5.00"]
    with database(saved.parent / "data") as connection:
        names = [name for (name,) in connection.execute("SELECT datname FROM pg_database ORDER BY 1")]
    assert names == ["click2cart", "postgres", "template0", "template1"]


def test_restores_only_while_no_site_runs(saved: Path) -> None:
    place = saved.parent / "data"
    with sole_supervisor(DataLayout.at(place)):
        refused = run(restore, place, str(saved), "--replace")
    assert isinstance(refused.exception, EnvironmentProblem)
    assert str(refused.exception) == "Click2Cart already runs here; stop it first or use it"


def test_restores_only_while_no_other_command_uses_the_database(saved: Path) -> None:
    place = saved.parent / "data"
    with database(place) as connection:
        refused = run(restore, place, str(saved), "--replace")
        assert str(refused.exception) == "another command is using the database; end it and try again"
        assert connection.execute("SELECT count(*) FROM offers").fetchone() == (2,)


def test_backs_up_while_the_site_runs(saved: Path, tmp_path: Path) -> None:
    place = saved.parent / "data"
    with sole_supervisor(DataLayout.at(place)), database(place):
        assert run(backup, place, str(tmp_path / "meanwhile")).exit_code == 0


def test_says_which_key_is_not_in_the_backup(saved: Path, tmp_path: Path) -> None:
    done = run(backup, saved.parent / "data", str(tmp_path / "file"), CLICK2CART_SECRET_KEY="k" * 20)
    assert done.stderr.splitlines()[-1] == "the key in CLICK2CART_SECRET_KEY is not in it: keep it yourself"


@pytest.mark.parametrize(("command", "tool"), [(backup, "pg_dump"), (restore, "pg_restore")])
def test_leaves_a_server_of_ones_own_to_its_own_tools(
    saved: Path, tmp_path: Path, command: object, tool: str
) -> None:
    refused = run(command, tmp_path, str(saved), DATABASE_URL="postgresql://elsewhere/shop")
    assert str(refused.exception) == f"DATABASE_URL names your own server: use its own tools, such as {tool}"
