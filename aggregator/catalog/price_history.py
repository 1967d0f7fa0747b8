"""Past prices of products, and which of them really fell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.product_cards import CARD_COLUMNS, product_card
from aggregator.catalog.search_changes import record_search_changes
from aggregator.db.copy import copy_rows
from aggregator.domain.money import Money
from aggregator.domain.price_history import PRIOR_DAYS, PriceDrop, find_drop, lowest_line
from aggregator.domain.product_pages import DroppedPrice
from aggregator.domain.products import PricePoint, PriceSeries
from aggregator.domain.vocabulary import Availability, ItemCondition

# A smaller fall is no news.
LEAST_SHARE = 0.03
# How many to hand to `note_price_drops` at once.
LOOKED_AT_ONCE = 500
_CAN_BE_BOUGHT = {str(one): one.can_be_bought for one in Availability}


def read_history(
    session: Session, product_ids: Sequence[int], *, since: datetime | None, only_new: bool = False
) -> dict[int, tuple[PriceSeries, ...]]:
    """Each offer's price over time by its product, from `since` (None: from the beginning), in one query.

    What stood at `since` comes as it was recorded, before it. An offer that is gone ends as not available.
    """
    before = """
        (select recorded_at, price, price_currency, availability from offer_prices
         where offer_id = o.id and recorded_at < :since order by recorded_at desc limit 1)
        union all
    """
    rows = session.execute(
        text(
            f"""
            select o.product_id, o.id, o.gone_at, s.name, h.recorded_at, h.price, h.price_currency, h.availability
            from offers o join stores s on s.id = o.store_id
            cross join lateral (
                {before if since else ""}
                (select recorded_at, price, price_currency, availability from offer_prices
                 where offer_id = o.id {"and recorded_at >= :since" if since else ""})
            ) h
            where o.product_id = any(cast(:products as bigint[]))
              {f"and o.item_condition = '{ItemCondition.NEW}'" if only_new else ""}
            order by o.product_id, s.name, o.id, h.recorded_at
            """
        ),
        {"products": list(product_ids), "since": since},
    ).all()
    points: dict[tuple[int, int, str], list[PricePoint]] = {}
    names: dict[int, str] = {}
    gone: dict[int, datetime] = {}
    for product_id, offer_id, gone_at, name, recorded_at, price, currency, availability in rows:
        series = points.setdefault((product_id, offer_id, currency), [])
        series.append(PricePoint(recorded_at, price, _CAN_BE_BOUGHT.get(availability, True)))
        names[offer_id] = name
        if gone_at is not None:
            gone[offer_id] = gone_at
    found: defaultdict[int, list[PriceSeries]] = defaultdict(list)
    for (product_id, offer_id, currency), of_offer in points.items():
        last = of_offer[-1]
        if offer_id in gone and last.is_available:
            of_offer.append(PricePoint(max(gone[offer_id], last.recorded_at), last.price, False))
        found[product_id].append(PriceSeries(names[offer_id], currency, tuple(of_offer)))
    return {product_id: tuple(series) for product_id, series in found.items()}


def products_with_new_prices(session: Session, *, within: timedelta) -> list[int]:
    """Products of which a price changed within this time, and those whose drop on record holds no more.

    Ask about that often, and hand the answer to `note_price_drops` in portions, each in a transaction of its own.
    """
    return list(
        session.scalars(
            text(
                """
                select o.product_id from offer_prices h join offers o on o.id = h.offer_id
                where h.recorded_at >= now() - :within and o.product_id is not null
                union
                select d.product_id from price_drops d join products p on p.id = d.product_id
                where p.lowest_price is distinct from d.price or not p.is_available or p.merged_into_id is not null
                   or d.dropped_at < now() - interval '30 days'
                """
            ),
            {"within": within},
        )
    )


def note_price_drops(session: Session, product_ids: Sequence[int], now: datetime | None = None) -> int:
    """Look again at what these products' prices fell by; how many of them have a drop on record now."""
    now = now or datetime.now(UTC)
    lowest = {
        row.id: (row.lowest_price, row.lowest_price_currency)
        for row in session.execute(
            text(
                "select id, lowest_price, lowest_price_currency from products"
                " where id = any(cast(:ids as bigint[])) and is_available and lowest_price > 0"
            ),
            {"ids": list(product_ids)},
        )
    }
    # A price that stands for long began before the 30 days; nothing older is asked for.
    since = now - 3 * PRIOR_DAYS
    histories = read_history(session, list(lowest), since=since, only_new=True)
    drops: dict[int, PriceDrop] = {}
    for product_id, (price, currency) in lowest.items():
        series = [one for one in histories.get(product_id, ()) if one.currency == currency]
        drop = find_drop(lowest_line(series), now)
        if drop is not None and drop.price == price and drop.share >= LEAST_SHARE:
            drops[product_id] = drop
    _keep(session, product_ids, drops, {product_id: lowest[product_id][1] for product_id in drops})
    return len(drops)


def list_price_drops(session: Session, *, within: timedelta, limit: int = 48) -> tuple[DroppedPrice, ...]:
    """What fell within this time and still costs that, the biggest share first."""
    rows = session.execute(
        text(
            f"""
            select {CARD_COLUMNS}, d.lowest_before, d.share, d.dropped_at
            from price_drops d join products p on p.id = d.product_id
            where d.dropped_at >= now() - :within and p.offer_count > 0 and p.is_available
              and p.lowest_price = d.price and p.lowest_price_currency = d.price_currency
            order by d.share desc, p.id limit :limit
            """
        ),
        {"within": within, "limit": limit},
    )
    return tuple(
        DroppedPrice(
            card=product_card(row),
            lowest_before=Money(row["lowest_before"], row["lowest_price_currency"]).rounded(),
            share=float(row["share"]),
            dropped_at=row["dropped_at"],
        )
        for row in rows.mappings()
    )


def _keep(
    session: Session, looked_at: Sequence[int], drops: Mapping[int, PriceDrop], currencies: Mapping[int, str]
) -> None:
    had = session.execute(
        text(
            "delete from price_drops where product_id = any(cast(:ids as bigint[])) returning product_id, price"
        ),
        {"ids": list(looked_at)},
    ).all()
    copy_rows(
        session,
        "price_drops",
        ("product_id", "price", "price_currency", "lowest_before", "share", "dropped_at"),
        (
            (
                product_id,
                drop.price,
                currencies[product_id],
                drop.lowest_before,
                round(drop.share, 4),
                drop.since,
            )
            for product_id, drop in drops.items()
        ),
    )
    before = {row.product_id: row.price for row in had}
    changed = {product_id for product_id in {*before, *drops}
               if before.get(product_id) != (drops[product_id].price if product_id in drops else None)}  # fmt: skip
    record_search_changes(session, sorted(changed))
