"""Checkouts: a planned cart handed over store by store. Nothing here ever opens a store's link."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

from sqlalchemy import Row, and_, case, func, insert, null, or_, select, update
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import token_hash
from aggregator.db.models import CartRow, CheckoutRow, HandOffRow, OfferRow, StoreRow
from aggregator.domain.checkouts import CartPlan, Checkout, HandOffState, HandOffStep, PlannedStore
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.identifiers import require_public_id
from aggregator.domain.money import Money
from aggregator.domain.purchases import OPEN_STATES
from aggregator.domain.stores import HandOff, HandOffLine, Store
from aggregator.shopping.cart_lines import CartKey
from aggregator.shopping.cart_plans import plan_cart
from aggregator.shopping.hand_off_links import build_hand_off
from aggregator.shopping.live_checks import asked_prices, find_live_check, request_check
from aggregator.shopping.part_history import record_change, take_back_all
from aggregator.shopping.plan_files import write_plan


def build_checkout(
    session: Session,
    token: str | CartKey | None,
    *,
    assumed_shipping: Decimal,
    currency: str = "EUR",
    country: str | None = None,
    time_limit: float = 4.0,
    without_stores: Collection[str] = (),
) -> Checkout:
    """Plan the cart and record one hand-off for each store of the plan; the cart stays as it is.

    A worker is asked to look at the chosen offers once more. `without_stores` (public ids) are left out. Raises
    NotFound where there is no cart and InvalidInput where nothing in it can be bought.
    """
    cart_plan = plan_cart(
        session,
        token,
        assumed_shipping=assumed_shipping,
        currency=currency,
        country=country,
        time_limit=time_limit,
        without_stores=without_stores,
    )
    if token is None or not cart_plan.stores:
        raise InvalidInput("nothing in this cart can be bought now", remedy="add a product that a store has")
    cart_id = (
        token.id
        if isinstance(token, CartKey)
        else select(CartRow.id).where(CartRow.token_hash == token_hash(token)).scalar_subquery()
    )
    checkout = session.execute(
        insert(CheckoutRow)
        .values(cart_id=cart_id, plan=_kept_plan(cart_plan))
        .returning(CheckoutRow.id, CheckoutRow.public_id)
    ).one()
    session.execute(insert(HandOffRow), _hand_off_rows(session, checkout.id, cart_plan))
    request_check(session, checkout.id)
    return get_checkout(session, None, checkout.public_id, granted={checkout.public_id})


def replan_checkout(
    session: Session,
    token: str | None,
    checkout_id: str,
    *,
    assumed_shipping: Decimal,
    currency: str = "EUR",
    country: str | None = None,
    time_limit: float = 4.0,
    without_stores: Collection[str] = (),
    granted: Collection[str] = (),
) -> Checkout:
    """A new checkout of the same cart, with what its stores said since; the old one stays as it is.

    Raises NotFound for anyone else's checkout, Conflict where a part of it was bought already (the rest of a purchase
    is planned among the purchases), and as `build_checkout` does.
    """
    found = _find(session, token, checkout_id, granted)
    is_begun = select(HandOffRow.id).where(
        HandOffRow.checkout_id == found.id, HandOffRow.state.not_in((*OPEN_STATES, "given_up"))
    )
    if session.scalar(is_begun.limit(1)) is not None:
        raise Conflict("a part of this was bought already; plan the rest among your purchases")
    return build_checkout(
        session,
        CartKey(found.cart_id),
        assumed_shipping=assumed_shipping,
        currency=currency,
        country=country,
        time_limit=time_limit,
        without_stores=without_stores,
    )


def get_checkout(
    session: Session, token: str | None, checkout_id: str, *, granted: Collection[str] = ()
) -> Checkout:
    """A checkout of this token's cart as it was shown, or one of those `granted` by a signed link.

    NotFound for anyone else's.
    """
    found = _find(session, token, checkout_id, granted)
    steps = session.execute(
        select(
            HandOffRow.public_id,
            HandOffRow.kind,
            HandOffRow.link,
            HandOffRow.lines,
            HandOffRow.subtotal,
            HandOffRow.shipping,
            HandOffRow.currency,
            HandOffRow.state,
            HandOffRow.opened_at,
            HandOffRow.settled_at,
            HandOffRow.store_name,
            func.coalesce(StoreRow.url, "").label("store_url"),
            func.coalesce(StoreRow.public_id, "").label("store_public_id"),
        )
        .outerjoin(StoreRow, StoreRow.id == HandOffRow.store_id)
        .where(HandOffRow.checkout_id == found.id)
        .order_by(HandOffRow.position)
    ).all()
    return Checkout(
        id=found.public_id,
        created_at=found.created_at,
        steps=tuple(_step(row) for row in steps),
        total=Money(Decimal(found.plan["total"]), found.plan["currency"]),
        is_complete=found.plan["complete"],
        check=find_live_check(session, found.id),
    )


def check_again(
    session: Session, token: str | None, checkout_id: str, *, granted: Collection[str] = ()
) -> None:
    """Ask once more for the prices of a checkout; NotFound for anyone else's."""
    request_check(session, _find(session, token, checkout_id, granted).id)


