"""After a store failed: what was bought leaves the cart and stays bought, the rest is planned without that store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.db.models import CartRow, CheckoutRow, HandOffRow, StoreRow
from aggregator.domain.errors import Conflict, NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.plan_options import PlanOptions
from aggregator.domain.purchases import BOUGHT_STATES, OPEN_STATES
from aggregator.shopping.cart_filling import fill_cart, set_lines
from aggregator.shopping.cart_lines import StoredCart, find_current_products, read_cart
from aggregator.shopping.part_history import record_change
from aggregator.shopping.purchases import owned_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is planned anew: the stores whose parts stay bought, those left out, and articles nobody knows any more."""

    kept_stores: tuple[str, ...]
    failed_stores: tuple[str, ...]
    lost_titles: tuple[str, ...]


def plan_rest(session: Session, token: str | None, purchase_id: str, *, note: str = "") -> Rest:
    """Make the cart hold what is still wanted: bought parts leave it, given up ones are in it, their stores left out.

    Parts that were not bought yet are given up with the note, since their articles may be planned elsewhere now. What
    else lies in the cart stays. The cart's plan is then that of the rest; the shopper takes the store back in among
    the cart's options. Raises NotFound for anyone else's purchase and Conflict
    where no store failed since the rest was last planned.
    """
    cart, checkout_id, planned_at = _locked(session, token, purchase_id)
    parts = _locked_parts(session, checkout_id)
    failed = [
        part
        for part in parts
        if part.state == "given_up"
        and (planned_at is None or (part.settled_at is not None and part.settled_at > planned_at))
    ]
    if not failed:
        raise Conflict("no store failed since the rest was planned; tick off the one that did")
    now = datetime.now(UTC)
    waiting = [part for part in parts if part.state in OPEN_STATES]
    lost = _settle(session, token, cart, parts, wanted=[*failed, *waiting], now=now)
    for part in waiting:
        part.state, part.settled_at = "given_up", now
        record_change(session, part.id, "given_up", note=note)
    session.execute(update(CheckoutRow).where(CheckoutRow.id == checkout_id).values(rest_planned_at=now))
    _leave_out(session, cart.id, [part.store_id for part in failed if part.store_id is not None])
    session.flush()
    return Rest(
        kept_stores=tuple(part.store_name for part in parts if part.state in BOUGHT_STATES),
        failed_stores=tuple(part.store_name for part in failed),
        lost_titles=lost,
    )


def take_bought_out(session: Session, token: str | None, purchase_id: str) -> int:
    """Take what was bought out of the cart, each part once; how many parts were. Raises NotFound."""
    cart, checkout_id, _ = _locked(session, token, purchase_id)
    parts = _locked_parts(session, checkout_id)
    before = sum(part.taken_out_at is not None for part in parts)
    _settle(session, token, cart, parts, wanted=(), now=datetime.now(UTC))
    session.flush()
    return sum(part.taken_out_at is not None for part in parts) - before


def _locked(session: Session, token: str | None, purchase_id: str) -> tuple[StoredCart, int, datetime | None]:
    cart = read_cart(session, token, lock=True)
    if cart is None or not is_public_id(purchase_id):
        raise NotFound("purchase", purchase_id)
    checkout = session.execute(
        select(CheckoutRow.id, CheckoutRow.rest_planned_at)
        .join(CartRow, CartRow.id == CheckoutRow.cart_id)
        .where(owned_by(token), CheckoutRow.public_id == purchase_id)
    ).one_or_none()
    if checkout is None:
        raise NotFound("purchase", purchase_id)
    return cart, checkout.id, checkout.rest_planned_at


def _locked_parts(session: Session, checkout_id: int) -> Sequence[HandOffRow]:
    return session.scalars(
        select(HandOffRow)
        .where(HandOffRow.checkout_id == checkout_id)
        .order_by(HandOffRow.position)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _settle(
    session: Session,
    token: str | None,
    cart: StoredCart,
    parts: Iterable[HandOffRow],
    *,
    wanted: Sequence[HandOffRow],
    now: datetime,
) -> tuple[str, ...]:
    """Let the cart want less by what was bought, and hold what is wanted; titles of what no product stands for.

    A checkout leaves its cart as it is, so what is wanted lies there still, unless it was bought and taken out before.
    """
    bought = [part for part in parts if part.state in BOUGHT_STATES and part.taken_out_at is None]
    in_cart = [part for part in wanted if part.taken_out_at is None]
    to_return = [part for part in wanted if part.taken_out_at is not None]
    counts = [_units(group) for group in (bought, in_cart, to_return)]
    current = find_current_products(session, set().union(*counts))
    less, least, more = (_by_key(count, current) for count in counts)
    set_lines(
        session,
        [
            (stored, max(0, stored.line.quantity - less[stored.product_id]))
            for stored in cart.lines
            if less[stored.product_id]
        ],
    )
    for units, at_least in ((least, True), (more, False)):
        rest = read_cart(session, token, lock=True)
        if rest is not None and units:
            fill_cart(session, rest, units, at_least=at_least)
    for part in bought:
        part.taken_out_at = now
    for part in to_return:
        part.taken_out_at = None
    titles = {
        line["title"]: None for part in wanted for line in part.lines if line.get("product_id") not in current
    }
    return tuple(titles)


def _units(parts: Iterable[HandOffRow]) -> Counter[str]:
    """Pieces by product (public id), as the parts' kept lines tell."""
    units: Counter[str] = Counter()
    for part in parts:
        for line in part.lines:
            if line.get("product_id"):
                units[line["product_id"]] += line.get("units", line["quantity"])
    return units


def _by_key(units: Counter[str], current: dict[str, int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for public_id, pieces in units.items():
        if public_id in current:
            found[current[public_id]] += pieces
    return found


def _leave_out(session: Session, cart_id: int, store_ids: Sequence[int]) -> None:
    """Add these stores to those that the cart's plan must not use."""
    stores = session.scalars(select(StoreRow.public_id).where(StoreRow.id.in_(store_ids))).all()
    kept = session.scalar(select(CartRow.options).where(CartRow.id == cart_id)) or {}
    options = PlanOptions.from_json(kept)
    wished = replace(options, excluded_stores=options.excluded_stores | frozenset(stores))
    session.execute(update(CartRow).where(CartRow.id == cart_id).values(options=wished.to_json()))
