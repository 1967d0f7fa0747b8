"""Purchases: what a checkout became, store by store, as the shopper tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import token_hash
from aggregator.db.models import CartRow, CheckoutRow, HandOffRow, StoreRow
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.identifiers import is_public_id, require_public_id
from aggregator.domain.money import Money
from aggregator.domain.purchases import (
    NEXT_STATES,
    OPEN_STATES,
    PART_STATES,
    PartEvent,
    PlannedSaving,
    Purchase,
    PurchaseLine,
    PurchasePart,
)
from aggregator.shopping.part_history import read_history, record_change, take_back_last

LONGEST_ORDER_NUMBER = 100
LONGEST_NOTE = 300
# What decides whether a part is bought; what comes later does not change when that was.
_SETTLING = frozenset({"bought", "given_up"})
_MOST_PAID = Decimal(10) ** 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a shopper tells of one store's order; None is not told. `bought_on` is the order's own date."""

    paid: Money | None = None
    order_number: str | None = None
    bought_on: date | None = None

    def __post_init__(self) -> None:
        if self.paid is not None:
            self.paid.minor_units()
            if not 0 <= self.paid.amount < _MOST_PAID:
                raise InvalidInput(f"{self.paid.plain()} cannot be what was paid", place="paid")
        if self.order_number is not None and len(self.order_number) > LONGEST_ORDER_NUMBER:
            raise InvalidInput(
                f"an order number has at most {LONGEST_ORDER_NUMBER} letters", place="order_number"
            )
        tomorrow = datetime.now(UTC).date() + timedelta(
            days=1
        )  # it may be tomorrow already where the shopper is
        if self.bought_on is not None and not date(2000, 1, 1) <= self.bought_on <= tomorrow:
            raise InvalidInput(f"{self.bought_on} cannot be the day of the order", place="bought_on")


def list_purchases(
    session: Session, token: str | None, *, before: str | None = None, limit: int = 20
) -> tuple[Purchase, ...]:
    """This shopper's purchases, newest first: checkouts of which some store was opened at least.

    `before` is the id of the last one of the page before. Four queries however many there are.
    """
    query = (
        checkouts_of(token)
        .where(select(HandOffRow.id).where(*_OF_A_PURCHASE).exists())
        .order_by(CheckoutRow.id.desc())
        .limit(limit)
    )
    if before is not None:
        last = checkouts_of(token).where(CheckoutRow.public_id == before).with_only_columns(CheckoutRow.id)
        query = query.where(CheckoutRow.id < last.scalar_subquery())
    return read_purchases(session, session.execute(query).all(), with_history=False)


def get_purchase(session: Session, token: str | None, purchase_id: str) -> Purchase:
    """One purchase with its history; NotFound for anyone else's. Its id is that of the checkout."""
    require_public_id("purchase", purchase_id)
    found = session.execute(checkouts_of(token).where(CheckoutRow.public_id == purchase_id)).all()
    if not found:
        raise NotFound("purchase", purchase_id)
    return read_purchases(session, found, with_history=True)[0]


def change_part(
    session: Session,
    token: str | None,
    purchase_id: str,
    part_id: str,
    state: str,
    *,
    receipt: Receipt | None = None,
    note: str = "",
) -> None:
    """Move one store's part on, and keep what its receipt says; the same state again corrects the receipt.

    A receipt replaces the one before it. Raises NotFound for anyone else's part, Conflict where the state may
    not follow the present one, InvalidInput for an unknown state or a note that is too long.
    """
    if state not in PART_STATES:
        raise InvalidInput(f"no state {state!r}", place="state")
    if len(note) > LONGEST_NOTE:
        raise InvalidInput(f"a note has at most {LONGEST_NOTE} letters", place="note")
    part = _locked_part(session, token, purchase_id, part_id)
    if state != part.state and state not in NEXT_STATES[part.state]:
        raise Conflict(f"what is {part.state} cannot become {state}; take back the last change first")
    now = datetime.now(UTC)
    values: dict[str, Any] = {"state": state}
    if state == "opened" and part.opened_at is None:
        values["opened_at"] = now
    if state in _SETTLING and state != part.state:
        values["settled_at"] = now
    if receipt is not None:
        values |= {
            "paid": receipt.paid.amount if receipt.paid else None,
            "paid_currency": receipt.paid.currency if receipt.paid else None,
            "order_number": receipt.order_number,
            "bought_on": receipt.bought_on,
        }
    session.execute(update(HandOffRow).where(HandOffRow.id == part.id).values(values))
    record_change(session, part.id, state, note=note)


def take_back(session: Session, token: str | None, purchase_id: str, part_id: str) -> None:
    """Return a part to the state before its last change; the history keeps both. The receipt stays.

    Raises NotFound for anyone else's part and Conflict where nothing was settled yet.
    """
    part = _locked_part(session, token, purchase_id, part_id)
    if part.state in OPEN_STATES:
        raise Conflict("there is nothing to take back")
    standing = take_back_last(session, part.id)
    state = standing[-1].state if standing else "opened" if part.opened_at else "waiting"
    settled_at = next((event.at for event in reversed(standing) if event.state in _SETTLING), None)
    session.execute(
        update(HandOffRow)
        .where(HandOffRow.id == part.id)
        .values(state=state, settled_at=None if state in OPEN_STATES else settled_at)
    )


