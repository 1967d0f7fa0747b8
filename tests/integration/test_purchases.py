"""Purchases: legal changes, receipts, what is taken back, the rest planned anew, and what was spent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from aggregator.db.models import CartRow, HandOffRow, ProductRow, StoreRow
from aggregator.domain.checkouts import Checkout
from aggregator.domain.errors import Conflict, InvalidInput, NotFound
from aggregator.domain.money import Money
from aggregator.domain.plan_options import PlanOptions
from aggregator.domain.purchases import NEXT_STATES, PART_STATES, Purchase, PurchasePart
from aggregator.shopping.carts import add_to_cart, find_cart
from aggregator.shopping.handoffs import build_checkout, set_hand_off_state
from aggregator.shopping.purchases import Receipt, change_part, get_purchase, list_purchases, take_back
from aggregator.shopping.rest_plans import plan_rest, take_bought_out
from aggregator.shopping.spending import export_rows, get_spending, list_orders
from tests.integration.plugged_platforms import plugged_in
from tests.integration.shop_rows import cart_of, euros, offer_row, product_row, store_row

ASSUMED = Decimal("5.90")


@pytest.fixture(autouse=True)
def platforms() -> Iterator[None]:
    with plugged_in():
        yield


def cart_at(session: Session, *slugs: str) -> str:
    """A cart with two of one product of each store (10.00 each); returns its token."""
    products = [product_row(session, f"Article of {slug}") for slug in slugs]
    for slug, product in zip(slugs, products, strict=True):
        offer_row(session, store_row(session, slug), product, "10.00")
    return cart_of(session, *(product.public_id for product in products), quantity=2)


def check_out(session: Session, token: str) -> Checkout:
    return build_checkout(session, token, assumed_shipping=ASSUMED)


def bought_at(session: Session, *slugs: str) -> tuple[str, str]:
    """The token of a cart, and the id of its purchase: every store opened."""
    token = cart_at(session, *slugs)
    checkout = check_out(session, token)
    for step in checkout.steps:
        set_hand_off_state(session, token, step.id, "opened")
    return token, checkout.id


def part_of(purchase: Purchase, store: str) -> PurchasePart:
    return next(part for part in purchase.parts if part.store_name == store)


def change(session: Session, token: str, purchase_id: str, store: str, *states: str) -> None:
    for state in states:
        part = part_of(get_purchase(session, token, purchase_id), store)
        change_part(session, token, purchase_id, part.id, state)


def in_cart(session: Session, token: str) -> dict[str, int]:
    cart = find_cart(session, token)
    assert cart is not None
    return {line.product.title: line.quantity for line in cart.lines}


def test_a_checkout_becomes_a_purchase_when_a_store_is_opened(session: Session) -> None:
    token = cart_at(session, "near", "far")
    checkout = check_out(session, token)
    assert list_purchases(session, token) == ()
    set_hand_off_state(session, token, checkout.steps[0].id, "opened")
    (purchase,) = list_purchases(session, token)
    assert (purchase.id, purchase.planned_total, purchase.is_complete) == (checkout.id, euros("49.80"), True)
    near = part_of(purchase, "Near")
    assert (near.subtotal, near.shipping, near.planned) == (euros("20.00"), euros("4.90"), euros("24.90"))
    assert [(line.title, line.quantity, line.price) for line in near.lines] == [
        ("Article of near at Near", 2, euros("10.00"))
    ]


def test_lists_purchases_newest_first_by_pages(session: Session) -> None:
    token = cart_at(session, "near")
    ids = []
    for _ in range(3):
        checkout = check_out(session, token)
        set_hand_off_state(session, token, checkout.steps[0].id, "opened")
        ids.append(checkout.id)
    first = list_purchases(session, token, limit=2)
    assert [purchase.id for purchase in first] == [ids[2], ids[1]]
    assert [purchase.id for purchase in list_purchases(session, token, before=ids[1])] == [ids[0]]


def test_keeps_what_was_paid_and_the_way_there(session: Session) -> None:
    token, purchase_id = bought_at(session, "near")
    part = get_purchase(session, token, purchase_id).parts[0]
    receipt = Receipt(paid=euros("23.50"), order_number="A-17/2", bought_on=date(2026, 3, 2))
    change_part(session, token, purchase_id, part.id, "bought", receipt=receipt, note="coupon used")
    change(session, token, purchase_id, "Near", "shipped", "delivered")
    part = get_purchase(session, token, purchase_id).parts[0]
    assert (part.state, part.paid, part.order_number, part.bought_on) == (
        "delivered",
        euros("23.50"),
        "A-17/2",
        date(2026, 3, 2),
    )
    assert [(event.state, event.note) for event in part.events] == [
        ("opened", ""),
        ("bought", "coupon used"),
        ("shipped", ""),
        ("delivered", ""),
    ]


@pytest.mark.parametrize("start", PART_STATES)
def test_only_what_the_table_names_may_follow(session: Session, start: str) -> None:
    token, purchase_id = bought_at(session, "near")
    part = get_purchase(session, token, purchase_id).parts[0]
    for goal in PART_STATES:
        session.execute(update(HandOffRow).values(state=start))
        if goal in NEXT_STATES[start] or goal == start:  # type: ignore[index]  # one of the states
            change_part(session, token, purchase_id, part.id, goal)
            assert session.scalar(select(HandOffRow.state)) == goal
        else:
            with pytest.raises(Conflict, match="take back the last change first"):
                change_part(session, token, purchase_id, part.id, goal)
            assert session.scalar(select(HandOffRow.state)) == start


def test_the_last_change_is_taken_back_and_the_history_tells_so(session: Session) -> None:
    token, purchase_id = bought_at(session, "near")
    part_id = get_purchase(session, token, purchase_id).parts[0].id
    change(session, token, purchase_id, "Near", "bought", "shipped", "given_up")
    bought_at_first = session.scalar(select(HandOffRow.settled_at))
    for expected in ("shipped", "bought", "opened"):
        take_back(session, token, purchase_id, part_id)
        session.expire_all()
        assert get_purchase(session, token, purchase_id).parts[0].state == expected
    part = get_purchase(session, token, purchase_id).parts[0]
    assert [(event.state, event.taken_back_at is not None) for event in part.events] == [
        ("opened", False),
        ("bought", True),
        ("shipped", True),
        ("given_up", True),
    ]
    assert (bought_at_first is not None, part.settled_at) == (True, None)
    with pytest.raises(Conflict, match="nothing to take back"):
        take_back(session, token, purchase_id, part_id)


def test_the_hand_over_page_takes_back_a_tick_but_not_a_parcel(session: Session) -> None:
    token, purchase_id = bought_at(session, "near")
    part_id = get_purchase(session, token, purchase_id).parts[0].id
    for state in ("bought", "waiting", "bought"):
        set_hand_off_state(session, token, part_id, state)  # type: ignore[arg-type]  # one of its states
    change(session, token, purchase_id, "Near", "shipped")
    for state in ("opened", "waiting", "bought", "given_up"):
        set_hand_off_state(session, token, part_id, state)  # type: ignore[arg-type]  # one of its states
    session.expire_all()
    part = get_purchase(session, token, purchase_id).parts[0]
    assert part.state == "shipped"
    standing = [event.state for event in part.events if event.taken_back_at is None]
    assert standing == ["opened", "bought", "shipped"]


@pytest.mark.parametrize(
    "receipt",
    [
        {"paid": Money(Decimal("-1"), "EUR")},
        {"paid": Money(Decimal("1.999"), "EUR")},
        {"paid": Money(Decimal(10) ** 9, "EUR")},
        {"order_number": "1" * 101},
        {"bought_on": date(1999, 12, 31)},
        {"bought_on": datetime.now(UTC).date() + timedelta(days=2)},
    ],
    ids=str,
)
def test_a_receipt_that_cannot_be_is_refused(receipt: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Receipt(**receipt)  # type: ignore[arg-type]  # wrong on purpose


def test_nobody_sees_or_changes_anothers_purchase(session: Session) -> None:
    mine, purchase_id = bought_at(session, "near")
    theirs, other_id = bought_at(session, "far")
    part_id = get_purchase(session, mine, purchase_id).parts[0].id
    for token in (theirs, None, "", "made up"):
        for attempt in (
            lambda t: get_purchase(session, t, purchase_id),
            lambda t: change_part(session, t, purchase_id, part_id, "bought"),
            lambda t: change_part(session, t, other_id, part_id, "bought"),
            lambda t: take_back(session, t, purchase_id, part_id),
            lambda t: plan_rest(session, t, purchase_id),
            lambda t: take_bought_out(session, t, purchase_id),
        ):
            with pytest.raises(NotFound):
                attempt(token)
        assert purchase_id not in {purchase.id for purchase in list_purchases(session, token)}
        assert purchase_id not in {order.purchase_id for order in list_orders(session, token)}
    assert list_purchases(session, theirs, before=purchase_id) == ()
    for odd in ("", "\x00", "2" * 12, "../etc", "\ud800"):
        with pytest.raises(NotFound):
            get_purchase(session, mine, odd)
        with pytest.raises(NotFound):
            change_part(session, mine, purchase_id, odd, "bought")
    assert get_purchase(session, mine, purchase_id).parts[0].state == "opened"


def test_the_rest_is_planned_without_the_store_that_failed(session: Session) -> None:
    token, purchase_id = bought_at(session, "near", "far", "slow")
    replacement = store_row(session, "second")
    product = session.scalars(select(ProductRow).where(ProductRow.title == "Article of far")).one()
    offer_row(session, replacement, product, "12.00")
    change(session, token, purchase_id, "Near", "bought")
    change(session, token, purchase_id, "Far", "given_up")

    rest = plan_rest(session, token, purchase_id, note="planned again")

    assert (rest.kept_stores, rest.failed_stores, rest.lost_titles) == (("Near",), ("Far",), ())
    assert in_cart(session, token) == {"Article of far": 2, "Article of slow": 2}
    session.expire_all()
    purchase = get_purchase(session, token, purchase_id)
    assert {part.store_name: part.state for part in purchase.parts} == {
        "Near": "bought",
        "Far": "given_up",
        "Slow": "given_up",
    }
    assert (purchase.has_rest, purchase.rest_planned_at is not None) == (False, True)
    assert part_of(purchase, "Slow").events[-1].note == "planned again"
    far = session.scalars(select(StoreRow.public_id).where(StoreRow.slug == "far")).one()
    options = PlanOptions.from_json(session.scalars(select(CartRow.options)).one())
    assert options.excluded_stores == {far}
    with pytest.raises(Conflict, match="no store failed"):
        plan_rest(session, token, purchase_id)


def test_what_else_lies_in_the_cart_stays_there(session: Session) -> None:
    token, purchase_id = bought_at(session, "near", "far")
    near = session.scalars(select(ProductRow).where(ProductRow.title == "Article of near")).one()
    add_to_cart(session, token, near.public_id, 3)
    change(session, token, purchase_id, "Near", "bought")
    change(session, token, purchase_id, "Far", "given_up")
    plan_rest(session, token, purchase_id)
    assert in_cart(session, token) == {"Article of near": 3, "Article of far": 2}


def test_an_order_that_is_cancelled_later_comes_back_into_the_cart(session: Session) -> None:
    token, purchase_id = bought_at(session, "near", "far")
    change(session, token, purchase_id, "Near", "bought")
    change(session, token, purchase_id, "Far", "bought")
    assert take_bought_out(session, token, purchase_id) == 2
    assert take_bought_out(session, token, purchase_id) == 0
    assert in_cart(session, token) == {}
    session.expire_all()
    change(session, token, purchase_id, "Far", "shipped", "given_up")
    plan_rest(session, token, purchase_id)
    assert in_cart(session, token) == {"Article of far": 2}


def test_a_removed_store_and_merged_products_are_survived(session: Session) -> None:
    token, purchase_id = bought_at(session, "near", "far")
    change(session, token, purchase_id, "Near", "bought")
    change(session, token, purchase_id, "Far", "given_up")
    far = session.scalars(select(ProductRow).where(ProductRow.title == "Article of far")).one()
    merged = product_row(session, "The same elsewhere")
    far.merged_into_id = merged.id
    session.flush()
    session.execute(text("update offers set product_id = null"))
    session.execute(delete(StoreRow))
    session.expire_all()
    purchase = get_purchase(session, token, purchase_id)
    assert {(part.store_name, part.store_slug) for part in purchase.parts} == {("Far", None), ("Near", None)}
    plan_rest(session, token, purchase_id)
    assert in_cart(session, token) == {"The same elsewhere": 2}
    assert get_spending(session, token).totals == (euros("24.90"),)


def test_spending_counts_what_was_paid_and_tells_what_was_only_planned(session: Session) -> None:
    token, purchase_id = bought_at(session, "near", "far", "slow")
    ids = {part.store_name: part.id for part in get_purchase(session, token, purchase_id).parts}
    dollars = Money(Decimal("27.00"), "USD")
    for store, receipt in (
        ("Near", Receipt(paid=euros("23.00"), bought_on=date(2025, 12, 31))),
        ("Far", Receipt(paid=dollars, bought_on=date(2026, 1, 2))),
        ("Slow", Receipt(bought_on=date(2026, 1, 3))),
    ):
        change_part(session, token, purchase_id, ids[store], "bought", receipt=receipt)
    session.expire_all()
    spending = get_spending(session, token)
    assert [(row.month, row.store_name, row.spent, row.as_planned) for row in spending.by_store] == [
        (date(2026, 1, 1), "Far", dollars, Money(Decimal(0), "USD")),
        (date(2026, 1, 1), "Slow", euros("24.90"), euros("24.90")),
        (date(2025, 12, 1), "Near", euros("23.00"), euros("0")),
    ]
    assert (spending.totals, spending.as_planned) == ((euros("47.90"), dollars), (euros("24.90"),))
    assert (spending.years, spending.not_carried_out, spending.planned) == ((2026, 2025), 0, ())
    assert get_spending(session, token, year=2025).totals == (euros("23.00"),)
    assert get_spending(session, None) == get_spending(session, "made up")

    change_part(session, token, purchase_id, ids["Far"], "returned")
    session.expire_all()
    spending = get_spending(session, token)
    assert (spending.totals, spending.returned, spending.not_carried_out) == (
        (euros("47.90"),),
        (dollars,),
        1,
    )


def test_savings_are_the_plans_word_on_what_was_carried_out_whole(session: Session) -> None:
    near, far = store_row(session, "near"), store_row(session, "far")
    mug, kettle = product_row(session, "Mug"), product_row(session, "Kettle")
    for store, mug_price, kettle_price in ((near, "10.00", "60.00"), (far, "30.00", "20.00")):
        offer_row(session, store, mug, mug_price)
        offer_row(session, store, kettle, kettle_price)
    _, token = add_to_cart(session, None, mug.public_id)
    assert token is not None
    add_to_cart(session, token, kettle.public_id)
    checkout = check_out(session, token)
    for step in checkout.steps:
        change_part(session, token, checkout.id, step.id, "bought", receipt=Receipt(paid=euros("15.00")))
    session.expire_all()
    spending = get_spending(session, token)
    # 39.80 against 30 + 20 + 4.90 at the one store.
    assert [(saving.against, saving.amount) for saving in spending.savings] == [
        ("single_store", euros("15.10")),
        ("cheapest_per_line", euros("0.00")),
    ]
    assert (spending.planned, spending.paid) == ((euros("39.80"),), (euros("30.00"),))
    set_hand_off_state(session, token, checkout.steps[0].id, "given_up")
    session.expire_all()
    spending = get_spending(session, token)
    assert (spending.savings, spending.planned, spending.not_carried_out) == ((), (), 1)


def test_exports_a_row_a_part(session: Session) -> None:
    token, purchase_id = bought_at(session, "near", "far")
    part = part_of(get_purchase(session, token, purchase_id), "Near")
    receipt = Receipt(paid=euros("23.00"), order_number="=1+1", bought_on=date(2026, 3, 2))
    change_part(session, token, purchase_id, part.id, "bought", receipt=receipt)
    session.expire_all()
    header, row = export_rows(list_orders(session, token))
    assert dict(zip(header, row, strict=True)) == {
        "date": "2026-03-02",
        "store": "Near",
        "state": "bought",
        "order_number": "=1+1",
        "articles": "2 × Article of near at Near",
        "planned_items": "20.00",
        "planned_shipping": "4.90",
        "planned_currency": "EUR",
        "paid": "23.00",
        "paid_currency": "EUR",
        "purchase": purchase_id,
    }
    assert list_orders(session, token, year=2025) == ()


def test_what_was_paid_is_not_set_beside_a_plan_of_unknown_shipping(session: Session) -> None:
    product = product_row(session, "Mug")
    offer_row(session, store_row(session, "wild", shipping=None), product, "10.00")
    _, token = add_to_cart(session, None, product.public_id)
    assert token is not None
    checkout = check_out(session, token)
    receipt = Receipt(paid=euros("16.00"))
    change_part(session, token, checkout.id, checkout.steps[0].id, "bought", receipt=receipt)
    session.expire_all()
    spending = get_spending(session, token)
    assert (spending.totals, spending.planned, spending.paid) == ((euros("16.00"),), (), ())
