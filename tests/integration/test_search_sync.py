"""The index follows the database: changes within one step, a lost one comes back, readers take up a new one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import dramatiq
import pytest
from click.testing import CliRunner
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import text

from aggregator.catalog.product_summaries import refresh_products
from aggregator.catalog.search_index import SearchIndex
from aggregator.catalog.search_sync import is_behind, rebuild
from aggregator.cli.search import search
from aggregator.db.session import Sessions
from aggregator.settings import Settings
from tests.integration.search_world import SearchWorld, search_world
from workers.context import WorkContext


@pytest.fixture
def world(sessions: Sessions, tmp_path: Path) -> SearchWorld:
    world = search_world(sessions, tmp_path)
    world.product({"title": "Red lamp"})
    world.sync()
    return world


def behind(world: SearchWorld) -> bool:
    with world.sessions() as session:
        return is_behind(session, world.place)


def test_a_new_product_is_found_after_the_next_step(world: SearchWorld) -> None:
    assert not behind(world)
    world.product({"title": "Blue lamp"})
    assert behind(world)
    assert world.titles("lamp") == ["Red lamp"]
    assert (world.sync().done, world.titles("blue")) == ("updated", ["Blue lamp"])
    assert not behind(world)
    assert world.sync().done == "current"


def test_what_nobody_sells_any_more_is_found_no_more(world: SearchWorld) -> None:
    with world.sessions.begin() as session:
        session.execute(text("update offers set gone_at = now()"))
        refresh_products(session, session.scalars(text("select id from products")).all())
    # Before the index knows, the database leaves it out.
    assert world.titles("lamp") == []
    world.sync()
    assert world.search("lamp").total == 0


def test_a_change_that_is_rolled_back_is_none(world: SearchWorld) -> None:
    with world.sessions() as session:
        refresh_products(session, session.scalars(text("select id from products")).all())
        session.rollback()
    assert not behind(world)


def test_a_stores_new_shipping_reaches_its_products(world: SearchWorld) -> None:
    with world.sessions.begin() as session:
        session.execute(text("update stores set shipping = null, shipping_updated_at = now()"))
    assert behind(world)
    world.sync()
    assert not behind(world)
    ((_, is_assumed),) = world.search("lamp").totals.values()
    assert is_assumed


def test_a_lost_index_is_made_anew_and_meanwhile_the_database_answers(world: SearchWorld) -> None:
    shutil.rmtree(world.place.folder)
    page = world.search("lamp")
    assert ([card.title for card in page.products], page.is_indexed) == (["Red lamp"], False)
    assert world.sync().done == "rebuilt"
    assert world.search("lamp").is_indexed


@pytest.mark.parametrize("broken", ["meta.json", "position.json"])
def test_a_damaged_index_is_made_anew(world: SearchWorld, broken: str) -> None:
    generation = world.place.current()
    assert generation is not None
    (generation.folder / broken).write_text("{")
    reader = SearchIndex(world.place)
    assert reader.view() is None
    if broken == "position.json":
        assert world.sync().done == "rebuilt"
    else:
        rebuild(world.sessions, world.place)
    assert reader.view() is not None


def test_an_index_of_another_history_is_made_anew(world: SearchWorld) -> None:
    with world.sessions.begin() as session:
        session.execute(text("update search_changes set changed_at = changed_at + interval '1 second'"))
    assert behind(world)
    # It may have other products under the same numbers.
    assert not search_world(world.sessions, world.place.folder.parent).search("lamp").is_indexed
    assert world.sync().done == "rebuilt"


def test_readers_of_other_processes_take_up_what_is_new(world: SearchWorld) -> None:
    other = SearchIndex(world.place)
    first = other.view()
    assert first is not None
    world.product({"title": "Blue lamp"})
    world.sync()
    second = other.view()
    assert second is not None
    assert (first.searcher.num_docs, second.searcher.num_docs) == (1, 2)
    rebuild(world.sessions, world.place)
    third = other.view()
    assert third is not None
    assert third.stamp != second.stamp
    # Whoever still reads the old one can go on.
    assert first.searcher.num_docs == 1


def test_only_one_writes_at_a_time(world: SearchWorld) -> None:
    world.product({"title": "Blue lamp"})
    with world.place.alone(wait=True) as is_ours:
        assert is_ours
        assert world.sync().done == "busy"
    assert world.sync().done == "updated"


def test_rebuilding_leaves_no_heap_of_old_generations(world: SearchWorld) -> None:
    for _ in range(3):
        rebuild(world.sessions, world.place)
    assert len(list(world.place.folder.glob("g*"))) == 2


def test_the_command_makes_the_index_anew_and_asks_it(
    world: SearchWorld, settings: Settings, tmp_path: Path
) -> None:
    assert settings.database_url is not None
    environment = {"DATABASE_URL": settings.database_url, "CLICK2CART_DATA_DIR": str(tmp_path / "data")}
    ran = CliRunner().invoke(search, ["rebuild", "--json"], env=environment)
    assert (ran.exit_code, json.loads(ran.stdout)["products"]) == (0, 1)
    found = json.loads(CliRunner().invoke(search, ["find", "red lmap", "--json"], env=environment).stdout)
    assert (found["total"], found["repaired"], found["is_indexed"]) == (1, "red lamp", True)
    world.product({"title": "Blue lamp"})
    updated = CliRunner().invoke(search, ["update", "--json"], env=environment)
    assert json.loads(updated.stdout) == {"done": "updated", "products": 1}


def test_a_worker_follows_when_the_clock_asks(
    world: SearchWorld, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dramatiq.set_broker(StubBroker())
    from workers.actors.searching import update_search_index

    context = WorkContext(replace(settings, data_dir=tmp_path), world.sessions)
    monkeypatch.setattr("workers.actors.searching.current", lambda: context)
    world.product({"title": "Blue lamp"})
    update_search_index.fn()
    assert world.titles("blue") == ["Blue lamp"]
