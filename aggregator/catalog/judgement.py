"""Judging a run before shoppers see it: is this the store changing, or a reading gone wrong?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from sqlalchemy import text
from sqlalchemy.orm import Session

from aggregator.catalog.merging import Comparison
from aggregator.domain.runs import Anomaly


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may change without a person; shares are of the offers that were known before.

    `smallest` is the fewest offers of which a share means anything. A price that more than `price_factor` times
    another counts as moved. `jump` is the factor at which a single price is not believed alone.
    """

    vanished: float = 0.4
    unreadable: float = 0.5
    currency: float = 0.25
    moved: float = 0.5
    same_price: float = 0.5
    sold_out: float = 0.8
    smallest: float = 20
    price_factor: float = 3
    jump: float = 5

    @classmethod
    def of_store(cls, kept: Mapping[str, Any]) -> Self:
        """The usual limits, less those that the store's row overrules by a number above zero."""
        names = {field.name for field in fields(cls)}
        return cls(
            **{
                name: float(value)
                for name, value in kept.items()
                if name in names and isinstance(value, int | float) and value > 0
            }
        )


# Of a new store nothing is known but what it says itself, so only what no store does is held.
_FIRST_SAME_PRICE = (200, 0.95)
_FIRST_FACTOR = 5
_FIRST_LOOKED_AT = 20_000


def judge_run(
    session: Session, comparison: Comparison, limits: Limits, *, is_complete: bool
) -> list[Anomaly]:
    """Why the run must be held back, most telling first; empty where nothing speaks against it.

    Works on the temporary table `release` of `catalog.merging.compare_run`.
    """
    if comparison.is_first:
        return list(_of_first_run(session, comparison))
    found = list(_of_listing(comparison, limits)) if is_complete else []
    return [*found, *_of_changes(session, comparison, limits)]


def _of_listing(comparison: Comparison, limits: Limits) -> Iterator[Anomaly]:
    known, lost = comparison.known, comparison.vanished
    there = comparison.met + comparison.kept
    unreadable = max(known - there - lost, 0)
    figures = {"known": known, "listed": there, "vanished": lost, "unreadable": unreadable}
    is_judged = known >= limits.smallest
    if (is_judged and lost > limits.vanished * known) or (known >= 3 and lost == known):
        yield Anomaly(
            kind="vanished",
            message=f"only {known - lost} of {known} known offers were listed: "
            "most of the rest seems to have vanished",
            figures=figures,
        )
    elif is_judged and unreadable and lost + unreadable > max(limits.unreadable, limits.vanished) * known:
        yield Anomaly(
            kind="yield_collapse",
            message=f"only {there} of {known} known offers could be read",
            figures=figures,
        )


def _of_changes(session: Session, comparison: Comparison, limits: Limits) -> Iterator[Anomaly]:
    """Of the whole, then of each part of the store that changed much: what it was read from, what it sells."""
    changed = session.scalar(text("select count(*) from release where fate = 'changed' and not was_gone"))
    there = comparison.met + comparison.kept
    if not changed or there < 3:
        return
    factor = {**comparison.parameters, "factor": limits.price_factor}
    whole = session.execute(text(_moves(comparison.differing, by="''")), factor).one()
    found = _moved(whole, there, limits)
    if found is None:
        found = _same_price(session, comparison, limits)
    if found is not None:
        yield found
        return
    if changed < limits.smallest:
        return
    for part_of in ("s.source", "split_part(coalesce(s.category, ''), ' > ', 1)"):
        moves = session.execute(text(_moves(comparison.differing, by=part_of)), factor)
        suspects = [row for row in moves if row.flipped or row.risen or row.fallen or row.sold_out]
        if not suspects:
            continue  # the usual case, which need not look at all that was read
        counted = session.execute(
            text(
                f"""
                select {part_of}, count(*) from {comparison.staged} s
                where not exists (select from release r where r.position = s.position and r.fate = 'new')
                group by 1 having count(*) >= :smallest
                """
            ),
            {"smallest": limits.smallest},
        )
        met: dict[str, int] = {part: count for part, count in counted}  # noqa: C416  # dict() takes a result for a mapping
        if len(met) < 2:
            continue
        for row in suspects:
            found = _moved(row, met.get(row.part, 0), limits, part=row.part)
            if found is not None:
                yield found


def _moves(staged: str, *, by: str) -> str:
    return f"""
        select {by} as part,
               count(*) filter (where s.price_currency <> o.price_currency) as flipped,
               count(*) filter (where s.price > o.price * :factor) as risen,
               count(*) filter (where s.price * :factor < o.price) as fallen,
               count(*) filter (where s.availability = 'OutOfStock') as sold_out,
               count(*) filter (where o.availability = 'OutOfStock') as sold_out_before
        from release r join {staged} s on s.position = r.position join offers o on o.id = r.offer_id
        where r.fate = 'changed' and not r.was_gone
        group by 1 order by 1
    """


