"""What was spent, by month and store, beside what the kept plans said; and the same as rows for a spreadsheet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregator.db.models import CheckoutRow, HandOffRow
from aggregator.domain.money import Money
from aggregator.domain.purchases import (
    OPEN_STATES,
    PlannedSaving,
    Purchase,
    PurchasePart,
    Spending,
    StoreSpending,
    sums,
)
from aggregator.shopping.purchases import checkouts_of, read_purchases


@dataclass(frozen=True, slots=True)
class Order:
    """One store's part of a purchase that was settled, and the day it counts for."""

    day: date
    purchase_id: str
    part: PurchasePart


def get_spending(session: Session, token: str | None, *, year: int | None = None) -> Spending:
    """What this shopper spent, in all or in one year; nothing for a stranger.

    What was sent back or given up is no spending. A part whose amount nobody told counts as it was planned, and
    is told apart. Savings are the plans' word on purchases that were carried out whole.
    """
    purchases = _bought(session, token)
    dated = [(part, part_date(purchase, part)) for purchase in purchases for part in purchase.parts]
    chosen = [(part, day) for part, day in dated if year is None or day.year == year]
    whole = [
        purchase
        for purchase in purchases
        if purchase.is_carried_out and (year is None or part_date(purchase, purchase.parts[0]).year == year)
    ]
    told = [one for one in whole if one.is_comparable]
    in_year = [
        one
        for one in purchases
        if year is None or any(part_date(one, part).year == year for part in one.parts)
    ]
    return Spending(
        by_store=_by_store(chosen),
        totals=sums(part.spent for part, _ in chosen if part.spent),
        as_planned=sums(part.planned for part, _ in chosen if part.is_as_planned),
        returned=sums((part.paid or part.planned) for part, _ in chosen if part.state == "returned"),
        planned=sums(part.planned for one in told for part in one.parts),
        paid=sums(part.spent for one in told for part in one.parts if part.spent),
        savings=_savings(whole),
        not_carried_out=len(in_year) - len(whole),
        years=tuple(sorted({day.year for part, day in dated if part.is_bought}, reverse=True)),
    )


def list_orders(session: Session, token: str | None, *, year: int | None = None) -> tuple[Order, ...]:
    """Each part that was bought, sent back or given up, oldest first."""
    orders = [
        Order(day=part_date(purchase, part), purchase_id=purchase.id, part=part)
        for purchase in reversed(_bought(session, token))
        for part in purchase.parts
        if part.state not in OPEN_STATES
    ]
    chosen = [order for order in orders if year is None or order.day.year == year]
    return tuple(sorted(chosen, key=lambda order: order.day))


def export_rows(orders: Iterable[Order]) -> Iterator[list[str]]:
    """A header and a row for each order; amounts as "19.99", "" where nothing is known."""
    yield [
        "date",
        "store",
        "state",
        "order_number",
        "articles",
        "planned_items",
        "planned_shipping",
        "planned_currency",
        "paid",
        "paid_currency",
        "purchase",
    ]
    for order in orders:
        part = order.part
        yield [
            order.day.isoformat(),
            part.store_name,
            part.state,
            part.order_number or "",
            "; ".join(f"{line.quantity} × {line.title}" for line in part.lines),
            part.subtotal.plain(),
            part.shipping.plain() if part.shipping else "",
            part.subtotal.currency,
            part.paid.plain() if part.paid else "",
            part.paid.currency if part.paid else "",
            order.purchase_id,
        ]


def part_date(purchase: Purchase, part: PurchasePart) -> date:
    """The day a part counts for: the order's own, else when it was ticked off, else that of the checkout."""
    return part.bought_on or (part.settled_at or part.opened_at or purchase.created_at).date()


def _bought(session: Session, token: str | None) -> tuple[Purchase, ...]:
    """Purchases of which something was settled, newest first."""
    settled = select(HandOffRow.id).where(
        HandOffRow.checkout_id == CheckoutRow.id, HandOffRow.state.not_in(OPEN_STATES)
    )
    rows = session.execute(checkouts_of(token).where(settled.exists()).order_by(CheckoutRow.id.desc())).all()
    return read_purchases(session, rows, with_history=False)


def _by_store(dated: Sequence[tuple[PurchasePart, date]]) -> tuple[StoreSpending, ...]:
    grouped: dict[tuple[date, str, str], list[PurchasePart]] = defaultdict(list)
    for part, day in dated:
        if part.spent:
            grouped[day.replace(day=1), part.store_name, part.spent.currency].append(part)
    zero = Decimal(0)
    return tuple(
        StoreSpending(
            month=month,
            store_name=store_name,
            spent=Money(sum((part.spent.amount for part in parts if part.spent), zero), currency),
            as_planned=Money(
                sum((part.spent.amount for part in parts if part.spent and part.is_as_planned), zero),
                currency,
            ),
            parts=len(parts),
        )
        for (month, store_name, currency), parts in sorted(
            grouped.items(), key=lambda item: (-item[0][0].toordinal(), item[0][1], item[0][2])
        )
    )


def _savings(purchases: Sequence[Purchase]) -> tuple[PlannedSaving, ...]:
    return tuple(
        PlannedSaving(against=against, amount=total)
        for against in ("single_store", "cheapest_per_line")
        for total in sums(
            saving.amount
            for purchase in purchases
            for saving in purchase.planned_savings
            if saving.against == against
        )
    )
