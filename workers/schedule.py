"""The clock process: of several, one leads and puts due jobs into the queue."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from dramatiq.errors import BrokerConnectionError
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from aggregator.catalog.exchange_rates import rates_are_due
from aggregator.catalog.held_runs import accepting_is_due
from aggregator.catalog.matches import matching_is_due
from aggregator.catalog.pictures import due_pictures
from aggregator.catalog.probes import due_probes
from aggregator.catalog.processes import list_processes
from aggregator.catalog.runs import due_stores
from aggregator.catalog.schedules import right_planned_times
from aggregator.catalog.search_index import IndexPlace
from aggregator.catalog.search_sync import is_behind
from aggregator.catalog.store_removal import removal_is_due
from aggregator.db.session import database_now
from aggregator.notifications.outbox import has_due_notices
from aggregator.settings import Settings
from aggregator.shopping.alert_telling import has_untold_alerts
from aggregator.shopping.alert_watching import alerts_are_due
from workers.broker import load_actors
from workers.context import WorkContext, working
from workers.heartbeat import beating
from workers.telling import deliver_notices, look_around

log = logging.getLogger("click2cart.clock")

# Any constant will do, as long as all clocks agree on it.
_LEADER_LOCK = 0x436C_6F63
TICK_SECONDS = 2
UPKEEP_SECONDS = 3600
WATCH_SECONDS = 15
# Somebody may be waiting for a code.
NOTICE_SECONDS = 3
JUMP_SECONDS = 10


class Leadership:
    """An advisory lock held by one connection for as long as this clock lives: one leader a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def is_held(self) -> bool:
        """Whether this clock leads; takes the lead if nobody has it, and notices a lost connection."""
        try:
            if self._connection is not None:
                self._connection.execute(text("select 1"))
                return True
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.scalar(text("select pg_try_advisory_lock(:key)"), {"key": _LEADER_LOCK}):
                self._connection = connection
                log.info("this clock leads")
                return True
            connection.close()
        except DBAPIError:
            log.warning("the database does not answer; the clock waits")
            self.give_up()
        return False

    def was_held(self) -> bool:
        """Whether this clock led when it was last asked to."""
        return self._connection is not None

    def give_up(self) -> None:
        """Let another clock lead."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def tick(context: WorkContext) -> None:
    """Ask for what is due. A message that is lost is asked for again by a later tick."""
    from workers.actors.accepting import accept_held_runs
    from workers.actors.alerts import look_at_alerts
    from workers.actors.crawling import crawl_store
    from workers.actors.exchange_rates import read_exchange_rates
    from workers.actors.matching import match_pending_offers
    from workers.actors.pictures import fetch_pictures
    from workers.actors.probing import probe_store
    from workers.actors.removal import remove_stores
    from workers.actors.searching import update_search_index

    with context.sessions.begin() as session:
        probe_ids = due_probes(session)
        slugs = due_stores(session)
        must_match = matching_is_due(session)
        must_accept = accepting_is_due(session)
        must_remove = removal_is_due(session)
        must_index = is_behind(session, IndexPlace.at(context.settings.data_dir, context.settings.country))
        must_read_rates = rates_are_due(session, context.settings.exchange_rates)
        digests = due_pictures(session)
        must_look_at_alerts = alerts_are_due(session)
    for probe_id in probe_ids:
        probe_store.send(probe_id)
    for slug in slugs:
        crawl_store.send(slug)
    if must_match:
        match_pending_offers.send()
    if must_accept:
        accept_held_runs.send()
    if must_remove:
        remove_stores.send()
    if must_index:
        update_search_index.send()
    if must_read_rates:
        read_exchange_rates.send()
    if digests:
        fetch_pictures.send(digests)
    if must_look_at_alerts:
        look_at_alerts.send()


def look_and_tell(context: WorkContext) -> None:
    """See what is wrong, and have it told."""
    from workers.actors.alerts import look_at_alerts

    with context.sessions.begin() as session:
        look_around(session, context.settings)
        waits_to_be_told = has_untold_alerts(session)
    if waits_to_be_told:
        look_at_alerts.send()
    hand_notices_over(context)


def hand_notices_over(context: WorkContext) -> None:
    """Have what is due sent: by a worker, or here where none lives or the broker is away."""
    from workers.actors.notices import send_notices

    with context.sessions.begin() as session:
        if not has_due_notices(session):
            return
        has_worker = any(one.is_alive and one.kind == "worker" for one in list_processes(session))
    try:
        if has_worker:
            send_notices.send()
            return
    except (RedisError, BrokerConnectionError):
        log.warning("the broker does not answer; notices are sent from here")
    deliver_notices(context.settings, context.sessions)


class JumpWatch:
    """Notices that the system's clock was set: against the time that really passed, which nobody sets."""

    def __init__(
        self, wall: Callable[[], float | None] = time.time, passing: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._passing = passing
        self._offset: float | None = None
        self.look()

    def look(self) -> float:
        """By how many seconds the clock jumped since the last look; 0.0 for less than it drifts.

        A clock that cannot be asked now (None) is compared the next time.
        """
        wall = self._wall()
        if wall is None:
            return 0.0
        offset = wall - self._passing()
        jumped = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        return jumped if abs(jumped) >= JUMP_SECONDS else 0.0


def right_after_jump(context: WorkContext, *, tolerance: timedelta = timedelta(minutes=1)) -> None:
    """Plan anew what was planned by another time; a database that is away is left for the next jump or start."""
    try:
        with context.sessions.begin() as session:
            slugs = right_planned_times(session, tolerance=tolerance)
    except DBAPIError as error:
        log.warning("planned times were not looked at: %s", str(error).splitlines()[0])
        return
    if slugs:
        log.warning("planned anew: %s", ", ".join(slugs))


def database_seconds(context: WorkContext) -> float | None:
    """The time by the database's clock, by which everything is planned; None while it does not answer."""
    try:
        with context.sessions() as session:
            return database_now(session).timestamp()
    except DBAPIError:
        return None


def run_clock(settings: Settings) -> None:
    """Tick until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with working(settings) as context:
        load_actors()
        from workers.actors.pictures import trim_pictures
        from workers.actors.upkeep import (
            AGEING_SECONDS,
            file_unfiled_products,
            forget_old_rows,
            hide_prices_too_old_to_show,
            note_drops,
        )

        leadership = Leadership(context.sessions.kw["bind"])

        def led_tick() -> None:
            if not leadership.is_held():
                return
            try:
                tick(context)
            except (DBAPIError, RedisError, BrokerConnectionError) as error:
                log.warning("nothing was asked for: %s", str(error).splitlines()[0])

        def led_watch() -> None:
            if not leadership.is_held():
                return
            try:
                look_and_tell(context)
            except DBAPIError as error:
                log.warning("nobody was told of anything: %s", str(error).splitlines()[0])

        def led_handing_over() -> None:
            if not leadership.was_held():
                return
            try:
                hand_notices_over(context)
            except DBAPIError as error:
                log.warning("no notice was sent: %s", str(error).splitlines()[0])

        def led_upkeep() -> None:
            if leadership.is_held():
                forget_old_rows.send()
                trim_pictures.send()
                file_unfiled_products.send()

        def led_ageing() -> None:
            if leadership.is_held():
                hide_prices_too_old_to_show.send()
                note_drops.send()

        scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
        scheduler.add_job(led_tick, "interval", seconds=TICK_SECONDS)
        scheduler.add_job(led_watch, "interval", seconds=WATCH_SECONDS)
        scheduler.add_job(led_handing_over, "interval", seconds=NOTICE_SECONDS)
        scheduler.add_job(led_upkeep, "interval", seconds=UPKEEP_SECONDS)
        scheduler.add_job(led_ageing, "interval", seconds=AGEING_SECONDS)
        scheduler.start()
        with beating(context.sessions, "clock", leads=leadership.was_held):
            try:
                # The clock may have jumped while nobody watched; a store left alone for a day may wait on.
                right_after_jump(context, tolerance=timedelta(days=1))
                own_clock, shared_clock = JumpWatch(), JumpWatch(lambda: database_seconds(context))
                while not stop.wait(TICK_SECONDS):
                    if own_clock.look():
                        for job in scheduler.get_jobs():
                            job.modify(next_run_time=datetime.now(UTC))
                    if jumped := shared_clock.look():
                        log.warning("the clock was set by %+.0f seconds; planning anew", jumped)
                        right_after_jump(context)
            finally:
                scheduler.shutdown()
                leadership.give_up()
