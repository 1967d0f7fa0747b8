"""The soak: ten demo stores crawled on schedule by a real worker and clock, while things go wrong at random."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from aggregator.catalog.alarms import list_alarms
from aggregator.catalog.ingest import settle_held_run
from aggregator.catalog.reconciliation import reconcile
from aggregator.catalog.stores import list_runs, request_crawl
from aggregator.db.embedded import embedded_services, restart_what_fell
from aggregator.db.embedded.layout import DataLayout
from aggregator.db.session import Sessions, database
from aggregator.domain.errors import Click2CartError, EnvironmentProblem
from aggregator.domain.operations import RunSummary
from aggregator.settings import Settings
from fixtures.demo.drift import Drift
from fixtures.demo.stores import DemoStore, run_demo_stores
from spiders.registration import add_store
from workers.children import Child, Program, start_child
from workers.soak_faults import InjectedFault, Plan, StoreFault
from workers.soak_findings import SoakReport, find_evidence, wrong_prices
from workers.soak_memory import MemoryWatch
from workers.supervisor import own_command

PATIENCE = 600.0
_LOOK_SECONDS = 1.0
_WORD_SECONDS = 30.0
_DRIFT_SECONDS = 10.0
_ASK_AGAIN_SECONDS = 60.0
_EARLY = 0.3
_EVERY_PROCESS_FAULT = 4  # each fourth fault kills a process or a server
_SETTLED = ("finished", "failed", "held", "cancelled")
Tell = Callable[[str], None]


@dataclass
class _Shop:
    """A demo store as it is registered here: there are two of each, so the slug is not the store's own."""

    slug: str
    demo: DemoStore
    fault: StoreFault | None = None
    injected: InjectedFault | None = None