def _moved(row: Any, met: int, limits: Limits, *, part: str = "") -> Anomaly | None:
    if met < 3:
        return None
    # Of very few offers a share means nothing, all of them something.
    is_judged = met >= limits.smallest
    about = f"{part}: " if part else ""
    figures = {"known": met}
    if row.flipped > (limits.currency * met if is_judged else met - 1):
        return Anomaly(
            kind="currency_flip",
            message=f"{about}the currency changed for {row.flipped} of {met} known offers",
            figures={**figures, "flipped": row.flipped},
            part=part,
        )
    ways = (
        (row.risen, _rise(limits), "risen"),
        (row.fallen, _fall(limits), "fallen"),
    )
    for moved, way, name in ways:
        if moved > (limits.moved * met if is_judged else met - 1):
            return Anomaly(
                kind="prices_moved",
                message=f"{about}{moved} of {met} known prices {way}",
                figures={**figures, name: moved},
                part=part,
            )
    gone_out = row.sold_out - row.sold_out_before
    if is_judged and gone_out > limits.sold_out * met:
        return Anomaly(
            kind="out_of_stock",
            message=f"{about}{gone_out} of {met} known offers went out of stock at once",
            figures={**figures, "sold_out": gone_out},
            part=part,
        )
    return None


def _rise(limits: Limits) -> str:
    return "more than tripled" if limits.price_factor == 3 else f"rose more than {limits.price_factor:g}-fold"


def _fall(limits: Limits) -> str:
    return "fell below a third" if limits.price_factor == 3 else f"fell below a {limits.price_factor:g}th"


def _same_price(session: Session, comparison: Comparison, limits: Limits) -> Anomaly | None:
    """Many different prices that become one: what was read stands on every page, and is not the price."""
    there = comparison.met + comparison.kept
    row = session.execute(
        text(
            f"""
            select s.price, s.price_currency, count(*) as moved, count(distinct o.price) as before
            from release r join {comparison.differing} s on s.position = r.position
            join offers o on o.id = r.offer_id
            where r.fate = 'changed' and not r.was_gone and s.price <> o.price
            group by s.price, s.price_currency order by count(*) desc limit 1
            """
        )
    ).first()
    is_one = (
        row is not None
        and there >= limits.smallest
        and row.moved > limits.same_price * there
        and row.before > 10
    )
    if row is None or not is_one:
        return None
    return Anomaly(
        kind="same_price",
        message=f"{row.moved} of {there} known offers now ask the same {row.price:f} {row.price_currency}",
        figures={"known": there, "moved": row.moved, "price": str(row.price), "before": row.before},
    )


def _of_first_run(session: Session, comparison: Comparison) -> Iterator[Anomaly]:
    """A store read for the first time: beside the same products at other stores, told by GTIN, and beside itself."""
    row = session.execute(
        text(
            f"""
            select count(*) as met,
                   count(*) filter (where s.price > p.lowest_price * :factor) as above,
                   count(*) filter (where s.price * :factor < p.lowest_price) as below
            from {comparison.staged} s
            join products p on p.gtin = s.gtin and p.lowest_price_currency = s.price_currency
            where p.lowest_price > 0 and p.merged_into_id is null
            """
        ),
        {"factor": _FIRST_FACTOR},
    ).one()
    for off, way in ((row.above, "above"), (row.below, "below")):
        if row.met >= 5 and off * 2 > row.met:
            yield Anomaly(
                kind="price_scale",
                message=f"{off} of {row.met} prices of products that other stores sell as well are more than "
                f"{_FIRST_FACTOR} times above theirs"
                if way == "above"
                else f"{off} of {row.met} prices of products that other stores sell as well are more than "
                f"{_FIRST_FACTOR} times below theirs",
                figures={"met": row.met, way: off},
            )
            return
    fewest, share = _FIRST_SAME_PRICE
    if comparison.read < fewest:
        return
    looked_at = min(comparison.read, _FIRST_LOOKED_AT)
    same = session.execute(
        text(
            f"""
            select price, price_currency, count(*) as offers
            from (select price, price_currency from {comparison.staged} limit :looked_at) s
            group by price, price_currency order by count(*) desc limit 1
            """
        ),
        {"looked_at": looked_at},
    ).one()
    if same.offers > share * looked_at:
        yield Anomaly(
            kind="implausible",
            message=f"{same.offers} of {looked_at} offers ask the same {same.price:f} {same.price_currency}",
            figures={"read": looked_at, "same": same.offers, "price": str(same.price)},
        )
