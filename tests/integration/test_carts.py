"""Carts: one for each guest, changed under a lock, planned from current offers in few queries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import token_hash
from aggregator.db.models import CartLineRow, CartRow
from aggregator.db.session import Sessions
from aggregator.domain.carts import MissingReason, PlanStatus
from aggregator.domain.checkouts import CartPlan
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.shopping.carts import (
    MAX_LINES,
    add_all_to_cart,
    add_to_cart,
    find_cart,
    plan_cart,
    set_assumed_shipping,
    set_max_stores,
    set_quantity,
)
from tests.integration.plugged_platforms import plugged_in
from tests.integration.shop_rows import (
    CHECKED_AT,
    cart_of,
    euros,
    flat_shipping,
    offer_row,
    product_row,
    store_row,
)

ASSUMED = Decimal("5.90")


@pytest.fixture(autouse=True)
def platforms() -> Iterator[None]:
    with plugged_in():
        yield


def plan(session: Session, token: str) -> CartPlan:
    return plan_cart(session, token, assumed_shipping=ASSUMED)


def test_a_browser_without_a_token_has_no_cart(session: Session) -> None:
    assert find_cart(session, None) is None
    assert find_cart(session, "") is None
    assert find_cart(session, "made up") is None


def test_the_first_product_makes_a_cart_whose_token_is_only_kept_as_a_hash(session: Session) -> None:
    kettle = product_row(session, "Kettle")

    cart, token = add_to_cart(session, None, kettle.public_id, 2)

    assert token is not None
    assert [(line.product.title, line.quantity) for line in cart.lines] == [("Kettle", 2)]
    assert cart == find_cart(session, token)
    kept = session.scalars(select(CartRow.token_hash)).one()
    assert kept == token_hash(token)
    assert token.encode() not in kept


def test_a_second_product_gives_no_new_token_and_the_same_product_adds_up(session: Session) -> None:
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    _, token = add_to_cart(session, None, kettle.public_id)

    _, second = add_to_cart(session, token, mug.public_id)
    cart, third = add_to_cart(session, token, kettle.public_id, 4)

    assert (second, third) == (None, None)
    assert [(line.product.title, line.quantity) for line in cart.lines] == [("Kettle", 5), ("Mug", 1)]
    assert cart.unit_count == 6


def test_a_forgotten_token_gets_a_new_cart(session: Session) -> None:
    kettle = product_row(session, "Kettle")

    cart, token = add_to_cart(session, "a token of a cart that was deleted", kettle.public_id)

    assert token is not None
    assert find_cart(session, token) == cart


@pytest.mark.parametrize("product_id", ["22222222zzzz", "0", "", "\x00", "x" * 5000, "'; drop table carts"])
def test_an_unknown_product_is_not_found_and_makes_no_cart(session: Session, product_id: str) -> None:
    with pytest.raises(NotFound):
        add_to_cart(session, None, product_id)
    assert session.scalar(select(func.count()).select_from(CartRow)) == 0


@pytest.mark.parametrize("quantity", [0, -1, 1000])
def test_refuses_a_quantity_that_no_cart_holds(session: Session, quantity: int) -> None:
    kettle = product_row(session, "Kettle")
    with pytest.raises(InvalidInput, match="is not a quantity; use 1 to 999"):
        add_to_cart(session, None, kettle.public_id, quantity)


def test_refuses_to_add_up_to_more_than_a_line_holds(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    token = cart_of(session, kettle.public_id, quantity=998)
    with pytest.raises(InvalidInput, match="at most 999 of one product"):
        add_to_cart(session, token, kettle.public_id, 2)
    cart = find_cart(session, token)
    assert cart is not None
    assert cart.unit_count == 998


def test_refuses_more_products_than_a_cart_holds(session: Session) -> None:
    products = [product_row(session, f"Product {number}") for number in range(MAX_LINES + 1)]
    token = cart_of(session, products[0].public_id)
    cart_id = session.scalars(select(CartRow.id)).one()
    session.add_all(
        CartLineRow(cart_id=cart_id, product_id=product.id, quantity=1) for product in products[1:MAX_LINES]
    )
    session.flush()

    with pytest.raises(InvalidInput, match=f"at most {MAX_LINES} products"):
        add_to_cart(session, token, products[MAX_LINES].public_id)


def test_many_products_go_in_together_or_not_at_all(session: Session) -> None:
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    wanted = [(kettle.public_id, 2), (mug.public_id, 1), (kettle.public_id, 3)]

    cart, token = add_all_to_cart(session, None, wanted)
    again, no_token = add_all_to_cart(session, token, wanted)

    assert [(line.product.title, line.quantity) for line in cart.lines] == [("Kettle", 5), ("Mug", 1)]
    assert ([line.quantity for line in again.lines], no_token) == ([10, 2], None)
    for refused, error in (
        ([(mug.public_id, 1), ("22222222zzzz", 1)], NotFound),
        ([(mug.public_id, 1), (kettle.public_id, 0)], InvalidInput),
        ([(mug.public_id, 1), (kettle.public_id, 500), (kettle.public_id, 490)], InvalidInput),
    ):
        savepoint = session.begin_nested()
        with pytest.raises(error):
            add_all_to_cart(session, token, refused)
        savepoint.rollback()
        assert find_cart(session, token) == again


def test_sets_a_quantity_and_removes_with_zero(session: Session) -> None:
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    token = cart_of(session, kettle.public_id, mug.public_id)
    cart = find_cart(session, token)
    assert cart is not None
    first, second = cart.lines

    set_quantity(session, token, first.id, 7)
    set_quantity(session, token, second.id, 0)

    cart = find_cart(session, token)
    assert cart is not None
    assert [(line.id, line.quantity) for line in cart.lines] == [(first.id, 7)]


def test_merged_products_share_a_line_until_they_are_split_again(session: Session) -> None:
    old, middle, today = (product_row(session, title) for title in ("Old", "Middle", "Today"))
    token = cart_of(session, old.public_id, today.public_id, quantity=2)
    before = find_cart(session, token)
    assert before is not None

    old.merged_into_id, middle.merged_into_id = middle.id, today.id
    session.flush()
    merged = find_cart(session, token)
    assert merged is not None
    assert [(line.id, line.product.title, line.quantity) for line in merged.lines] == [
        (before.lines[0].id, "Today", 4)
    ]

    old.merged_into_id = None
    session.flush()
    assert find_cart(session, token) == before


def test_changing_a_merged_line_changes_all_of_it(session: Session) -> None:
    old, today = product_row(session, "Old"), product_row(session, "Today")
    token = cart_of(session, old.public_id, today.public_id, quantity=2)
    before = find_cart(session, token)
    assert before is not None
    old.merged_into_id = today.id
    session.flush()

    cart, _ = add_to_cart(session, token, old.public_id)
    assert [line.quantity for line in cart.lines] == [5]

    # The page that the shopper still has open may name either line.
    set_quantity(session, token, before.lines[0].id, 1)
    cart_now = find_cart(session, token)
    assert cart_now is not None
    assert [line.quantity for line in cart_now.lines] == [1]


def test_a_ring_of_merges_ends(session: Session) -> None:
    one, two = product_row(session, "One"), product_row(session, "Two")
    token = cart_of(session, one.public_id)
    one.merged_into_id, two.merged_into_id = two.id, one.id
    session.flush()

    cart = find_cart(session, token)
    assert cart is not None
    assert cart.lines == ()
    with pytest.raises(NotFound):
        add_to_cart(session, token, one.public_id)


def test_changes_of_one_cart_at_the_same_time_all_count(sessions: Sessions) -> None:
    with sessions.begin() as session:
        products = [product_row(session, title).public_id for title in ("Kettle", "Mug")]
        token = cart_of(session, *products)
    barrier = threading.Barrier(8)

    def add_five_times(number: int) -> None:
        barrier.wait()
        for step in range(5):
            with sessions.begin() as session:
                add_to_cart(session, token, products[(number + step) % 2])

    threads = [threading.Thread(target=add_five_times, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with sessions.begin() as session:
        cart = find_cart(session, token)
    assert cart is not None
    assert [line.quantity for line in cart.lines] == [21, 21]


def test_plans_the_cheapest_split_with_what_the_page_shows(session: Session) -> None:
    near = store_row(session, "near", shipping=flat_shipping("4.00", free_from="50"))
    far = store_row(session, "far", shipping=flat_shipping("1.00"))
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    near_kettle = offer_row(session, near, kettle, "20.00")
    offer_row(session, far, kettle, "30.00")
    offer_row(session, near, mug, "9.00")
    far_mug = offer_row(session, far, mug, "5.00")
    token = cart_of(session, kettle.public_id, mug.public_id, quantity=2)

    planned = plan(session, token)

    assert planned.plan.status is PlanStatus.OPTIMAL
    assert (planned.plan.total, planned.plan.complete) == (Decimal("55.00"), True)
    assert planned.left_out == ()
    assert planned.assumed_shipping == ASSUMED
    by_slug = {store.store_slug: store for store in planned.stores}
    assert {slug: (s.subtotal, s.shipping, s.free_from) for slug, s in by_slug.items()} == {
        "near": (euros("40.00"), euros("4.00"), euros("50")),
        "far": (euros("10.00"), euros("1.00"), None),
    }
    (line,) = by_slug["near"].lines
    assert (line.offer_id, line.offer_title, line.quantity, line.price, line.url, line.checked_at) == (
        near_kettle.public_id,
        "Kettle at Near",
        2,
        euros("20.00"),
        near_kettle.url,
        CHECKED_AT,
    )
    assert [line.offer_id for line in by_slug["far"].lines] == [far_mug.public_id]
    assert [store.handoff_kind for store in planned.stores] == ["cart_link", "cart_link"]


@pytest.mark.parametrize(
    "change",
    [
        {"gone_at": CHECKED_AT},
        {"availability": "OutOfStock"},
        {"availability": "InStoreOnly"},
        {"price_currency": "USD"},
        {"price_kind": "member"},
        {"price_kind": "from"},
    ],
    ids=str,
)
def test_leaves_out_offers_that_cannot_be_bought_new_at_that_price(
    session: Session, change: dict[str, object]
) -> None:
    kettle = product_row(session, "Kettle")
    offer_row(session, store_row(session, "near"), kettle, "1.00", **change)
    token = cart_of(session, kettle.public_id)

    planned = plan(session, token)

    assert planned.plan.status is PlanStatus.INFEASIBLE
    assert planned.stores == ()
    assert [line.product.title for line in planned.left_out] == ["Kettle"]
    assert [(missing.quantity, missing.reason) for missing in planned.plan.missing] == [
        (1, MissingReason.NOT_OFFERED)
    ]


@pytest.mark.parametrize("availability", [None, "InStock", "LimitedAvailability", "PreOrder"])
def test_buys_what_is_not_said_to_be_away(session: Session, availability: str | None) -> None:
    kettle = product_row(session, "Kettle")
    offer_row(session, store_row(session, "near"), kettle, "1.00", availability=availability)
    planned = plan(session, cart_of(session, kettle.public_id))
    assert planned.plan.units == 1


def test_stock_is_a_limit_unless_the_article_is_made_or_sent_later(session: Session) -> None:
    near, far = store_row(session, "near"), store_row(session, "far")
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    offer_row(session, near, kettle, "10.00", stock_level=2)
    offer_row(session, far, mug, "10.00", stock_level=-3, availability="BackOrder")
    token = cart_of(session, kettle.public_id, mug.public_id, quantity=5)

    planned = plan(session, token)

    assert {store.store_slug: store.lines[0].quantity for store in planned.stores} == {"near": 2, "far": 5}
    assert [(missing.quantity, missing.reason) for missing in planned.plan.missing] == [
        (3, MissingReason.STOCK)
    ]


def test_shipping_that_is_unknown_stays_unknown_and_ranks_as_assumed(session: Session) -> None:
    known = store_row(session, "known", shipping=flat_shipping("4.90"))
    unknown = store_row(session, "unknown", shipping=None)
    abroad = store_row(session, "abroad", currency="CHF", shipping=flat_shipping("0"))
    kettle = product_row(session, "Kettle")
    offer_row(session, known, kettle, "10.00")
    offer_row(session, unknown, kettle, "9.50")
    offer_row(session, abroad, kettle, "9.40")
    token = cart_of(session, kettle.public_id)

    assert [store.store_slug for store in plan(session, token).stores] == ["known"]

    set_assumed_shipping(session, token, Decimal("2.00"))
    planned = plan(session, token)
    assert planned.assumed_shipping == Decimal("2.00")
    assert [(store.store_slug, store.shipping) for store in planned.stores] == [("abroad", None)]
    assert not planned.plan.complete

    set_assumed_shipping(session, token, None)
    assert plan(session, token).assumed_shipping == ASSUMED


@pytest.mark.parametrize("amount", ["-1", "10000", "1.999", "NaN"])
def test_refuses_an_implausible_assumed_shipping(session: Session, amount: str) -> None:
    token = cart_of(session, product_row(session, "Kettle").public_id)
    with pytest.raises(InvalidInput):
        set_assumed_shipping(session, token, Decimal(amount))


def test_keeps_to_the_number_of_stores_the_shopper_allows(session: Session) -> None:
    near, far = store_row(session, "near"), store_row(session, "far")
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    offer_row(session, near, kettle, "10.00")
    offer_row(session, near, mug, "30.00")
    offer_row(session, far, mug, "10.00")
    token = cart_of(session, kettle.public_id, mug.public_id)
    assert plan(session, token).plan.total == Decimal("29.80")

    set_max_stores(session, token, 1)

    planned = plan(session, token)
    assert planned.cart.max_stores == 1
    assert (planned.plan.total, len(planned.stores)) == (Decimal("44.90"), 1)
    set_max_stores(session, token, None)
    assert plan(session, token).plan.total == Decimal("29.80")
    for limit in (0, -1, 10**9):
        with pytest.raises(InvalidInput):
            set_max_stores(session, token, limit)


def test_follows_a_merged_product_to_the_offers_of_the_one_that_stands(session: Session) -> None:
    old, today = product_row(session, "Old"), product_row(session, "Today")
    offer = offer_row(session, store_row(session, "near"), today, "10.00")
    token = cart_of(session, old.public_id)
    old.merged_into_id = today.id
    session.flush()

    planned = plan(session, token)

    assert [line.offer_id for store in planned.stores for line in store.lines] == [offer.public_id]


def test_plans_a_price_with_more_decimals_than_its_currency(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    offer_row(session, store_row(session, "near"), kettle, "9.9950")
    assert plan(session, cart_of(session, kettle.public_id)).stores[0].subtotal == euros("10.00")


def test_a_store_whose_platform_was_removed_gets_product_links(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    offer_row(session, store_row(session, "near", platform="removed"), kettle, "9.99")
    assert plan(session, cart_of(session, kettle.public_id)).stores[0].handoff_kind == "product_link"


def test_there_is_no_plan_without_a_cart(session: Session) -> None:
    with pytest.raises(NotFound):
        plan_cart(session, None, assumed_shipping=ASSUMED)


def test_an_emptied_cart_has_an_empty_plan(session: Session) -> None:
    token = cart_of(session, product_row(session, "Kettle").public_id)
    cart = find_cart(session, token)
    assert cart is not None
    set_quantity(session, token, cart.lines[0].id, 0)
    planned = plan(session, token)
    assert (planned.cart.lines, planned.stores, planned.left_out) == ((), (), ())


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    statements: list[str] = []
    connection = session.connection()

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(connection, "before_cursor_execute", count)
    yield statements
    event.remove(connection, "before_cursor_execute", count)


def test_the_number_of_queries_does_not_grow_with_the_cart(session: Session) -> None:
    def queries_for(line_count: int) -> tuple[int, int, int]:
        stores = [store_row(session, f"store-{line_count}-{number}") for number in range(line_count)]
        products = [product_row(session, f"Product {number}") for number in range(line_count)]
        for product in products:
            for store in stores:
                offer_row(session, store, product, "10.00")
        wanted = [(product.public_id, 1) for product in products]
        with counted(session) as filling:
            _cart, token = add_all_to_cart(session, None, wanted)
        with counted(session) as adding:
            add_all_to_cart(session, token, wanted)
        assert token is not None
        with counted(session) as planning:
            plan(session, token)
        return len(filling), len(adding), len(planning)

    assert queries_for(1) == queries_for(5) == (8, 7, 9)