def _find(
    session: Session, token: str | None, checkout_id: str, granted: Collection[str]
) -> Row[int, str, int, datetime, dict[str, Any]]:
    require_public_id("checkout", checkout_id)
    query = select(
        CheckoutRow.id,
        CheckoutRow.public_id,
        CheckoutRow.cart_id,
        CheckoutRow.created_at,
        CheckoutRow.plan,
    ).where(CheckoutRow.public_id == checkout_id)
    if checkout_id not in granted:
        query = query.join(CartRow, CartRow.id == CheckoutRow.cart_id).where(
            CartRow.token_hash == token_hash(token or "")
        )
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound("checkout", checkout_id)
    return found


def set_hand_off_state(
    session: Session,
    token: str | None,
    hand_off_id: str,
    state: HandOffState,
    *,
    granted: Collection[str] = (),
) -> None:
    """Record what the shopper did: opened the link, bought, gave up, or took that back ("waiting").

    A step that was opened once returns to "opened", and opening a settled step again leaves it settled. What was
    shipped or came later stays as it is: such parts are changed among the purchases.
    Raises NotFound for anyone else's hand-off and InvalidInput for an unknown state.
    """
    if state not in get_args(HandOffState):
        raise InvalidInput(f"no state {state!r}", place="state")
    require_public_id("hand-off", hand_off_id)
    now = datetime.now(UTC)
    is_on_its_way = HandOffRow.state.not_in(get_args(HandOffState))
    is_settled = HandOffRow.state.not_in(OPEN_STATES)
    values: dict[str, Any]
    if state == "opened":
        values = {
            "state": case((is_settled, HandOffRow.state), else_="opened"),
            "opened_at": func.coalesce(HandOffRow.opened_at, now),
        }
    elif state == "waiting":
        values = {
            "state": case(
                (is_on_its_way, HandOffRow.state),
                (HandOffRow.opened_at.is_not(None), "opened"),
                else_="waiting",
            ),
            "settled_at": case((is_on_its_way, HandOffRow.settled_at), else_=null()),
        }
    else:
        stays = or_(is_on_its_way, and_(HandOffRow.state == state, HandOffRow.settled_at.is_not(None)))
        values = {
            "state": case((is_on_its_way, HandOffRow.state), else_=state),
            "settled_at": case((stays, HandOffRow.settled_at), else_=now),
        }
    changed = session.execute(
        update(HandOffRow)
        .where(HandOffRow.public_id == hand_off_id, HandOffRow.checkout_id == CheckoutRow.id)
        .where(CheckoutRow.cart_id == CartRow.id)
        .where(or_(CartRow.token_hash == token_hash(token or ""), CheckoutRow.public_id.in_(granted)))
        .values(values)
        .returning(HandOffRow.id, HandOffRow.state)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        raise NotFound("hand-off", hand_off_id)
    if changed.state in OPEN_STATES:
        take_back_all(session, changed.id)
    record_change(session, changed.id, changed.state)


def _kept_plan(cart_plan: CartPlan) -> dict[str, Any]:
    """The plan as it was shown, in the interfaces' form."""
    plan: dict[str, Any] = json.loads(write_plan(cart_plan.plan))
    return {**plan, "currency": cart_plan.currency, "assumed_shipping": str(cart_plan.assumed_shipping)}


def _hand_off_rows(session: Session, checkout_id: int, cart_plan: CartPlan) -> list[dict[str, Any]]:
    offer_ids = [line.offer_id for store in cart_plan.stores for line in store.lines]
    rows = session.execute(
        select(
            OfferRow.id,
            OfferRow.public_id,
            OfferRow.external_id,
            OfferRow.sku,
            OfferRow.handoff,
            StoreRow.id.label("store_row_id"),
            StoreRow.url,
            StoreRow.platform,
            StoreRow.country,
            StoreRow.currency,
            StoreRow.options,
        )
        .join(StoreRow, StoreRow.id == OfferRow.store_id)
        .where(OfferRow.public_id.in_(offer_ids))
    ).all()
    by_offer = {row.public_id: row for row in rows}
    asked = asked_prices(session, [row.id for row in rows])
    return [
        _hand_off_row(checkout_id, position, planned, by_offer, asked)
        for position, planned in enumerate(cart_plan.stores)
    ]


def _hand_off_row(
    checkout_id: int,
    position: int,
    planned: PlannedStore,
    by_offer: dict[str, Row[*tuple[Any, ...]]],
    asked: Mapping[int, Money],
) -> dict[str, Any]:
    any_row = by_offer[planned.lines[0].offer_id]
    # Secret options are left out: what a link is built from, the shopper gets to see.
    store = Store(
        id=planned.store_id,
        slug=planned.store_slug,
        name=planned.store_name,
        url=any_row.url,
        platform=any_row.platform,
        country=any_row.country,
        currency=any_row.currency,
        options=any_row.options,
    )
    lines = [
        HandOffLine(
            external_id=by_offer[line.offer_id].external_id,
            title=line.offer_title,
            url=line.url,
            quantity=line.quantity,
            sku=by_offer[line.offer_id].sku,
            handoff=tuple(sorted(by_offer[line.offer_id].handoff.items())),
        )
        for line in planned.lines
    ]
    built = build_hand_off(store, lines)
    return {
        "checkout_id": checkout_id,
        "store_id": any_row.store_row_id,
        "store_name": planned.store_name,
        "position": position,
        "kind": built.kind,
        "link": {
            "url": built.url,
            "item_urls": built.item_urls,
            "replaces_cart": built.replaces_cart,
            "is_affiliate": built.is_affiliate,
            "coupon": planned.coupon,
            "is_shipping_estimated": planned.shipping_basis == "estimated",
        },
        "lines": [
            {
                **asdict(line),
                "offer_id": part.offer_id,
                "product_id": part.product.id,
                "units": part.units,
                "price": part.price.plain(),
                # As the store asks it, in its own currency: what a look at its prices is compared with.
                "asked": _plain(asked[by_offer[part.offer_id].id]),
            }
            for line, part in zip(lines, planned.lines, strict=True)
        ],
        # What is paid for the goods: less the coupon, deposits besides.
        "subtotal": (planned.goods + planned.deposit if planned.deposit else planned.goods).amount,
        "shipping": planned.shipping.amount if planned.shipping else None,
        "currency": planned.subtotal.currency,
    }


def _plain(money: Money) -> dict[str, str]:
    return {"amount": money.plain(), "currency": money.currency}


def _step(row: Row[*tuple[Any, ...]]) -> HandOffStep:
    return HandOffStep(
        id=row.public_id,
        store_id=row.store_public_id,
        store_name=row.store_name,
        store_url=row.store_url,
        lines=_read_lines(row.lines),
        offer_ids=tuple(line["offer_id"] for line in row.lines),
        subtotal=Money(row.subtotal, row.currency).rounded(),
        shipping=None if row.shipping is None else Money(row.shipping, row.currency).rounded(),
        handoff=HandOff(
            kind=row.kind,
            url=row.link["url"],
            item_urls=tuple(row.link["item_urls"]),
            replaces_cart=row.link["replaces_cart"],
            is_affiliate=row.link.get("is_affiliate", False),
        ),
        state=row.state,
        opened_at=row.opened_at,
        settled_at=row.settled_at,
        coupon=row.link.get("coupon"),
        is_shipping_estimated=row.link.get("is_shipping_estimated", False),
    )


def _read_lines(kept: Sequence[dict[str, Any]]) -> tuple[HandOffLine, ...]:
    return tuple(
        HandOffLine(
            external_id=line["external_id"],
            title=line["title"],
            url=line["url"],
            quantity=line["quantity"],
            sku=line["sku"],
            handoff=tuple((name, value) for name, value in line["handoff"]),
        )
        for line in kept
    )
