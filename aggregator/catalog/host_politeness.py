"""What all processes and machines know of a host: its robots.txt, when it may be asked next, who wants no visits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.db.models import HostTurnRow, OptedOutHostRow, RobotsFileRow
from aggregator.db.session import Sessions
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching.politeness import KEPT_SECONDS, KeptRobots

_FORGOTTEN_AFTER = timedelta(days=7)


class SharedHosts:
    """Robots files and turns in the database; each call is a short transaction of its own."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def turn(self, host: str, gap: float) -> float:
        """Book the host's next turn; returns the seconds to wait for it."""
        statement = text(
            """
            insert into host_turns as t (host, next_at) values (:host, clock_timestamp() + :gap * interval '1 second')
            on conflict (host) do update
            set next_at = greatest(t.next_at, clock_timestamp()) + :gap * interval '1 second'
            returning extract(epoch from t.next_at - clock_timestamp()) - :gap
            """
        )
        with self._sessions.begin() as session:
            return max(float(session.scalar(statement, {"host": host, "gap": gap}) or 0), 0.0)

    def pause(self, host: str, seconds: float) -> None:
        """Let the host rest for so long, whoever asks."""
        until = func.clock_timestamp() + timedelta(seconds=seconds)
        statement = insert(HostTurnRow).values(host=host, next_at=until)
        with self._sessions.begin() as session:
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=[HostTurnRow.host],
                    set_={"next_at": func.greatest(HostTurnRow.next_at, statement.excluded.next_at)},
                )
            )

    def find_robots(self, origin: str) -> KeptRobots | None:
        """The robots file of that origin, if any process fetched it within the last 24 hours."""
        with self._sessions.begin() as session:
            row = session.get(RobotsFileRow, origin)
            if row is None:
                return None
            age = (datetime.now(UTC) - row.fetched_at).total_seconds()
            if not 0 <= age < KEPT_SECONDS:
                return None
            return KeptRobots(row.state, row.body, age)  # type: ignore[arg-type]  # the table's check constraint holds the same words

    def keep_robots(self, origin: str, robots: KeptRobots) -> None:
        """A robots file that was fetched just now."""
        values = {
            "state": robots.state,
            "body": robots.body.replace("\x00", "").encode("utf-8", "replace").decode(),
            "fetched_at": datetime.now(UTC),
        }
        statement = insert(RobotsFileRow).values(origin=origin, **values)
        with self._sessions.begin() as session:
            session.execute(
                statement.on_conflict_do_update(index_elements=[RobotsFileRow.origin], set_=values)
            )


def forget_old_hosts(session: Session) -> int:
    """Remove robots files and turns that nobody needs any more; returns how many."""
    before = datetime.now(UTC) - _FORGOTTEN_AFTER
    removed = 0
    for statement in (
        delete(RobotsFileRow).where(RobotsFileRow.fetched_at < before),
        delete(HostTurnRow).where(HostTurnRow.next_at < before),
    ):
        removed += int(session.execute(statement).rowcount)  # type: ignore[attr-defined]  # a cursor result
    return removed


def opt_out(session: Session, host: str, *, note: str = "") -> str:
    """Never fetch this host, nor any below it; returns it as it is kept. Raises InvalidInput."""
    name = _host_name(host)
    statement = insert(OptedOutHostRow).values(host=name, note=note[:500])
    session.execute(
        statement.on_conflict_do_update(index_elements=[OptedOutHostRow.host], set_={"note": note[:500]})
    )
    return name


def opt_in(session: Session, host: str) -> None:
    """Take a host off the list again; raises NotFound."""
    row = session.get(OptedOutHostRow, _host_name(host))
    if row is None:
        raise NotFound("opted-out host", host)
    session.delete(row)


def opted_out_hosts(session: Session) -> dict[str, str]:
    """Every host on the list with its note, by name."""
    rows = session.execute(
        select(OptedOutHostRow.host, OptedOutHostRow.note).order_by(OptedOutHostRow.host.collate("C"))
    )
    return {host: note for host, note in rows}  # noqa: C416  # dict() takes a result for a mapping


def _host_name(host: str) -> str:
    given = host.strip()
    try:
        return read_web_address(given if "://" in given else f"http://{given}/").host.removeprefix("www.")
    except InvalidInput as error:
        raise InvalidInput(
            f"{given[:80]!r} is no host", place="host", remedy="write it as shop.example"
        ) from error
