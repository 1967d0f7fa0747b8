"""What crawling taught of a store: a circuit breaker against stores that are down, and trust in its lastmod.

The circuit opens after three runs in a row that got nothing. While it is open, the schedule leaves the store alone,
longer each time; then one run may try (half open), and a single answer closes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from aggregator.catalog.alarms import raise_alarm, settle_alarms
from aggregator.catalog.page_visits import sample_of
from aggregator.db.models import RunRow, StoreCrawlStateRow, StoreRow
from aggregator.domain.runs import LogLine

OPENS_AFTER = 3
FIRST_REST = timedelta(minutes=15)
LONGEST_REST = timedelta(hours=24)
# A store's lastmod is ignored once this many sampled pages, and this share of them, had changed against its word.
_MOST_WRONG = 2
_WRONG_SHARE = 0.01

CircuitState = Literal["closed", "open", "half_open"]
LastmodState = Literal["untested", "trusted", "ignored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlState:
    """A store's circuit and what is known of its lastmod. `failures` are runs in a row that got nothing."""

    circuit: CircuitState = "closed"
    failures: int = 0
    reason: str | None = None
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    lastmod: LastmodState = "untested"
    lastmod_sampled: int = 0
    lastmod_wrong: int = 0


def get_crawl_states(session: Session, store_ids: list[int] | None = None) -> dict[str, CrawlState]:
    """By slug, of the stores that were ever crawled; `store_ids` None means all."""
    query = select(StoreRow.slug, StoreCrawlStateRow).join(
        StoreRow, StoreRow.id == StoreCrawlStateRow.store_id
    )
    if store_ids is not None:
        query = query.where(StoreRow.id.in_(store_ids))
    return {slug: _state(row) for slug, row in session.execute(query)}


def find_crawl_state(session: Session, store_id: int) -> CrawlState:
    """That of one store; the usual one where it was never crawled."""
    row = session.get(StoreCrawlStateRow, store_id)
    return _state(row) if row is not None else CrawlState()


def begin_try(session: Session, store_id: int) -> bool:
    """Note that a run begins; True where the circuit is open, so that this run is its one try."""
    row = session.get(StoreCrawlStateRow, store_id, with_for_update=True)
    if row is None or row.circuit == "closed":
        return False
    row.circuit = "half_open"
    return True


def note_answer(session: Session, store_id: int) -> None:
    """A run got something from the store: the circuit is closed."""
    closed = session.scalar(
        update(StoreCrawlStateRow)
        .where(StoreCrawlStateRow.store_id == store_id, StoreCrawlStateRow.failures > 0)
        .values(circuit="closed", failures=0, reason=None, opened_at=None, retry_at=None)
        .returning(StoreCrawlStateRow.store_id)
    )
    if closed is not None:
        slug = session.scalar(select(StoreRow.slug).where(StoreRow.id == store_id))
        settle_alarms(session, slug or "", "circuit_open")


def note_silence(
    session: Session, store_id: int, reason: str, *, retry_after: float | None = None
) -> CrawlState:
    """A run got nothing from the store; opens the circuit where that happened too often.

    `retry_after` is the rest that the store itself asked for, in seconds: it is kept from the first time on.
    """
    row = _row(session, store_id)
    now = datetime.now(UTC)
    row.failures += 1
    row.reason = reason[:1000]
    rest = None
    if row.failures >= OPENS_AFTER:
        rest = min(FIRST_REST * 2 ** min(row.failures - OPENS_AFTER, 10), LONGEST_REST)
        row.circuit, row.opened_at = "open", row.opened_at or now
    if retry_after is not None:
        rest = max(rest or timedelta(), min(timedelta(seconds=retry_after), 7 * LONGEST_REST))
    if rest is not None:
        row.retry_at = now + rest
        session.execute(
            update(StoreRow)
            .where(StoreRow.id == store_id, StoreRow.next_crawl_at.is_not(None))
            .values(
                next_crawl_at=row.retry_at
                if row.circuit == "open"
                else func.greatest(StoreRow.next_crawl_at, row.retry_at)
            )
        )
    session.flush()
    if row.circuit == "open" and row.retry_at is not None:
        store = session.execute(select(StoreRow.slug, StoreRow.name).where(StoreRow.id == store_id)).one()
        raise_alarm(
            session,
            "circuit_open",
            subject=store.slug,
            store_id=store_id,
            message=f"{store.name} did not answer {row.failures} times in a row; it is left alone until "
            f"{row.retry_at:%Y-%m-%d %H:%M} UTC.",
            figures={"failures": row.failures, "reason": row.reason},
        )
    return _state(row)


def rest_store(session: Session, store_id: int, seconds: float) -> None:
    """The store asked for a rest in the middle of a run that got something: the schedule leaves it alone so long."""
    until = datetime.now(UTC) + min(timedelta(seconds=seconds), 7 * LONGEST_REST)
    session.execute(
        update(StoreRow)
        .where(StoreRow.id == store_id, StoreRow.next_crawl_at.is_not(None))
        .values(next_crawl_at=func.greatest(StoreRow.next_crawl_at, until))
    )


def close_circuit(session: Session, store_id: int) -> None:
    """A person says that the store is well again."""
    note_answer(session, store_id)


def judge_lastmod(session: Session, run: RunRow) -> None:
    """Count what the run's sample says of the store's lastmod; call it before the run's visits are merged."""
    sampled, wrong = sample_of(session, run)
    if not sampled:
        return
    row = _row(session, run.store_id)
    row.lastmod_sampled += sampled
    row.lastmod_wrong += wrong
    if row.lastmod == "ignored":
        return
    is_wrong = row.lastmod_wrong >= _MOST_WRONG and row.lastmod_wrong > row.lastmod_sampled * _WRONG_SHARE
    row.lastmod = "ignored" if is_wrong else "trusted"
    if is_wrong:
        row.lastmod_ignored_at = datetime.now(UTC)


def lastmod_notice(state: CrawlState) -> LogLine | None:
    """What a run's log says where the store's lastmod is not believed."""
    if state.lastmod != "ignored":
        return None
    figures = {"sampled": state.lastmod_sampled, "wrong": state.lastmod_wrong}
    return LogLine(
        at=datetime.now(UTC),
        level="warning",
        message=(
            f"The sitemap's lastmod is ignored: {state.lastmod_wrong} of {state.lastmod_sampled} sampled pages had "
            "changed though it said they had not. Every listed page is asked for."
        ),
        data=figures,
    )


def _row(session: Session, store_id: int) -> StoreCrawlStateRow:
    session.execute(insert(StoreCrawlStateRow).values(store_id=store_id).on_conflict_do_nothing())
    row = session.get(StoreCrawlStateRow, store_id, with_for_update=True)
    assert row is not None
    return row


def _state(row: StoreCrawlStateRow) -> CrawlState:
    return CrawlState(
        circuit=row.circuit,  # type: ignore[arg-type]  # the table's check constraint holds the same words
        failures=row.failures,
        reason=row.reason,
        opened_at=row.opened_at,
        retry_at=row.retry_at,
        lastmod=row.lastmod,  # type: ignore[arg-type]  # as above
        lastmod_sampled=row.lastmod_sampled,
        lastmod_wrong=row.lastmod_wrong,
    )