class Soak:
    """One soak on an installation of its own in `settings.data_dir`."""

    def __init__(self, settings: Settings, *, seed: int, interval: int, tell: Tell) -> None:
        self._settings = replace(settings, crawl_interval=interval, database_url=None, redis_url=None)
        self._layout = DataLayout.at(settings.data_dir)
        self._interval = interval
        self._seed = seed
        self._tell = tell
        self._shops: list[_Shop] = []
        self._faults: list[InjectedFault] = []
        self._children: dict[str, Child] = {}

    def run(self, minutes: float, *, fault_seconds: float) -> SoakReport:
        """Crawl for so long, with a fault about every so many seconds; then let all stores be read well once more."""
        self._layout.prepare()
        with ExitStack() as stack:
            for number in (1, 2):
                demos = stack.enter_context(run_demo_stores())
                self._shops += [_Shop(f"{demo.slug}-{number}", demo) for demo in demos]
            hosts = frozenset(urlsplit(shop.demo.url).netloc for shop in self._shops)
            self._settings = replace(self._settings, allow_private_hosts=hosts)
            stack.enter_context(embedded_services(self._settings, with_broker=True))
            sessions = stack.enter_context(database(self._settings))
            for shop in self._shops:
                self._register(sessions, shop)
            stack.callback(self._end_children)
            for name in ("worker", "clock"):
                self._start(name)
            watch = stack.enter_context(MemoryWatch(self._pids))
            drift = Drift([shop.demo.store for shop in self._shops], _DRIFT_SECONDS)
            drift.start()
            try:
                # Of a store that was never read nobody knows what is wrong with it.
                self._read_all_well(sessions)
                self._crawl_with_faults(sessions, minutes * 60, fault_seconds)
            finally:
                drift.stop()
            self._come_to_rest(sessions)
            find_evidence(sessions, self._faults, self._layout, timedelta(seconds=3 * self._interval + 60))
            with sessions.begin() as session:
                books = reconcile(session)
                runs = list_runs(session, limit=1_000_000)
                wrong = tuple(
                    line
                    for shop in self._shops
                    for line in wrong_prices(sessions, shop.slug, shop.demo.store)
                )
            return SoakReport(
                seed=self._seed,
                minutes=minutes,
                stores=len(self._shops),
                runs={state: sum(run.state == state for run in runs) for state in _SETTLED},
                books=books,
                wrong_prices=wrong,
                faults=tuple(self._faults),
                memory=watch.result(),
            )

    def _register(self, sessions: Sessions, shop: _Shop) -> None:
        self._tell(f"adding {shop.slug} at {shop.demo.url}")
        store, result = add_store(self._settings, sessions, shop.demo.address, slug=shop.slug)
        if store is None:
            raise EnvironmentProblem(f"the demo store {shop.slug} cannot be read: {result.problem}")

    def _start(self, name: str) -> None:
        environment = {
            "CLICK2CART_DATA_DIR": str(self._settings.data_dir),
            "CLICK2CART_ALLOW_PRIVATE_HOSTS": ",".join(sorted(self._settings.allow_private_hosts)),
            "DATABASE_URL": "",
            "REDIS_URL": "",
        }
        program = Program(name, own_command(name), environment, patience=20.0)
        self._children[name] = start_child(program, output=self._layout.log(name))

    def _end_children(self) -> None:
        for child in self._children.values():
            child.end(in_a_hurry=lambda: False)

    def _pids(self) -> dict[str, int]:
        return {name: child.process.pid for name, child in self._children.items()}

    def _look_after(self) -> None:
        """Start again what was killed, as the supervisor does."""
        for name, child in list(self._children.items()):
            if child.process.poll() is not None:
                child.end(in_a_hurry=lambda: True)
                self._start(name)
        with suppress(Click2CartError):
            restart_what_fell(self._settings, with_broker=True)

    def _crawl_with_faults(self, sessions: Sessions, seconds: float, fault_seconds: float) -> None:
        plan = Plan(self._seed, len(self._shops))
        began = time.monotonic()
        next_fault, next_word, number = began + fault_seconds, began, 0
        while (now := time.monotonic()) < began + seconds:
            # What comes too late would not be met by any run.
            if now >= next_fault and now < began + seconds - 1.5 * self._interval:
                number += 1
                next_fault = now + plan.pause(fault_seconds)
                if number % _EVERY_PROCESS_FAULT:
                    self._inject_store_fault(*plan.next_store_fault())
                else:
                    is_early = now < began + seconds * _EARLY
                    self._inject_process_fault(plan.next_process_fault(is_early=is_early))
            try:
                with sessions.begin() as session:
                    runs = list_runs(session, limit=200)
                self._undo(sessions, runs)
                if now >= next_word:
                    next_word = now + _WORD_SECONDS
                    self._say_progress(sessions, now - began)
            except SQLAlchemyError:
                self._tell("the database does not answer just now")
            time.sleep(_LOOK_SECONDS)
            self._look_after()

    def _inject_store_fault(self, number: int, fault: StoreFault) -> None:
        # The next store that has no other fault just now.
        for shop in (*self._shops[number:], *self._shops[:number]):
            if shop.injected is None:
                break
        else:
            return
        shop.fault, shop.injected = fault, InjectedFault(fault.name, shop.slug, datetime.now(UTC))
        self._faults.append(shop.injected)
        self._tell(f"fault {len(self._faults)}: {shop.slug}: {fault.name}")
        fault.make(shop.demo)

    def _inject_process_fault(self, name: str) -> None:
        what = name.split()[0]
        pid = {
            "worker": lambda: self._children["worker"].process.pid,
            "clock": lambda: self._children["clock"].process.pid,
            "broker": lambda: int((self._layout.valkey / "valkey.pid").read_text()),
            "database": lambda: int((self._layout.cluster / "postmaster.pid").read_text().split()[0]),
        }[what]()
        injected = InjectedFault(name, f"{what} {pid}", datetime.now(UTC), is_met=True)
        self._faults.append(injected)
        self._tell(f"fault {len(self._faults)}: {name} (process {pid})")
        os.kill(pid, signal.SIGKILL)

    def _undo(self, sessions: Sessions, runs: Sequence[RunSummary], *, at_once: bool = False) -> None:
        """Let a store be well again once a run has met its fault and ended; throw away what was held of it."""
        for shop in self._shops:
            if shop.fault is None or shop.injected is None:
                continue
            fault, injected = shop.fault, shop.injected
            if not injected.is_met and not fault.is_lasting:
                since = injected.at.isoformat()
                injected.is_met = any(request.at >= since for request in shop.demo.control.requests())
            ended = [
                run
                for run in runs
                if run.store_slug == shop.slug and run.state in _SETTLED and run.started_at > injected.at
            ]
            if not ended and not at_once:
                continue
            injected.is_met = injected.is_met or bool(ended)
            if fault.is_lasting:
                shop.demo.control.reset()
                self._discard_held(sessions, shop.slug)
            shop.fault = shop.injected = None

    def _discard_held(self, sessions: Sessions, slug: str) -> None:
        with sessions.begin() as session:
            for run in list_runs(session, store_slug=slug, limit=20):
                if run.state == "held":
                    settle_held_run(session, run.id, accept=False)

    def _come_to_rest(self, sessions: Sessions) -> None:
        """Undo what is left of the faults, and let every store be read well once more."""
        self._tell("no more faults: every store is to be read well once more")
        self._look_after()
        with sessions.begin() as session:
            runs = list_runs(session, limit=200)
        self._undo(sessions, runs, at_once=True)
        self._read_all_well(sessions)

    def _read_all_well(self, sessions: Sessions) -> None:
        """Wait until a run that begins from now on has read each store to its end.

        Raises EnvironmentProblem where that does not come about.
        """
        rest_began = datetime.now(UTC)
        asked: dict[str, float] = {}
        give_up_at = time.monotonic() + PATIENCE
        while True:
            with sessions.begin() as session:
                runs = list_runs(session, limit=500)
                well = {
                    run.store_slug
                    for run in runs
                    if run.state == "finished" and run.is_complete and run.started_at > rest_began
                }
                ill = [shop.slug for shop in self._shops if shop.slug not in well]
                for slug in ill:
                    if time.monotonic() > asked.get(slug, 0.0):
                        asked[slug] = time.monotonic() + _ASK_AGAIN_SECONDS
                        request_crawl(session, slug)
            if not ill:
                return
            for slug in ill:
                self._discard_held(sessions, slug)
            if time.monotonic() > give_up_at:
                last = {run.store_slug: f"{run.state} ({run.problem})" for run in reversed(runs)}
                told = "; ".join(f"{slug}: {last.get(slug, 'no run')}" for slug in ill)
                raise EnvironmentProblem(f"not read well again in {PATIENCE:.0f} s: {told}")
            time.sleep(_LOOK_SECONDS)
            self._look_after()

    def _say_progress(self, sessions: Sessions, seconds: float) -> None:
        with sessions.begin() as session:
            runs = list_runs(session, limit=1_000_000)
            alarms = list_alarms(session)
        states = {state: sum(run.state == state for run in runs) for state in ("running", *_SETTLED)}
        told = ", ".join(f"{count} {state}" for state, count in states.items() if count)
        self._tell(f"{seconds / 60:.1f} min: runs {told or 'none yet'}; {len(alarms)} alarms open")
