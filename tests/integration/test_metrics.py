"""/metrics: who may read it, what it says, and that the shipped rules and dashboard ask for what is there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from aggregator.catalog.processes import note_process, note_queues
from aggregator.db.models import QuarantinedOfferRow, RunRow
from aggregator.db.session import Sessions, engine_for
from aggregator.settings import Settings
from tests.integration.conftest import Browser, ShopWindow
from tests.integration.shop_rows import store_row
from web import create_app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def figures(text: str) -> dict[str, float]:
    """Samples as `name{label="value"}`, without the histogram's."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


@pytest.fixture
def busy(sessions: Sessions, shop_window: ShopWindow) -> None:
    """Beside the window's three stores: one that is held, one that is paused, runs, a worker, a queue."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        held = store_row(session, "held", checked_at=now - timedelta(minutes=5))
        store_row(session, "idle", is_active=False)
        _run(session, held.id, now - timedelta(hours=30), state="finished", requests=1000)
        _run(
            session, held.id, now - timedelta(hours=3), state="finished", requests=40, not_modified=30, new=7
        )
        run = _run(
            session, held.id, now - timedelta(hours=1), state="held", requests=2, bytes_received=99, held=5
        )
        session.add(
            QuarantinedOfferRow(
                store_id=held.id,
                run_id=run.id,
                external_id="x",
                title="",
                url="",
                reason="no_price",
                detail="",
                raw={},
            )
        )
        note_process(session, "w", kind="worker", host="north", pid=7, version="1")
        note_queues(session, {"crawling": 3})


def _run(session: Session, store_id: int, began: datetime, **values: object) -> RunRow:
    run = RunRow(store_id=store_id, trigger="schedule", started_at=began, heartbeat_at=began, **values)
    session.add(run)
    session.flush()
    return run


@pytest.mark.usefixtures("busy")
def test_it_tells_how_the_installation_fares(browser: Browser) -> None:
    told = figures(browser.page("/metrics"))
    expected = {
        "click2cart_database_up": 1,
        # North and wild were read 12 minutes ago; south is late, the held one waits for a person.
        'click2cart_stores{state="healthy"}': 2,
        'click2cart_stores{state="unhealthy"}': 2,
        'click2cart_stores{state="paused"}': 1,
        'click2cart_store_healthy{store="held"}': 0,
        'click2cart_store_healthy{store="north"}': 1,
        'click2cart_store_circuit_open{store="north"}': 0,
        'click2cart_runs_last_day{state="finished"}': 1,
        'click2cart_runs_last_day{state="held"}': 1,
        "click2cart_runs_held": 1,
        "click2cart_held_offers": 5,
        "click2cart_crawl_requests_last_day": 42,
        "click2cart_crawl_not_modified_last_day": 30,
        "click2cart_crawl_bytes_last_day": 99,
        'click2cart_offers_read_last_day{outcome="new"}': 7,
        'click2cart_quarantined_offers{store="held"}': 1,
        'click2cart_offers{state="current"}': 6,
        'click2cart_offers{state="gone"}': 0,
        'click2cart_alarms_open{kind="run_held"}': 0,
        'click2cart_processes_alive{kind="worker"}': 1,
        'click2cart_processes_alive{kind="clock"}': 0,
        'click2cart_queue_waiting_jobs{queue="crawling"}': 3,
    }
    assert {name: told.get(name) for name in expected} == expected
    assert 12 * 60 <= told['click2cart_store_success_age_seconds{store="north"}'] < 14 * 60
    assert 'click2cart_store_healthy{store="idle"}' not in told


def test_it_measures_the_answers_of_the_site(browser: Browser) -> None:
    browser.page("/")
    browser.get("/products/none")
    browser.get("/no/such/page")
    told = figures(browser.page("/metrics"))
    count = "click2cart_http_request_duration_seconds_count"
    assert told[f'{count}{{endpoint="home.show",method="GET",status="2xx"}}'] == 1
    assert told[f'{count}{{endpoint="none",method="GET",status="4xx"}}'] == 1


def test_asking_again_soon_costs_no_query(browser: Browser, sessions: Sessions) -> None:
    statements: list[str] = []
    engine = sessions.kw["bind"]
    listening: Callable[..., None] = lambda *arguments: statements.append(arguments[2])  # noqa: E731  # an event's shape
    event.listen(engine, "before_cursor_execute", listening)
    try:
        browser.page("/metrics")
        first = len(statements)
        browser.page("/metrics")
    finally:
        event.remove(engine, "before_cursor_execute", listening)
    assert (first, len(statements)) == (4, 4)


def test_without_a_token_only_this_machine_reads_it(browser: Browser) -> None:
    assert browser.get("/metrics").status_code == 200
    assert browser.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 403
    # A proxy on this machine: who asks is somebody else.
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert browser.get("/metrics", headers={header: "203.0.113.9"}).status_code == 403


def test_a_token_opens_it_from_anywhere_and_its_lack_closes_it(
    site_settings: Settings, sessions: Sessions
) -> None:
    app = create_app(replace(site_settings, metrics_token="s3cret"), sessions)

    def status(token: str | None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = app.test_client().get(
            "/metrics", headers=headers, environ_base={"REMOTE_ADDR": "203.0.113.9"}
        )
        return answer.status_code

    assert [status(token) for token in ("s3cret", "wrong", "s3crét", None)] == [200, 403, 403, 403]
    assert app.test_client().get("/metrics").status_code == 403


def test_while_the_database_is_away_it_says_so(site_settings: Settings) -> None:
    nowhere = engine_for("postgresql://nobody@127.0.0.1:9/none")
    app = create_app(site_settings, sessionmaker(nowhere))
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert figures(answer.text)["click2cart_database_up"] == 0


def told_names(app: Flask) -> set[str]:
    return {
        line.split()[2]
        for line in app.test_client().get("/metrics").text.splitlines()
        if line.startswith("# TYPE")
    }


@pytest.mark.parametrize("file", ["prometheus-alerts.yml", "grafana-dashboard.json"])
@pytest.mark.usefixtures("busy")
def test_what_is_shipped_for_monitoring_asks_for_figures_that_exist(app: Flask, file: str) -> None:
    text = (DEPLOY / file).read_text(encoding="utf-8")
    asked = set(re.findall(r"\bclick2cart_[a-z0-9_]+", text))
    exist = told_names(app)
    histogram = "click2cart_http_request_duration_seconds"
    exist |= {f"{histogram}_{part}" for part in ("bucket", "count", "sum")}
    assert asked - exist == set()
    assert len(asked) > 8


def test_every_alert_rule_says_what_to_do() -> None:
    text = (DEPLOY / "prometheus-alerts.yml").read_text(encoding="utf-8")
    rules = text.split("- alert: ")[1:]
    assert len(rules) >= 10
    for rule in rules:
        for part in ("expr:", "for:", "severity:", "summary:", "remedy:"):
            assert part in rule, rule.splitlines()[0]


def test_the_dashboard_is_one_that_grafana_can_import() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    assert dashboard["title"] == "Click2Cart"
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers) >= 15
    for panel in dashboard["panels"]:
        assert panel["targets"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