def owned_by(token: str | None) -> ColumnElement[bool]:
    """The condition on CartRow that it is the cart of whoever holds this token."""
    return CartRow.token_hash == token_hash(token or "")


# A kept plan may tell of hundreds of lines; this is what a list of purchases wants of it.
_PLANNED = func.jsonb_build_object(
    *(
        part
        for name in ("total", "currency", "complete", "single_store", "cheapest_per_line")
        for part in (name, CheckoutRow.plan[name])
    )
)


def checkouts_of(token: str | None) -> Select[*tuple[Any, ...]]:
    """The checkouts of whoever holds this token, with all that `read_purchases` wants to know."""
    return (
        select(
            CheckoutRow.id,
            CheckoutRow.public_id,
            CheckoutRow.created_at,
            _PLANNED.label("plan"),
            CheckoutRow.rest_planned_at,
        )
        .join(CartRow, CartRow.id == CheckoutRow.cart_id)
        .where(owned_by(token))
    )


def read_purchases(
    session: Session, checkouts: Iterable[Row[*tuple[Any, ...]]], *, with_history: bool
) -> tuple[Purchase, ...]:
    """Purchases from rows of checkouts (id, public_id, created_at, plan, rest_planned_at), in their order."""
    found = list(checkouts)
    rows = session.execute(
        select(HandOffRow, StoreRow.slug)
        .outerjoin(StoreRow, StoreRow.id == HandOffRow.store_id)
        .where(HandOffRow.checkout_id.in_([row.id for row in found]))
        .order_by(HandOffRow.checkout_id, HandOffRow.position)
    ).all()
    history = read_history(session, [part.id for part, _ in rows]) if with_history else {}
    parts: dict[int, list[PurchasePart]] = {}
    for part, slug in rows:
        parts.setdefault(part.checkout_id, []).append(_part(part, slug, history.get(part.id, ())))
    return tuple(
        Purchase(
            id=row.public_id,
            created_at=row.created_at,
            parts=tuple(parts.get(row.id, ())),
            planned_total=Money(Decimal(row.plan["total"]), row.plan["currency"]),
            is_complete=bool(row.plan["complete"]),
            planned_savings=_planned_savings(row.plan),
            rest_planned_at=row.rest_planned_at,
        )
        for row in found
    )


_OF_A_PURCHASE = (HandOffRow.checkout_id == CheckoutRow.id, HandOffRow.state != "waiting")


def _locked_part(
    session: Session, token: str | None, purchase_id: str, part_id: str
) -> Row[*tuple[Any, ...]]:
    if not is_public_id(purchase_id) or not is_public_id(part_id):
        raise NotFound("part of a purchase", part_id)
    part = session.execute(
        select(HandOffRow.id, HandOffRow.state, HandOffRow.opened_at)
        .join(CheckoutRow, CheckoutRow.id == HandOffRow.checkout_id)
        .join(CartRow, CartRow.id == CheckoutRow.cart_id)
        .where(owned_by(token), CheckoutRow.public_id == purchase_id, HandOffRow.public_id == part_id)
        .with_for_update(of=HandOffRow)
    ).one_or_none()
    if part is None:
        raise NotFound("part of a purchase", part_id)
    return part


def _part(row: HandOffRow, slug: str | None, events: tuple[PartEvent, ...]) -> PurchasePart:
    return PurchasePart(
        id=row.public_id,
        store_name=row.store_name,
        store_slug=slug,
        lines=tuple(_line(line, row.currency) for line in row.lines),
        subtotal=Money(row.subtotal, row.currency).rounded(),
        shipping=None if row.shipping is None else Money(row.shipping, row.currency).rounded(),
        state=row.state,  # type: ignore[arg-type]  # the table knows the same states
        opened_at=row.opened_at,
        settled_at=row.settled_at,
        paid=Money(row.paid, row.paid_currency).rounded()
        if row.paid is not None and row.paid_currency
        else None,
        order_number=row.order_number,
        bought_on=row.bought_on,
        is_out_of_cart=row.taken_out_at is not None,
        events=events,
    )


def _line(kept: Mapping[str, Any], currency: str) -> PurchaseLine:
    price = kept.get("price")
    return PurchaseLine(
        title=kept["title"],
        quantity=kept["quantity"],
        price=None if price is None else Money(Decimal(price), currency),
        product_id=kept.get("product_id"),
    )


def _planned_savings(plan: Mapping[str, Any]) -> tuple[PlannedSaving, ...]:
    """What the kept plan says it saves, where it and what it is compared with were both complete."""
    total = _amount(plan.get("total"))
    if total is None or not plan.get("complete"):
        return ()
    found = []
    for against in ("single_store", "cheapest_per_line"):
        other = plan.get(against) or {}
        other_total = _amount(other.get("total"))
        if other.get("complete") and other_total is not None and other_total >= total:
            found.append(PlannedSaving(against=against, amount=Money(other_total - total, plan["currency"])))
    return tuple(found)


def _amount(text: object) -> Decimal | None:
    try:
        return None if text is None else Decimal(str(text))
    except InvalidOperation:
        return None
