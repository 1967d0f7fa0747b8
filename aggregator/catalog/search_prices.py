"""What a list of results tells of prices beside the present one: the lowest of 30 days, real drops, unit prices."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.domain.money import Money
from aggregator.domain.unit_prices import UnitPrice, unit_price


@dataclass(frozen=True, slots=True)
class RecentPrice:
    """The lowest price that could be paid within 30 days, and by what share of it the price fell lately, if it did."""

    lowest: Money
    drop: float | None


def recent_prices(session: Session, product_ids: Collection[str]) -> dict[str, RecentPrice]:
    """By public id; products that are known for less than a week, or without a price, are left out."""
    if not product_ids:
        return {}
    rows = session.execute(
        text(
            """
            select p.public_id, p.lowest_price_currency as currency, min(h.price) as lowest, max(d.share) as share
            from products p
            join offers o on o.product_id = p.id and o.item_condition = 'NewCondition'
            cross join lateral (
                (select recorded_at, price, price_currency, availability from offer_prices
                 where offer_id = o.id and recorded_at < now() - interval '30 days'
                 order by recorded_at desc limit 1)
                union all
                (select recorded_at, price, price_currency, availability from offer_prices
                 where offer_id = o.id and recorded_at >= now() - interval '30 days')
            ) h
            left join price_drops d on d.product_id = p.id and d.price = p.lowest_price
            where p.public_id = any(:ids) and h.price_currency = p.lowest_price_currency
              and coalesce(h.availability, 'InStock') not in
                  ('OutOfStock', 'SoldOut', 'Discontinued', 'Reserved', 'InStoreOnly')
            group by p.id having min(h.recorded_at) < now() - interval '7 days'
            """
        ),
        {"ids": list(product_ids)},
    )
    return {
        row.public_id: RecentPrice(
            Money(row.lowest, row.currency).rounded(), None if row.share is None else float(row.share)
        )
        for row in rows
    }


def unit_prices(session: Session, product_ids: Collection[str]) -> dict[str, UnitPrice]:
    """By public id, what a kilogram, litre or piece costs at the lowest price, where the title tells the content."""
    rows = session.execute(
        text(
            "select public_id, title, category_key, lowest_price, lowest_price_currency as currency from products"
            " where public_id = any(:ids) and lowest_price is not null"
        ),
        {"ids": list(product_ids)},
    )
    found = {
        row.public_id: unit_price(Money(row.lowest_price, row.currency), row.title, {}, row.category_key)
        for row in rows
    }
    return {public_id: price for public_id, price in found.items() if price is not None}
