"""What a run changes of what its store offered before: counts, and the largest changes as samples."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.merging import Comparison

_SAMPLES = 20


def describe_changes(session: Session, comparison: Comparison) -> dict[str, Any]:
    """The run's `difference` as its row keeps it; ask before it is merged."""
    if comparison.is_first:
        return {}
    staged = comparison.differing
    counts = session.execute(
        text(
            f"""
            select count(*) filter (where s.price_currency = o.price_currency and s.price > o.price) as risen,
                   count(*) filter (where s.price_currency = o.price_currency and s.price < o.price) as fallen,
                   count(*) filter (where s.price_currency <> o.price_currency) as currency_changed,
                   count(*) filter (where s.availability = 'OutOfStock'
                                    and o.availability is distinct from 'OutOfStock') as sold_out,
                   count(*) filter (where o.availability = 'OutOfStock'
                                    and s.availability is distinct from 'OutOfStock') as back_in_stock,
                   count(*) filter (where r.was_gone) as returned
            from release r join {staged} s on s.position = r.position join offers o on o.id = r.offer_id
            where r.fate = 'changed'
            """
        )
    ).one()
    samples = session.execute(
        text(
            f"""
            select s.external_id, s.title, s.url, trim_scale(o.price)::text as before,
                   trim_scale(s.price)::text as after, s.price_currency,
                   o.availability as availability_before, s.availability as availability_after
            from release r join {staged} s on s.position = r.position join offers o on o.id = r.offer_id
            where r.fate = 'changed'
              and (s.price, s.price_currency, s.availability)
                  is distinct from (o.price, o.price_currency, o.availability)
            order by s.price_currency <> o.price_currency desc, abs(ln(s.price / o.price)) desc, s.position
            limit :samples
            """
        ),
        {"samples": _SAMPLES},
    )
    return {
        **{name: int(value) for name, value in counts._mapping.items()},
        "samples": [dict(row._mapping) for row in samples],
    }
