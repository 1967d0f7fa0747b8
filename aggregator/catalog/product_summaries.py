"""What search reads of a product: counts, lowest price and search words, kept with its offers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.search_changes import record_search_changes


def refresh_products(session: Session, product_ids: Sequence[int]) -> None:
    """Recompute the summary columns of these products from their current offers, in one statement.

    The lowest price is that of new, available offers where there are any, in the currency that most of
    the product's offers ask.
    """
    if not product_ids:
        return
    session.execute(
        text(
            """
            with current as (
                select o.product_id, o.store_id, o.price, o.price_currency,
                       coalesce(o.availability, 'InStock') not in
                           ('OutOfStock', 'SoldOut', 'Discontinued', 'Reserved', 'InStoreOnly') as is_available,
                       o.item_condition = 'NewCondition' as is_new
                from offers o
                join stores s on s.id = o.store_id
                left join offer_checks k on k.offer_id = o.id
                where o.product_id = any(:products) and o.gone_at is null
                  and case when s.options ->> 'max_age_hours' ~ '^[0-9]{1,5}$'
                           then coalesce(k.checked_at, s.checked_at, o.first_seen_at)
                                + cast(s.options ->> 'max_age_hours' as integer) * interval '1 hour' > now()
                           else true end
            ), currencies as (
                select distinct on (product_id) product_id, price_currency
                from current group by product_id, price_currency
                order by product_id, count(*) desc, price_currency collate "C"
            ), summary as (
                select c.product_id, count(*) as offer_count, count(distinct c.store_id) as store_count,
                       array_agg(distinct c.store_id) as store_ids, bool_or(c.is_available) as is_available,
                       max(k.price_currency) as currency,
                       coalesce(
                           min(c.price) filter (
                               where c.is_available and c.is_new and c.price_currency = k.price_currency),
                           min(c.price) filter (where c.is_available and c.price_currency = k.price_currency),
                           min(c.price) filter (where c.price_currency = k.price_currency)) as lowest
                from current c join currencies k using (product_id)
                group by c.product_id
            )
            update products p
            set offer_count = coalesce(s.offer_count, 0), store_count = coalesce(s.store_count, 0),
                store_ids = coalesce(s.store_ids, '{}'), is_available = coalesce(s.is_available, false),
                lowest_price = s.lowest, lowest_price_currency = s.currency, updated_at = now()
            from unnest(cast(:products as bigint[])) as asked(id) left join summary s on s.product_id = asked.id
            where p.id = asked.id
            """
        ),
        {"products": list(product_ids)},
    )
    record_search_changes(session, product_ids)
