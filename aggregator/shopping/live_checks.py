"""Live checks: the chosen offers of a checkout are looked at once more, and what was found is kept some minutes.

A page asks by a row, a worker looks, the page reads the rows. What a check found counts in the next plan of any cart
until a crawl has read the offer again; the catalogue itself is only ever written by runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import ARRAY, BigInteger, any_, cast, delete, insert, select, text, update
from sqlalchemy.orm import Session

from aggregator.catalog.circuits import find_crawl_state
from aggregator.catalog.judgement import Limits
from aggregator.catalog.offers import CHECKED_AT
from aggregator.catalog.stores import store_value
from aggregator.db.models import (
    CheckoutRow,
    HandOffRow,
    LiveCheckOfferRow,
    LiveCheckRow,
    OfferCheckRow,
    OfferRow,
    StoreRow,
)
from aggregator.domain.live_checks import (
    CheckedOffer,
    CheckToDo,
    FreshOffer,
    KnownPrices,
    LiveCheck,
    StoreToCheck,
    is_doubtful,
    live_state,
)
from aggregator.domain.money import Money
from aggregator.domain.normalization.names import clean_text
from aggregator.domain.offers import OfferState
from aggregator.domain.stores import HandOffLine
from aggregator.domain.vocabulary import Availability

# What a store said counts for so long, for every cart, and it is not asked again meanwhile.
KEPT = timedelta(minutes=10)
# All stores of a check are asked at once and answer within this time, or are called unverified.
PATIENCE_SECONDS = 5.0
# A check that no worker took or ended by then is given up: its page must not wait on.
GIVEN_UP_AFTER = timedelta(seconds=15)
# What a look at an offer finds.
_FOUND = ("price", "price_currency", "availability", "stock_level", "problem", "checked_at")
_SETTLED = ("same", "changed", "sold_out", "doubtful")
_NOT_IN_TIME = "did not answer in time"
_LEFT_ALONE = "did not answer lately and is left alone for now"


def request_check(session: Session, checkout_id: int) -> None:
    """Ask a worker to look at the offers of a checkout (by its row) that are not bought or given up.

    An offer that was looked at within the last minutes is not asked for again. A check under way is not doubled.
    """
    now = datetime.now(UTC)
    locked = select(CheckoutRow.id).where(CheckoutRow.id == checkout_id).with_for_update()
    session.execute(locked)
    newest = _newest(session, checkout_id)
    if newest is not None and newest.state != "done" and newest.created_at > now - GIVEN_UP_AFTER:
        return
    wanted = _wanted(session, checkout_id)
    if not wanted:
        return
    kept = _kept_rows(session, [one.offer_id for one in wanted], since=now - KEPT)
    rows = [
        {
            "offer_id": one.offer_id,
            "quantity": one.quantity,
            "price_before": one.before.amount,
            "currency_before": one.before.currency,
            **_again(kept.get(one.offer_id), one),
        }
        for one in wanted
    ]
    is_done = all(row["state"] != "waiting" for row in rows)
    check_id = session.execute(
        insert(LiveCheckRow)
        .values(
            checkout_id=checkout_id,
            state="done" if is_done else "waiting",
            created_at=now,
            finished_at=now if is_done else None,
        )
        .returning(LiveCheckRow.id)
    ).scalar_one()
    session.execute(insert(LiveCheckOfferRow), [{"check_id": check_id, **row} for row in rows])


def begin_check(session: Session) -> CheckToDo | None:
    """Take the check that waits longest; None where none waits.

    Offers of stores that are left alone are settled here.
    """
    now = datetime.now(UTC)
    waiting = (
        select(LiveCheckRow)
        .where(LiveCheckRow.state == "waiting", LiveCheckRow.created_at > now - GIVEN_UP_AFTER)
        .order_by(LiveCheckRow.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    taken = session.scalars(waiting).one_or_none()
    if taken is None:
        return None
    taken.state, taken.started_at = "running", now
    rows = session.execute(
        select(LiveCheckOfferRow, OfferRow, StoreRow)
        .join(OfferRow, OfferRow.id == LiveCheckOfferRow.offer_id)
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .where(LiveCheckOfferRow.check_id == taken.id, LiveCheckOfferRow.state == "waiting")
        .order_by(StoreRow.id, LiveCheckOfferRow.id)
    ).all()
    found = []
    for _, group in groupby(rows, key=lambda row: int(row.StoreRow.id)):
        of_store = list(group)
        store = of_store[0].StoreRow
        if problem := _reason_to_leave_alone(session, store):
            _settle(
                session, [row.LiveCheckOfferRow.id for row in of_store], state="unverified", problem=problem
            )
            continue
        found.append(
            StoreToCheck(
                store=store_value(store),
                lines=tuple(_line(row.OfferRow, row.LiveCheckOfferRow.quantity) for row in of_store),
                rows=tuple(row.LiveCheckOfferRow.id for row in of_store),
            )
        )
    return CheckToDo(taken.public_id, tuple(found))


def keep_states(session: Session, rows: Sequence[int], states: Sequence[OfferState]) -> None:
    """Keep what one store said, `states` in the order of `rows` (a `StoreToCheck`'s); late answers change nothing."""
    for row_id, state in zip(rows, states, strict=True):
        row = session.get(LiveCheckOfferRow, row_id, with_for_update=True)
        if row is None or row.state != "waiting":
            continue
        before = Money(row.price_before, row.currency_before)
        doubtful = state.price is not None and is_doubtful(state.price, _known_prices(session, row.offer_id))
        row.state = live_state(state, before=before, quantity=row.quantity, is_doubtful=doubtful)
        row.price = state.price.amount if state.price else None
        row.price_currency = state.price.currency if state.price else None
        row.availability = state.availability.value if state.availability else None
        row.stock_level = state.stock_level
        row.problem = None if state.problem is None else clean_text(state.problem, 300)
        row.checked_at = state.checked_at
    session.flush()


def finish_check(session: Session, check_id: str) -> None:
    """Nothing more comes: what still waits is unverified."""
    found = session.scalar(
        update(LiveCheckRow)
        .where(LiveCheckRow.public_id == check_id)
        .values(state="done", finished_at=datetime.now(UTC))
        .returning(LiveCheckRow.id)
    )
    waiting = select(LiveCheckOfferRow.id).where(
        LiveCheckOfferRow.check_id == found, LiveCheckOfferRow.state == "waiting"
    )
    _settle(session, session.scalars(waiting).all(), state="unverified", problem=_NOT_IN_TIME)


def find_live_check(session: Session, checkout_id: int) -> LiveCheck | None:
    """The newest check of a checkout (by its row); one that nobody ends in time counts as ended."""
    newest = _newest(session, checkout_id)
    if newest is None:
        return None
    is_open = newest.state != "done" and newest.created_at > datetime.now(UTC) - GIVEN_UP_AFTER
    rows = session.execute(
        select(OfferRow.public_id, LiveCheckOfferRow)
        .join(OfferRow, OfferRow.id == LiveCheckOfferRow.offer_id)
        .where(LiveCheckOfferRow.check_id == newest.id)
        .order_by(LiveCheckOfferRow.id)
    ).all()
    return LiveCheck(
        is_open=is_open,
        created_at=newest.created_at,
        offers={public_id: _checked(public_id, row, is_open=is_open) for public_id, row in rows},
    )


def fresh_offers(session: Session, offer_ids: Iterable[int]) -> dict[int, FreshOffer]:
    """By the keys of their rows, what stores said of these offers within the last minutes.

    Doubtful prices and offers that could not be looked at are left out: of them nothing new is known.
    """
    rows = _kept_rows(session, list(offer_ids), since=datetime.now(UTC) - KEPT)
    found = {}
    for offer_id, row in rows.items():
        before = Money(row.price_before, row.currency_before)
        if row.state == "doubtful" or row.checked_at is None:
            continue
        found[offer_id] = FreshOffer(
            price=before if row.price is None else Money(row.price, row.price_currency or before.currency),
            is_sold_out=row.state == "sold_out",
            stock=row.stock_level,
            checked_at=row.checked_at,
        )
    return found


def asked_prices(session: Session, offer_ids: Sequence[int]) -> dict[int, Money]:
    """By the keys of their rows, what stores ask for these offers as plans take it now, in the stores' currencies."""
    fresh = fresh_offers(session, offer_ids)
    rows = session.execute(
        select(OfferRow.id, OfferRow.price, OfferRow.price_currency, CHECKED_AT.label("checked_at"))
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .where(OfferRow.id.in_(offer_ids))
    ).all()
    asked = {}
    for row in rows:
        seen = fresh.get(row.id)
        is_newer = seen is not None and seen.checked_at > row.checked_at
        asked[row.id] = seen.price if seen and is_newer else Money(row.price, row.price_currency).rounded()
    return asked


def forget_old_checks(session: Session, *, now: datetime | None = None) -> int:
    """Remove checks of more than a day ago; how many."""
    before = (now or datetime.now(UTC)) - timedelta(days=1)
    result = session.execute(delete(LiveCheckRow).where(LiveCheckRow.created_at < before))
    return int(result.rowcount)  # type: ignore[attr-defined]  # a cursor result


def _newest(session: Session, checkout_id: int) -> LiveCheckRow | None:
    query = select(LiveCheckRow).where(LiveCheckRow.checkout_id == checkout_id)
    return session.scalars(query.order_by(LiveCheckRow.id.desc()).limit(1)).one_or_none()


@dataclass(frozen=True, slots=True)
class _Wanted:
    offer_id: int
    quantity: int
    before: Money
    # When a crawl saw it last.
    crawled_at: datetime


def _wanted(session: Session, checkout_id: int) -> list[_Wanted]:
    kept = session.scalars(
        select(HandOffRow.lines).where(
            HandOffRow.checkout_id == checkout_id, HandOffRow.state.in_(("waiting", "opened"))
        )
    ).all()
    quantities: Counter[str] = Counter()
    asked: dict[str, Money] = {}
    for line in (line for lines in kept for line in lines):
        quantities[line["offer_id"]] += int(line["quantity"])
        if "asked" in line:
            asked[line["offer_id"]] = Money(Decimal(line["asked"]["amount"]), line["asked"]["currency"])
    offers = session.execute(
        select(OfferRow, CHECKED_AT)
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .where(OfferRow.public_id.in_(quantities))
        .order_by(OfferRow.store_id, OfferRow.id)
    ).all()
    return [
        _Wanted(
            offer.id,
            quantities[offer.public_id],
            asked.get(offer.public_id) or Money(offer.price, offer.price_currency),
            crawled_at,
        )
        for offer, crawled_at in offers
    ]


def _kept_rows(
    session: Session, offer_ids: Sequence[int], *, since: datetime
) -> Mapping[int, LiveCheckOfferRow]:
    """The newest settled row of each offer."""
    rows = session.scalars(
        select(LiveCheckOfferRow)
        .where(
            # One array, however many there are: a large cart has more offers than a statement may have parameters.
            LiveCheckOfferRow.offer_id == any_(cast(list(offer_ids), ARRAY(BigInteger))),
            LiveCheckOfferRow.checked_at > since,
            LiveCheckOfferRow.state.in_(_SETTLED),
        )
        .order_by(LiveCheckOfferRow.checked_at)
    )
    return {row.offer_id: row for row in rows}


def _again(kept: LiveCheckOfferRow | None, wanted: _Wanted) -> dict[str, Any]:
    """The columns of an offer's row in a new check: what was found minutes ago, seen from the price of this plan."""
    if kept is None or (kept.checked_at is not None and kept.checked_at <= wanted.crawled_at):
        return {"state": "waiting", **dict.fromkeys(_FOUND)}
    state = kept.state
    if state in {"same", "changed"} and kept.price is not None:
        is_short = kept.stock_level is not None and kept.stock_level < wanted.quantity
        now = Money(kept.price, kept.price_currency or wanted.before.currency).rounded()
        state = "changed" if is_short or now != wanted.before.rounded() else "same"
    return {"state": state, **{name: getattr(kept, name) for name in _FOUND}}


def _line(offer: OfferRow, quantity: int) -> HandOffLine:
    return HandOffLine(
        external_id=offer.external_id,
        title=offer.title,
        url=offer.url,
        quantity=quantity,
        sku=offer.sku,
        handoff=tuple(sorted(offer.handoff.items())),
    )


def _reason_to_leave_alone(session: Session, store: StoreRow) -> str | None:
    if not store.is_active or store.removal_asked_at is not None:
        return "is not read at present"
    state = find_crawl_state(session, store.id)
    is_resting = state.retry_at is not None and state.retry_at > datetime.now(UTC)
    return _LEFT_ALONE if state.circuit == "open" and is_resting else None


def _settle(session: Session, row_ids: Sequence[int], *, state: str, problem: str) -> None:
    if row_ids:
        session.execute(
            update(LiveCheckOfferRow)
            .where(LiveCheckOfferRow.id.in_(row_ids))
            .values(state=state, problem=problem)
            .execution_options(synchronize_session="fetch")
        )


_KNOWN = text(
    """
    select o.price, o.price_currency as currency, s.judgement_limits as limits,
           least(o.price, min(p.price)) as lowest, greatest(o.price, max(p.price)) as highest,
           (select percentile_disc(0.5) within group (order by x.price) from offers x
            where x.product_id = o.product_id and x.store_id <> o.store_id and x.gone_at is null
              and x.price_currency = o.price_currency) as elsewhere
    from offers o
    join stores s on s.id = o.store_id
    left join offer_prices p
      on p.offer_id = o.id and p.price_currency = o.price_currency
     and p.recorded_at >= coalesce(
         (select max(b.recorded_at) from offer_prices b
          where b.offer_id = o.id and b.recorded_at <= :now - interval '30 days'), '-infinity')
    where o.id = :offer
    group by o.id, s.id
    """
)


def _known_prices(session: Session, offer_id: int) -> KnownPrices:
    found = session.execute(_KNOWN, {"offer": offer_id, "now": datetime.now(UTC)}).one()
    return KnownPrices(
        price=Money(found.price, found.currency),
        lowest=found.lowest,
        highest=found.highest,
        elsewhere=found.elsewhere,
        jump=Decimal(Limits.of_store(found.limits).jump),
    )


def _checked(public_id: str, row: LiveCheckOfferRow, *, is_open: bool) -> CheckedOffer:
    is_lost = row.state == "waiting" and not is_open
    return CheckedOffer(
        offer_id=public_id,
        state="unverified" if is_lost else row.state,  # type: ignore[arg-type]  # the table's check constraint holds the same words
        quantity=row.quantity,
        before=Money(row.price_before, row.currency_before).rounded(),
        now=None
        if row.price is None
        else Money(row.price, row.price_currency or row.currency_before).rounded(),
        availability=Availability(row.availability) if row.availability else None,
        stock=row.stock_level,
        problem=_NOT_IN_TIME if is_lost else row.problem,
        checked_at=row.checked_at,
    )
