"""Single prices that are not believed alone: they wait in quarantine while the rest of their run is released."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.merging import Comparison

# A new offer has no history: only what is far from the same product at other stores is doubted.
_NEW_FACTOR = 20

# A price must leave what the offer asked in its last 30 days by a factor, or by exactly a power of ten, and nobody
# else may ask about as much for the same product. A sale that ends, or a price that others confirm, is no jump.
_DOUBT_CHANGED = """
    insert into doubts
    select r.position, r.offer_id, o.price, o.price_currency, h.lowest, h.highest, e.elsewhere,
           case when s.price_currency <> o.price_currency then 'currency_change' else 'price_jump' end
    from release r
    join {staged} s on s.position = r.position
    join offers o on o.id = r.offer_id
    cross join lateral (
        select least(o.price, min(p.price)) as lowest, greatest(o.price, max(p.price)) as highest
        from offer_prices p
        where p.offer_id = o.id and p.price_currency = s.price_currency
          and p.recorded_at >= coalesce(
              (select max(b.recorded_at) from offer_prices b
               where b.offer_id = o.id and b.recorded_at <= :now - interval '30 days'), '-infinity')
    ) h
    left join lateral (
        select percentile_disc(0.5) within group (order by x.price) as elsewhere
        from offers x
        where x.product_id = o.product_id and x.store_id <> o.store_id and x.gone_at is null
          and x.price_currency = s.price_currency
    ) e on true
    where r.fate = 'changed'
      and (s.price_currency <> o.price_currency or s.price > o.price * 1.5 or s.price * 1.5 < o.price)
      and (s.price_currency <> o.price_currency
           or (s.price > h.highest * 1.5 and (s.price > h.lowest * :jump or {is_power}))
           or (s.price * 1.5 < h.lowest and (s.price * :jump < h.highest or {is_power})))
      and not (e.elsewhere is not null and s.price between e.elsewhere / 3 and e.elsewhere * 3)
"""
_IS_POWER = " or ".join(
    f"abs({larger} / {smaller} - {power}) < {power} * 0.001"
    for larger, smaller in (("s.price", "o.price"), ("o.price", "s.price"))
    for power in (10, 100, 1000)
)
_DOUBT_NEW = """
    insert into doubts
    select s.position, null, null, null, null, null, p.lowest_price, 'price_jump'
    from {staged} s
    join products p on p.gtin = s.gtin and p.lowest_price_currency = s.price_currency
    where p.lowest_price > 0 and p.merged_into_id is null
      and (s.price > p.lowest_price * :new_factor or s.price * :new_factor < p.lowest_price)
      {is_new}
"""
_QUARANTINE = """
    insert into quarantined_offers (store_id, run_id, attempt, external_id, title, url, reason, detail, raw, offer)
    select :store, :run, :attempt, s.external_id, s.title, s.url, d.reason,
           concat(
               coalesce(trim_scale(d.old_price) || ' ' || d.old_currency || ' before, ', ''),
               trim_scale(s.price), ' ', s.price_currency, ' now',
               '; within 30 days ' || trim_scale(d.lowest) || ' to ' || trim_scale(d.highest),
               '; elsewhere about ' || trim_scale(d.elsewhere)),
           jsonb_strip_nulls(jsonb_build_object(
               'before', d.old_price::text, 'currency_before', d.old_currency, 'after', s.price::text,
               'currency_after', s.price_currency, 'lowest_30_days', d.lowest::text,
               'highest_30_days', d.highest::text, 'elsewhere', d.elsewhere::text)),
           jsonb_strip_nulls(jsonb_build_object(
               'external_id', s.external_id, 'url', s.url, 'title', s.title,
               'price', jsonb_build_object('decimal', s.price::text), 'price_currency', s.price_currency,
               'list_price', case when s.list_price is not null
                                  then jsonb_build_object('decimal', s.list_price::text) end,
               'price_kind', s.price_kind, 'availability', s.availability, 'stock_level', s.stock_level,
               'item_condition', s.item_condition, 'brand', s.brand, 'gtin', s.gtin, 'mpn', s.mpn, 'sku', s.sku,
               'category', s.category, 'image_url', s.image_url, 'item_group_id', s.item_group_id,
               'variant_attributes', s.variant_attributes, 'seller', s.seller,
               'shipping_cost', case when s.shipping_cost is not null
                                     then jsonb_build_object('decimal', s.shipping_cost::text) end,
               'delivery', s.delivery, 'handoff', s.handoff, 'source', s.source))
    from doubts d join {staged} s on s.position = d.position
"""


def doubt_jumps(session: Session, comparison: Comparison, *, jump: float) -> int:
    """Give offers whose price cannot be believed alone the fate "doubted" in `release`, and quarantine them; how many.

    `jump` is the factor by which a price leaves its offer's own last 30 days.
    """
    parameters = {**comparison.parameters, "jump": jump, "new_factor": _NEW_FACTOR}
    staged = comparison.differing
    session.execute(text("drop table if exists doubts"))
    session.execute(
        text(
            """
            create temporary table doubts (
                position bigint, offer_id bigint, old_price numeric, old_currency text,
                lowest numeric, highest numeric, elsewhere numeric, reason text
            ) on commit drop
            """
        )
    )
    is_new = (
        ""
        if comparison.is_first
        else "and exists (select from release r where r.position = s.position and r.fate = 'new')"
    )
    session.execute(text(_DOUBT_NEW.format(staged=staged, is_new=is_new)), parameters)
    if not comparison.is_first:
        session.execute(text(_DOUBT_CHANGED.format(staged=staged, is_power=_IS_POWER)), parameters)
    if not session.scalar(text("select exists (select from doubts)")):
        return 0
    # A GTIN that several products share must not doubt one offer twice.
    session.execute(
        text("delete from doubts d using doubts e where d.position = e.position and d.ctid > e.ctid")
    )
    session.execute(text(_QUARANTINE.format(staged=staged)), parameters)
    session.execute(text("update release r set fate = 'doubted' from doubts d where r.position = d.position"))
    if comparison.is_first:
        session.execute(
            text("insert into release select d.position, null, null, false, false, 'doubted' from doubts d")
        )
    return int(session.scalar(text("select count(*) from doubts")) or 0)
