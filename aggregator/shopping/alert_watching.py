"""Looking at the alerts of products that changed: what fires is written down, once, to be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import current_rates
from aggregator.catalog.offers import CHECKED_AT, IS_FRESH_ENOUGH
from aggregator.catalog.price_history import read_history
from aggregator.catalog.search_changes import Position, changes_since, latest_position
from aggregator.catalog.shipping_terms import SaidByOffer
from aggregator.catalog.unit_shipping import Seller, UnitShipping
from aggregator.db.models import (
    AlertEventRow,
    AlertPositionRow,
    AlertRow,
    OfferCheckRow,
    OfferRow,
    StoreRow,
)
from aggregator.domain.alerts import VERIFIED_WITHIN, BestOffer, Watched, judge_alert
from aggregator.domain.delivery import DeliveryTerms
from aggregator.domain.identifiers import new_public_id
from aggregator.domain.money import Money
from aggregator.domain.price_history import lowest_line
from aggregator.domain.products import PriceSeries
from aggregator.domain.vocabulary import Availability, ItemCondition

_AT_ONCE = 1_000
# Any constant will do, as long as all processes agree on it: one of them looks at a time.
_LOCK = 0x416C_6572
# All that "a low of 30 days" may look at: those before the present price began, itself perhaps a year old.
_HISTORY = timedelta(days=400)
_CAN_BE_BOUGHT = tuple(one.value for one in Availability if one.can_be_bought)


def alerts_are_due(session: Session) -> bool:
    """Whether products changed since the alerts were looked at."""
    latest = latest_position(session)
    if latest is None:
        return False
    row = session.execute(select(AlertPositionRow.number, AlertPositionRow.changed_at)).one_or_none()
    return row is None or (row.number, row.changed_at) != (latest.number, latest.changed_at)


def watch_alerts(session: Session, *, now: datetime | None = None, country: str | None = None) -> int:
    """Look at all alerts of what changed since the last time; how many fired. Parcels go to `country`.

    What fired, and that it was looked at, is one transaction: killed half way, it is done again from the beginning.
    """
    now = now or datetime.now(UTC)
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    row = session.execute(select(AlertPositionRow.number, AlertPositionRow.changed_at)).one_or_none()
    found = changes_since(session, Position(row.number, row.changed_at)) if row else None
    latest = found[1] if found else latest_position(session)
    if latest is None:
        return 0
    session.execute(
        text(
            """
            update alerts a set product_id = p.merged_into_id from products p
            where p.id = a.product_id and p.merged_into_id is not null
            """
        )
    )
    waiting = select(AlertRow.id).where(AlertRow.is_on, func.coalesce(AlertRow.snoozed_until, now) <= now)
    if found is not None:
        waiting = waiting.where(AlertRow.product_id == func.any(found[0]))
    ids = session.scalars(waiting.order_by(AlertRow.id)).all()
    shipping = UnitShipping(country, current_rates(session))
    fired = sum(
        _watch(session, ids[start : start + _AT_ONCE], now, shipping)
        for start in range(0, len(ids), _AT_ONCE)
    )
    session.execute(text("delete from alert_position"))
    session.execute(insert(AlertPositionRow).values(number=latest.number, changed_at=latest.changed_at))
    return fired


def _watch(session: Session, alert_ids: Sequence[int], now: datetime, shipping: UnitShipping) -> int:
    alerts = session.scalars(select(AlertRow).where(AlertRow.id.in_(alert_ids))).all()
    offers = _offers(session, {alert.product_id for alert in alerts}, now, shipping)
    history = _history(session, alerts, now)
    events, states = [], []
    for alert in alerts:
        counted = [
            (price, total, store)
            for price, total, currency, store in offers[alert.product_id]
            if currency == alert.currency and (not alert.store_ids or store.id in alert.store_ids)
        ]
        best = min(counted, key=lambda one: _value(one, with_shipping=alert.with_shipping), default=None)
        line = lowest_line(
            one
            for one in history.get(alert.product_id, ())
            if one.currency == alert.currency and (not alert.store_ids or one.store_name in _names(counted))
        )
        watched = Watched(
            rule=alert.rule,  # type: ignore[arg-type]  # the table's check constraint holds the same words
            amount=alert.amount,
            percent=alert.percent,
            with_shipping=alert.with_shipping,
            price_then=alert.price_then,
            told=alert.told,
            is_armed=alert.is_armed,
            created_at=alert.created_at,
        )
        offered = BestOffer(price=best[0], total=best[1]) if best else None
        holds, fires = judge_alert(watched, offered, line, now)
        told = alert.told if holds else None
        if fires and best is not None:
            told = best[1] if alert.with_shipping else best[0]
            events.append(
                {
                    "public_id": new_public_id(),
                    "alert_id": alert.id,
                    "account_id": alert.account_id,
                    "price": best[0],
                    "total": best[1],
                    "currency": alert.currency,
                    "store_name": best[2].name,
                }
            )
        if fires or holds == alert.is_armed or told != alert.told:
            states.append(
                {
                    "id": alert.id,
                    "is_armed": not holds,
                    "told": told,
                    "fired_at": now if fires else alert.fired_at,
                }
            )
    if states:
        session.execute(update(AlertRow), states)
    if events:
        session.execute(insert(AlertEventRow), events)
    return len(events)


_Counted = tuple[Decimal, Decimal | None, str, StoreRow]


def _offers(
    session: Session, product_ids: Iterable[int], now: datetime, shipping: UnitShipping
) -> defaultdict[int, list[_Counted]]:
    """By product, what can be bought new, at a price that was looked at of late."""
    found: defaultdict[int, list[_Counted]] = defaultdict(list)
    rows = session.execute(
        select(OfferRow, StoreRow, CHECKED_AT)
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .outerjoin(OfferCheckRow, OfferCheckRow.offer_id == OfferRow.id)
        .where(
            OfferRow.product_id.in_(list(product_ids)),
            OfferRow.gone_at.is_(None),
            OfferRow.item_condition == ItemCondition.NEW,
            func.coalesce(OfferRow.availability, _CAN_BE_BOUGHT[0]).in_(_CAN_BE_BOUGHT),
            now - VERIFIED_WITHIN < CHECKED_AT,
            IS_FRESH_ENOUGH,
        )
    )
    for offer, store, checked_at in rows:
        said = SaidByOffer(
            delivery=DeliveryTerms.read(offer.delivery),
            shipping_cost=offer.shipping_cost,
            checked_at=checked_at,
        )
        asked = Money(offer.price, offer.price_currency)
        cost = shipping.estimate(Seller.of(store.id, store), asked, said)
        total = offer.price + cost.cost.amount if cost and cost.basis == "known" else None
        assert offer.product_id is not None
        found[offer.product_id].append((offer.price, total, offer.price_currency, store))
    return found


def _history(
    session: Session, alerts: Sequence[AlertRow], now: datetime
) -> dict[int, tuple[PriceSeries, ...]]:
    ever = {alert.product_id for alert in alerts if alert.rule == "low_ever"}
    recent = {alert.product_id for alert in alerts if alert.rule == "low_30"} - ever
    return {
        **(read_history(session, sorted(ever), since=None, only_new=True) if ever else {}),
        **(read_history(session, sorted(recent), since=now - _HISTORY, only_new=True) if recent else {}),
    }


def _names(counted: Iterable[tuple[Decimal, Decimal | None, StoreRow]]) -> frozenset[str]:
    return frozenset(store.name for _price, _total, store in counted)


def _value(offer: tuple[Decimal, Decimal | None, StoreRow], *, with_shipping: bool) -> tuple[bool, Decimal]:
    """Cheapest first; with shipping, offers of unknown shipping last."""
    price, total, _store = offer
    if not with_shipping:
        return False, price
    return total is None, price if total is None else total
