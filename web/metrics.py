"""/metrics for Prometheus: the installation's figures, and how long this site takes to answer."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import TypeVar

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import ValueClass
from sqlalchemy.exc import SQLAlchemyError

from aggregator.catalog.metrics import OfferFigures, OperationFigures, count_offers, get_operation_figures
from aggregator.settings import Settings
from web.db import Sessions, sessions_of
from web.errors import problem

resource = Blueprint("metrics", __name__)

# How old figures may be, in seconds: a second scraper costs nothing, and a million offers are counted seldom.
_FRESH_SECONDS = 5.0
_OFFERS_FRESH_SECONDS = 60.0
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")
_STATE = "click2cart.metrics"
_Figures = TypeVar("_Figures")


class Measured:
    """What one application measures: its registry and the histogram of its answers."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self.token = settings.metrics_token
        own = CollectorRegistry()
        self.answers = Histogram(
            "click2cart_http_request_duration_seconds",
            "Time to answer a request, by page and class of status.",
            ("method", "endpoint", "status"),
            buckets=_BUCKETS,
            registry=own,
        )
        self.registry = own
        if (
            ValueClass._multiprocess
        ):  # several processes serve this site (see web.cli): each sums up all of them
            self.registry = CollectorRegistry()
            MultiProcessCollector(self.registry)  # type: ignore[no-untyped-call]  # ships no types for it
        self.registry.register(InstallationFigures(sessions_of(app)))


class Kept:
    """A value that is asked for anew when it is too old; one thread asks, the others wait for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._value: object = None
        self._until = float("-inf")

    def get(self, ask: Callable[[], _Figures]) -> _Figures:
        """The kept value, or what `ask` gives now."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._value = ask()
                self._until = time.monotonic() + self._seconds
            value: _Figures = self._value  # type: ignore[assignment]  # what `ask` gave, one caller a cache
            return value


