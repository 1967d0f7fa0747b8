"""The real PostgreSQL (and Valkey) for every test that wants one: one server a run, one database a process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import CodeType

import hypothesis
import pytest
import sqlalchemy
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from aggregator.db.embedded import embedded_services
from aggregator.db.migrate import migrate
from aggregator.db.models import AccountRow
from aggregator.db.session import Sessions, engine_for
from aggregator.settings import Settings

# The same examples every time, and no failure because a machine is slow; `make prove` looks further.
hypothesis.settings.register_profile(
    "sample",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    database=None,
)
hypothesis.settings.load_profile("sample")


class CompiledTemplates(BytecodeCache):
    """Templates as they were compiled for the first site: the test's own process compiles each of them once."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self.codes[(bucket.key, bucket.checksum)] = bucket.code


# Most tests of pages make a site of their own.
Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": CompiledTemplates()}


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def server_settings(shared_dir: Path) -> Settings:
    """Settings of the run's own server; CLICK2CART_TEST_DATABASE_URL names another (15 or newer) instead."""
    return Settings(
        data_dir=shared_dir / "click2cart",
        database_url=os.environ.get("CLICK2CART_TEST_DATABASE_URL") or None,
    )


@pytest.fixture(scope="session")
def settings(server_settings: Settings) -> Iterator[Settings]:
    """Settings with a database and a broker of this process's own, migrated and empty."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with ExitStack() as stack:
        services = stack.enter_context(embedded_services(server_settings, with_broker=True))
        name = f"click2cart_test_{worker}"
        server = engine_for(services.database_url)
        with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sqlalchemy.text(f"drop database if exists {name} with (force)"))
            connection.execute(sqlalchemy.text(f"create database {name}"))
        server.dispose()
        url = make_url(services.database_url).set(database=name).render_as_string(hide_password=False)
        number = int("".join(filter(str.isdigit, worker)) or "0")
        redis_url = f"{(services.redis_url or '').rstrip('/').removesuffix('/0')}/{number + 1}"
        yield replace(server_settings, database_url=url, redis_url=redis_url)


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[Engine]:
    assert settings.database_url is not None
    engine = engine_for(settings.database_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session whose work is rolled back; what the test commits is only a savepoint."""
    with engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield session
        transaction.rollback()


# What every reader of them finds its own place in.
_KEPT_TABLES = frozenset({"alert_position", "search_changes"})


@pytest.fixture
def sessions(engine: Engine) -> Iterator[Sessions]:
    """Sessions that really commit, for tests with several processes; every table is emptied afterwards."""
    yield sessionmaker(engine, expire_on_commit=False)
    # Some milliseconds, where truncating as many tables takes tens of them.
    with engine.begin() as connection:
        emptying = "; ".join(
            f"delete from {table.name}"
            for table in reversed(AccountRow.metadata.sorted_tables)
            if table.name not in _KEPT_TABLES
        )
        connection.execution_options(no_parameters=True).exec_driver_sql(emptying)
