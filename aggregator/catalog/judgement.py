"""Judging a run before shoppers see it: is this the store changing, or a reading gone wrong?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

# Below this many known offers a store is too small for shares to mean anything.
SMALLEST_JUDGED = 20


def judge_run(session: Session, parameters: dict[str, Any], *, is_complete: bool) -> str | None:
    """Why the run must be held back, in words an operator reads, or None.

    Compares the temporary table `release` with the store's current offers: most of them vanished, most
    prices moved by a factor of about 100 or more than threefold one way, the currency changed, or most
    stock went at once.
    """
    row = session.execute(
        text(
            """
            with known as (
                select count(*) as known,
                       count(*) filter (where availability in ('InStock', 'LimitedAvailability')) as buyable
                from offers where store_id = :store and gone_at is null
            ), both_sides as (
                select count(*) as met,
                       count(*) filter (where price_currency <> old_price_currency) as flipped,
                       count(*) filter (where price > old_price * 3) as risen,
                       count(*) filter (where price * 3 < old_price) as fallen,
                       count(*) filter (where availability = 'OutOfStock') as sold_out,
                       count(*) filter (where old_availability = 'OutOfStock') as sold_out_before
                from release where offer_id is not null and old_gone_at is null
            )
            select * from known, both_sides
            """
        ),
        parameters,
    ).one()
    if row.known < SMALLEST_JUDGED:
        return None
    if is_complete and row.met * 2 < row.known:
        return f"only {row.met} of {row.known} known offers were listed: most of the store seems to have vanished"
    if row.met < SMALLEST_JUDGED:
        return None
    if row.flipped * 4 > row.met:
        return f"the currency changed for {row.flipped} of {row.met} known offers"
    for moved, way in ((row.risen, "more than tripled"), (row.fallen, "fell below a third")):
        if moved * 2 > row.met:
            return f"{moved} of {row.met} known prices {way}"
    if (row.sold_out - row.sold_out_before) * 10 > row.met * 8:
        return f"{row.sold_out} of {row.met} known offers went out of stock at once"
    return None