class InstallationFigures(Collector):
    """The figures of the database, asked for at most every few seconds."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._operation, self._offers = Kept(_FRESH_SECONDS), Kept(_OFFERS_FRESH_SECONDS)

    def collect(self) -> Iterator[Metric]:
        """Every figure; while the database is away only that it is."""
        yield InfoMetricFamily("click2cart_build", "The program.", {"version": version("click2cart")})
        try:
            figures, offers = self._operation.get(self._ask_operation), self._offers.get(self._ask_offers)
        except SQLAlchemyError as error:
            current_app.logger.warning("no figures for /metrics: %s", error)
            yield _one("database_up", "1 while the database answers.", 0)
            return
        yield _one("database_up", "1 while the database answers.", 1)
        yield from _store_metrics(figures)
        yield from _run_metrics(figures)
        yield from _process_metrics(figures)
        yield _many(
            "offers",
            "Offers by state.",
            "state",
            {"current": offers.current, "gone": offers.gone},
        )

    def _ask_operation(self) -> OperationFigures:
        with self._sessions.begin() as session:
            return get_operation_figures(session)

    def _ask_offers(self) -> OfferFigures:
        with self._sessions.begin() as session:
            return count_offers(session)


def _store_metrics(figures: OperationFigures) -> Iterator[Metric]:
    active = [store for store in figures.stores if store.is_active]
    healthy = sum(store.is_healthy for store in active)
    yield _many(
        "stores",
        "Stores by health: unhealthy after a failed or held run, or two intervals without a complete one.",
        "state",
        {
            "healthy": healthy,
            "unhealthy": len(active) - healthy,
            "paused": len(figures.stores) - len(active),
        },
    )
    yield _many(
        "store_healthy",
        "1 for a healthy store, 0 for an unhealthy one; paused ones are left out.",
        "store",
        {store.slug: int(store.is_healthy) for store in active},
    )
    yield _many(
        "store_success_age_seconds",
        "Time since the store's last complete run began.",
        "store",
        {store.slug: store.success_age for store in active if store.success_age is not None},
    )
    yield _many(
        "quarantined_offers",
        "Offers that could not be read and wait for a person or a rule.",
        "store",
        {store.slug: store.open_quarantine for store in figures.stores},
    )
    yield _many(
        "store_circuit_open",
        "1 while a store that failed again and again is left alone.",
        "store",
        {store.slug: int(store.is_circuit_open) for store in active},
    )


def _run_metrics(figures: OperationFigures) -> Iterator[Metric]:
    yield _one("runs_running", "Runs that read a store now.", figures.runs_running)
    yield _one("runs_held", "Runs held back until a person settles them.", figures.runs_held)
    yield _one("held_offers", "Offers of runs that are held back.", figures.held_offers)
    yield _many("runs_last_day", "Runs begun in the last 24 hours.", "state", figures.runs_last_day)
    yield _one("crawl_requests_last_day", "Requests of those runs.", figures.requests_last_day)
    yield _one("crawl_not_modified_last_day", "Answers 304 of those runs.", figures.not_modified_last_day)
    yield _one("crawl_bytes_last_day", "Bytes that those runs received.", figures.bytes_last_day)
    yield _many(
        "offers_read_last_day", "Offers of those runs by outcome.", "outcome", figures.offers_read_last_day
    )
    yield _many("alarms_open", "Alarms open or acknowledged, not yet closed.", "kind", figures.alarms_open)
    yield _one("notices_waiting", "Mails and webhooks that wait to be sent.", figures.notices_waiting)
    yield _one("matching_pending_offers", "Offers that wait to be matched.", figures.pending_offers)
    yield _one("matching_open_reviews", "Doubtful pairs that wait for a person.", figures.open_reviews)


def _process_metrics(figures: OperationFigures) -> Iterator[Metric]:
    alive = {
        kind: sum(process.is_alive for process in figures.processes if process.kind == kind)
        for kind in ("worker", "clock")
    }
    yield _many("processes_alive", "Workers and clocks with a recent heartbeat.", "kind", alive)
    heartbeats = GaugeMetricFamily(
        "click2cart_process_heartbeat_age_seconds",
        "Time since a process last said that it lives.",
        labels=("kind", "host", "pid"),
    )
    for process in figures.processes:
        heartbeats.add_metric((process.kind, process.host, str(process.pid)), process.heartbeat_age)
    yield heartbeats
    yield _many("queue_waiting_jobs", "Jobs that no worker has taken.", "queue", figures.queue_waiting)
    yield _many(
        "queue_waiting_seconds",
        "For how long a queue has had waiting jobs without a break.",
        "queue",
        figures.queue_waiting_seconds,
    )


def _one(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"click2cart_{name}", says, value=value)


def _many(name: str, says: str, label: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(f"click2cart_{name}", says, labels=(label,))
    for key, value in values.items():
        metric.add_metric((key,), value)
    return metric


def prepare(app: Flask, settings: Settings) -> None:
    """Measure every request from now on."""
    measured = app.extensions[_STATE] = Measured(app, settings)

    @app.before_request
    def note_start() -> None:
        g.request_began_at = time.perf_counter()

    @app.after_request
    def note_end(response: Response) -> Response:
        began = g.get("request_began_at")
        if began is not None:
            measured.answers.labels(
                request.method if request.method in {"GET", "HEAD", "POST"} else "other",
                request.endpoint or "none",
                f"{response.status_code // 100}xx",
            ).observe(time.perf_counter() - began)
        return response


@resource.get("/metrics")
def show() -> Response:
    """The figures, for whoever knows the token; without a token set, for this machine alone."""
    measured: Measured = current_app.extensions[_STATE]
    if not _may_read(measured.token):
        return problem(
            403, "figures need CLICK2CART_METRICS_TOKEN as a bearer token, or a request from this machine"
        )
    return Response(generate_latest(measured.registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(token: str | None) -> bool:
    if token:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        return hmac.compare_digest(given.encode(), token.encode())
    # Behind a proxy on this machine everybody seems to come from it.
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    return request.remote_addr in _LOOPBACK and not is_forwarded
