"""The plan in the database counts all that a basket costs at the door, and what the shopper has and wants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import Rate, keep_rates
from aggregator.db.models import CartPlanRow, CartRow, OfferRelationRow
from aggregator.domain.carts import Coupon, MissingReason, PlanStatus
from aggregator.domain.checkouts import CartPlan, PlannedLine, PlannedStore
from aggregator.domain.delivery import latest_arrival
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.money import Money
from aggregator.domain.plan_options import PlanOptions
from aggregator.domain.plan_reasons import LeftOut, Why
from aggregator.domain.vocabulary import ItemCondition, TaxBasis
from aggregator.shopping.cart_lines import read_cart
from aggregator.shopping.cart_offers import Market, read_cart_offers, within_limits
from aggregator.shopping.cart_options import (
    Wishes,
    add_coupon,
    exclude_offer,
    exclude_store,
    pin_offer,
    remove_coupon,
    set_membership,
    set_wishes,
)
from aggregator.shopping.carts import add_to_cart, find_cart, plan_cart, set_quantity
from aggregator.shopping.kept_plans import take_turn_to_plan
from aggregator.shopping.line_offers import list_line_offers
from tests.integration.plugged_platforms import plugged_in
from tests.integration.shop_rows import cart_of, euros, flat_shipping, offer_row, product_row, store_row

TODAY = datetime.now(UTC).date()
USUAL = Wishes(
    country=None,
    conditions=frozenset({ItemCondition.NEW}),
    parcel_value=Decimal(0),
    deliver_by=None,
    packs=True,
)


@pytest.fixture(autouse=True)
def platforms() -> Iterator[None]:
    with plugged_in():
        yield


def plan(session: Session, token: str, **changes: Any) -> CartPlan:
    return plan_cart(session, token, assumed_shipping=Decimal("5.90"), country="DE", **changes)


def only_store(planned: CartPlan) -> PlannedStore:
    (store,) = planned.stores
    return store


def only_line(planned: CartPlan) -> PlannedLine:
    (line,) = only_store(planned).lines
    return line


def line_id(session: Session, token: str) -> str:
    cart = find_cart(session, token)
    assert cart is not None
    return cart.lines[0].id


def test_a_rule_for_the_shoppers_country_goes_before_the_general_one(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    rules = {"AT": flat_shipping("9.00")}
    near = store_row(session, "near", country="DE", shipping_by_country=rules)
    offer_row(session, near, kettle, "10.00")
    token = cart_of(session, kettle.public_id)

    home = only_store(plan(session, token))
    assert (home.shipping, home.shipping_basis, home.shipping_source) == (euros("4.90"), "known", "operator")

    set_wishes(session, token, replace(USUAL, country="at"))
    planned = plan(session, token)
    assert planned.country == "AT"
    assert (only_store(planned).shipping, only_store(planned).shipping_basis) == (euros("9.00"), "known")

    set_wishes(session, token, replace(USUAL, country="CH"))
    planned = plan(session, token)
    assert (only_store(planned).shipping, only_store(planned).shipping_basis) == (euros("4.90"), "estimated")
    assert planned.plan.estimated


def test_what_offers_say_of_shipping_is_an_estimate(session: Session) -> None:
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    near = store_row(session, "near", country="DE", shipping=None)
    said = {"options": [{"country": "DE", "cost": "3.95", "free_from": "40"}]}
    offer_row(session, near, kettle, "10.00", delivery=said)
    offer_row(
        session,
        near,
        mug,
        "10.00",
        delivery={"options": [{"country": "DE", "cost": "6.95", "free_from": "60"}]},
    )
    token = cart_of(session, kettle.public_id, mug.public_id)

    store = only_store(plan(session, token))
    # The highest of what is said, and the farther limit.
    assert (store.shipping, store.free_from) == (euros("6.95"), euros("60"))
    assert (store.shipping_basis, store.shipping_source) == ("estimated", "offers")

    set_wishes(session, token, replace(USUAL, country="FR"))
    planned = plan(session, token)
    assert only_store(planned).shipping is None
    assert not planned.plan.complete


def test_a_price_for_the_stores_own_country_says_nothing_of_another(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    near = store_row(session, "near", country="DE", shipping=None)
    offer_row(session, near, kettle, "10.00", shipping_cost=Decimal("3.95"))
    token = cart_of(session, kettle.public_id)
    assert only_store(plan(session, token)).shipping == euros("3.95")
    set_wishes(session, token, replace(USUAL, country="FR"))
    assert only_store(plan(session, token)).shipping is None


def test_shipping_by_piece_and_by_weight_comes_on_top(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    rule = {**flat_shipping("2.00"), "per_item": "0.50", "per_kg": "1.10"}
    near, far = store_row(session, "near", shipping=rule), store_row(session, "far", shipping=None)
    offer_row(session, near, kettle, "10.00", delivery={"weight": "1.5"})
    offer_row(session, far, kettle, "30.00")
    token = cart_of(session, kettle.public_id, quantity=3)

    store = only_store(plan(session, token))
    # 2.00 and 3 x (0.50 + 1.65)
    assert (store.subtotal, store.shipping, store.shipping_basis) == (euros("30.00"), euros("8.45"), "known")


def test_a_weight_that_another_store_tells_is_an_estimate_and_none_is_unknown(session: Session) -> None:
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    by_weight = {**flat_shipping("1.00"), "per_kg": "1.00"}
    near, far = store_row(session, "near", shipping=by_weight), store_row(session, "far")
    offer_row(session, near, kettle, "10.00")
    offer_row(session, far, kettle, "20.00", delivery={"weight": "2"})
    token = cart_of(session, kettle.public_id)
    store = only_store(plan(session, token))
    assert (store.shipping, store.shipping_basis) == (euros("3.00"), "estimated")

    offer_row(session, near, mug, "1.00")
    add_to_cart(session, token, mug.public_id)
    (store,) = (store for store in plan(session, token).stores if store.store_slug == "near")
    assert store.shipping is None


def test_a_deposit_is_paid_besides_the_goods(session: Session) -> None:
    crate = product_row(session, "Crate")
    near = store_row(session, "near", shipping=flat_shipping("5.00", free_from="24.00"))
    offer_row(session, near, crate, "11.00", delivery={"deposit": "3.30"})
    token = cart_of(session, crate.public_id, quantity=2)
    planned = plan(session, token)
    store = only_store(planned)
    assert (store.subtotal, store.deposit, store.shipping) == (euros("22.00"), euros("6.60"), euros("5.00"))
    assert planned.plan.total == Decimal("33.60")


def test_amounts_in_another_currency_are_converted_and_marked(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    abroad = store_row(session, "abroad", currency="USD", shipping=flat_shipping("11.00", free_from="100"))
    offer_row(session, abroad, kettle, "22.00", price_currency="USD")
    token = cart_of(session, kettle.public_id)

    planned = plan(session, token)
    assert planned.plan.status is PlanStatus.INFEASIBLE
    assert planned.offers_left_out == {line_id(session, token): {LeftOut.CURRENCY: 1}}

    keep_rates(session, [Rate("USD", TODAY - timedelta(days=1), Decimal("1.10"))], "test")
    planned = plan(session, token)
    store, line = only_store(planned), only_line(planned)
    assert (line.price, line.original) == (euros("20.00"), Money(Decimal("22.00"), "USD"))
    assert (store.shipping, store.shipping_basis) == (euros("10.00"), "estimated")
    assert store.free_from == euros("90.91")
    assert store.rates_of == TODAY - timedelta(days=1)
    assert planned.plan.estimated


def test_rates_of_last_month_convert_nothing(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    abroad = store_row(session, "abroad", currency="USD")
    offer_row(session, abroad, kettle, "22.00", price_currency="USD")
    keep_rates(session, [Rate("USD", TODAY - timedelta(days=30), Decimal("1.10"))], "test")
    assert plan(session, cart_of(session, kettle.public_id)).stores == ()


def test_tax_is_added_where_it_is_known_to_be_left_out(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    net = store_row(session, "net", tax_basis="excluded")
    offer_row(session, net, kettle, "100.00")
    token = cart_of(session, kettle.public_id)
    planned = plan(session, token)
    assert (only_line(planned).price, only_line(planned).original) == (euros("119.00"), euros("100.00"))
    assert only_store(planned).tax_basis is TaxBasis.EXCLUDED
    assert planned.plan.estimated
    set_wishes(session, token, replace(USUAL, country="US"))
    assert only_line(plan(session, token)).price == euros("100.00")


def test_other_conditions_count_only_where_they_are_allowed(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    near = store_row(session, "near")
    offer_row(session, near, kettle, "5.00", item_condition="UsedCondition")
    token = cart_of(session, kettle.public_id)
    planned = plan(session, token)
    assert [missing.reason for missing in planned.plan.missing] == [MissingReason.EXCLUDED]
    assert planned.offers_left_out == {line_id(session, token): {LeftOut.CONDITION: 1}}
    set_wishes(session, token, replace(USUAL, conditions=frozenset({ItemCondition.USED})))
    assert plan(session, token).plan.total == Decimal("9.90")


def test_member_prices_and_coupons_count_only_where_the_shopper_has_them(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    near = store_row(session, "near", shipping=flat_shipping("0"))
    offer_row(session, near, kettle, "100.00")
    offer_row(session, near, kettle, "90.00", number=9, price_kind="member")
    token = cart_of(session, kettle.public_id)
    planned = plan(session, token)
    assert planned.plan.total == Decimal("100.00")
    assert [(store.slug, store.has_member_prices) for store in planned.selling_stores] == [("near", True)]

    set_membership(session, token, near.public_id, is_member=True)
    assert plan(session, token).plan.total == Decimal("90.00")

    add_coupon(session, token, near.public_id, Coupon("TEN", percent=Decimal(10), min_subtotal=Decimal(50)))
    add_coupon(session, token, near.public_id, Coupon("FIVE", amount=Decimal(5)))
    store = only_store(plan(session, token))
    assert (store.coupon, store.discount, store.goods) == ("TEN", euros("9.00"), euros("81.00"))

    remove_coupon(session, token, near.public_id, "TEN")
    set_membership(session, token, near.public_id, is_member=False)
    store = only_store(plan(session, token))
    assert (store.coupon, store.goods) == ("FIVE", euros("95.00"))


def test_stores_and_offers_can_be_left_out_and_allowed_again(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    near, far = store_row(session, "near"), store_row(session, "far")
    cheap = offer_row(session, near, kettle, "10.00")
    offer_row(session, far, kettle, "12.00")
    token = cart_of(session, kettle.public_id)

    exclude_store(session, token, near.public_id)
    assert only_store(plan(session, token)).store_slug == "far"
    exclude_store(session, token, near.public_id, is_excluded=False)
    exclude_offer(session, token, cheap.public_id)
    planned = plan(session, token)
    assert only_store(planned).store_slug == "far"
    assert [(offer.id, offer.store_name) for offer in planned.excluded_offers] == [(cheap.public_id, "Near")]
    exclude_offer(session, token, cheap.public_id, is_excluded=False)
    assert only_store(plan(session, token)).store_slug == "near"


def test_a_pinned_offer_is_bought_until_it_is_gone(session: Session) -> None:
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    near, far = store_row(session, "near"), store_row(session, "far")
    offer_row(session, near, kettle, "10.00")
    chosen = offer_row(session, far, kettle, "12.00")
    other = offer_row(session, far, mug, "1.00")
    token = cart_of(session, kettle.public_id)
    line = line_id(session, token)

    pin_offer(session, token, line, chosen.public_id)
    planned = plan(session, token)
    assert only_line(planned).is_pinned
    assert only_line(planned).reason is not None
    assert only_line(planned).reason.why is Why.PINNED  # type: ignore[union-attr]  # asserted above

    with pytest.raises(NotFound):
        pin_offer(session, token, line, other.public_id)
    chosen.availability = "OutOfStock"
    session.flush()
    planned = plan(session, token)
    assert only_store(planned).store_slug == "near"
    assert [line.id for line in planned.unpinned] == [line]
    pin_offer(session, token, line, None)
    assert plan(session, token).unpinned == ()


def test_only_what_is_known_to_come_in_time_is_bought(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    near, far, unsaid = (store_row(session, slug) for slug in ("near", "far", "unsaid"))
    far.shipping = {**flat_shipping("4.90"), "delivery_days": 2}
    offer_row(session, near, kettle, "10.00", delivery={"options": [{"most_days": 9}]})
    offer_row(session, far, kettle, "12.00")
    offer_row(session, unsaid, kettle, "9.00")
    token = cart_of(session, kettle.public_id)
    assert only_store(plan(session, token)).store_slug == "unsaid"

    in_time = latest_arrival(TODAY, 3)
    set_wishes(session, token, replace(USUAL, deliver_by=in_time))
    planned = plan(session, token)
    assert (only_store(planned).store_slug, only_line(planned).arrives_by) == (
        "far",
        latest_arrival(TODAY, 2),
    )
    assert planned.offers_left_out == {
        line_id(session, token): {LeftOut.LATE: 1, LeftOut.DELIVERY_UNKNOWN: 1}
    }


def test_a_parcel_less_may_cost_what_it_is_worth(session: Session) -> None:
    near, far = store_row(session, "near"), store_row(session, "far", shipping=flat_shipping("0"))
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    offer_row(session, near, kettle, "10.00")
    offer_row(session, near, mug, "11.00")
    offer_row(session, far, mug, "10.00")
    token = cart_of(session, kettle.public_id, mug.public_id)
    assert len(plan(session, token).stores) == 2

    set_wishes(session, token, replace(USUAL, parcel_value=Decimal("1.50")))
    planned = plan(session, token)
    assert (len(planned.stores), planned.plan.total) == (1, Decimal("25.90"))
    reasons = {line.product.title: line.reason for line in planned.stores[0].lines}
    mugs = reasons["Mug"]
    assert mugs is not None
    assert (mugs.why, mugs.store, mugs.less, mugs.more) == (Why.PARCELS, "Far", euros("1.00"), euros("-1.00"))


def test_a_multipack_stands_for_so_many_pieces(session: Session) -> None:
    near = store_row(session, "near", shipping=flat_shipping("0"))
    bulb, six = product_row(session, "Bulb"), product_row(session, "Bulb, pack of 6")
    single = offer_row(session, near, bulb, "3.00")
    pack = offer_row(session, near, six, "12.00", pack_size=6)
    session.add(OfferRelationRow(offer_id=single.id, other_offer_id=pack.id, kind="multipack"))
    session.flush()
    token = cart_of(session, bulb.public_id, quantity=7)

    planned = plan(session, token)
    assert planned.plan.total == Decimal("15.00")
    bought = {
        line.offer_id: (line.quantity, line.pack_size, line.units) for line in only_store(planned).lines
    }
    assert bought == {single.public_id: (1, 1, 1), pack.public_id: (1, 6, 6)}

    set_wishes(session, token, replace(USUAL, packs=False))
    assert plan(session, token).plan.total == Decimal("21.00")


def test_each_line_says_why_it_is_bought_where_it_is(session: Session) -> None:
    near, far = store_row(session, "near"), store_row(session, "far")
    kettle, mug, lamp = (product_row(session, title) for title in ("Kettle", "Mug", "Lamp"))
    offer_row(session, near, kettle, "10.00")
    offer_row(session, far, kettle, "20.00")
    offer_row(session, near, mug, "5.40")
    offer_row(session, far, mug, "5.00")
    offer_row(session, near, lamp, "7.00")
    token = cart_of(session, kettle.public_id, mug.public_id, lamp.public_id)

    reasons = {line.product.title: line.reason for line in only_store(plan(session, token)).lines}
    assert {title: reason.why for title, reason in reasons.items() if reason} == {
        "Kettle": Why.CHEAPEST,
        "Mug": Why.WHOLE_CART,
        "Lamp": Why.ONLY,
    }
    mugs = reasons["Mug"]
    assert mugs is not None
    # 0.40 less there, 4.90 for another parcel.
    assert (mugs.store, mugs.less, mugs.more) == ("Far", euros("0.40"), euros("4.50"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"stock_level": 1}, Why.STOCK), ({}, Why.MIN_ORDER)],
    ids=["stock", "minimum order"],
)
def test_a_cheaper_store_that_cannot_sell_it_is_named_with_its_reason(
    session: Session, change: dict[str, Any], expected: Why
) -> None:
    near, far = store_row(session, "near"), store_row(session, "far")
    kettle = product_row(session, "Kettle")
    offer_row(session, near, kettle, "10.00")
    offer_row(session, far, kettle, "9.00", **change)
    if expected is Why.MIN_ORDER:
        far.shipping = {**flat_shipping("4.90"), "min_order": "50"}
        session.flush()
    token = cart_of(session, kettle.public_id, quantity=2)
    lines = [
        line for store in plan(session, token).stores for line in store.lines if store.store_slug == "near"
    ]
    assert [line.reason.why for line in lines if line.reason] == [expected]


def test_what_did_not_change_is_not_planned_again(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    offer = offer_row(session, store_row(session, "near"), kettle, "10.00")
    token = cart_of(session, kettle.public_id)

    def made_at() -> datetime:
        return session.scalars(select(CartPlanRow.made_at)).one()

    first, made = plan(session, token), made_at()
    assert plan(session, token).plan == first.plan
    assert made_at() == made
    offer.price = Decimal("11.00")
    session.flush()
    assert plan(session, token).plan.total == Decimal("15.90")
    set_quantity(session, token, line_id(session, token), 2)
    assert plan(session, token).plan.total == Decimal("26.90")
    assert made_at() > made


def test_bought_units_leave_the_plan(session: Session) -> None:
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    near = store_row(session, "near")
    offer_row(session, near, kettle, "10.00")
    offer_row(session, near, mug, "1.00")
    token = cart_of(session, kettle.public_id, mug.public_id, quantity=3)
    planned = plan(session, token, bought={line_id(session, token): 2})
    assert {line.product.title: line.units for line in only_store(planned).lines} == {"Kettle": 1, "Mug": 3}
    planned = plan(session, token, bought={line_id(session, token): 3})
    assert {line.product.title: line.units for line in only_store(planned).lines} == {"Mug": 3}


def test_lists_all_that_is_offered_for_a_line(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    near, far = store_row(session, "near"), store_row(session, "far", shipping=None)
    offer_row(session, near, kettle, "10.00")
    offer_row(session, far, kettle, "9.00")
    offer_row(session, near, kettle, "4.00", number=7, item_condition="UsedCondition")
    token = cart_of(session, kettle.public_id, quantity=2)
    found = list_line_offers(session, token, line_id(session, token), country="DE")
    assert [
        (each.offer.store.slug, each.goods, each.total, each.offer.left_out) for each in found.offers
    ] == [
        ("far", euros("18.00"), None, None),
        ("near", euros("20.00"), euros("24.90"), None),
        ("near", euros("8.00"), euros("12.90"), LeftOut.CONDITION),
    ]
    with pytest.raises(NotFound):
        list_line_offers(session, cart_of(session, kettle.public_id), line_id(session, token))


def test_of_more_stores_than_can_be_weighed_the_cheapest_are(session: Session) -> None:
    kettle, mug = product_row(session, "Kettle"), product_row(session, "Mug")
    stores = [store_row(session, f"store-{number}") for number in range(4)]
    for number, store in enumerate(stores):
        offer_row(session, store, kettle, f"{10 + number}.00")
        offer_row(session, store, mug, f"{20 - number}.00")
    token = cart_of(session, kettle.public_id, mug.public_id)
    cart = read_cart(session, token)
    assert cart is not None
    market = Market(currency="EUR", country="DE", today=TODAY)
    offers = read_cart_offers(session, cart.lines, PlanOptions(), market).offers
    assert within_limits(offers) == offers
    kept = within_limits(offers, most_stores=2)
    assert {offer.store.slug for offer in kept} == {"store-0", "store-3"}
    assert len(kept) == 4
    assert len(within_limits(offers, most_offers=3)) == 3
    assert not plan(session, token).is_more


def test_options_are_refused_where_they_mean_nothing(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    near = store_row(session, "near")
    token = cart_of(session, kettle.public_id)
    for wishes in (
        replace(USUAL, conditions=frozenset()),
        replace(USUAL, parcel_value=Decimal("1.999")),
        replace(USUAL, parcel_value=Decimal(1_000)),
        replace(USUAL, deliver_by=TODAY - timedelta(days=1)),
        replace(USUAL, country="Germany"),
    ):
        with pytest.raises(InvalidInput):
            set_wishes(session, token, wishes)
    for coupon in (
        Coupon("", amount=Decimal(5)),
        Coupon("<b>", amount=Decimal(5)),
        Coupon("A", percent=Decimal(101)),
        Coupon("A", percent=Decimal(10), amount=Decimal(5)),
        Coupon("A", amount=Decimal("0.001")),
        Coupon("A"),
    ):
        with pytest.raises(InvalidInput):
            add_coupon(session, token, near.public_id, coupon)
    with pytest.raises(NotFound):
        add_coupon(session, token, "nowhere", Coupon("A", amount=Decimal(5)))
    with pytest.raises(NotFound):
        exclude_store(session, None, near.public_id)
    assert plan(session, token).options == PlanOptions()


def test_nobody_changes_the_options_of_another_cart(session: Session) -> None:
    kettle = product_row(session, "Kettle")
    near = store_row(session, "near")
    offer = offer_row(session, near, kettle, "10.00")
    mine, theirs = cart_of(session, kettle.public_id), cart_of(session, kettle.public_id)
    with pytest.raises(NotFound):
        pin_offer(session, theirs, line_id(session, mine), offer.public_id)
    exclude_store(session, theirs, near.public_id)
    assert only_store(plan(session, mine)).store_slug == "near"


def test_a_cart_that_is_being_planned_elsewhere_gets_a_quick_plan(session: Session, engine: Engine) -> None:
    kettle = product_row(session, "Kettle")
    offer_row(session, store_row(session, "near"), kettle, "10.00")
    token = cart_of(session, kettle.public_id)
    cart_id = session.scalars(select(CartRow.id)).one()
    with Session(engine) as elsewhere:
        assert take_turn_to_plan(elsewhere, cart_id)
        planned = plan(session, token)
    assert planned.is_hurried
    assert planned.plan.total == Decimal("14.90")
    assert not plan(session, token).is_hurried


def test_a_kept_plan_needs_seven_queries_whatever_the_cart_holds(session: Session) -> None:
    stores = [store_row(session, f"store-{number}") for number in range(3)]
    products = [product_row(session, f"Product {number}") for number in range(5)]
    for product in products:
        for store in stores:
            offer_row(session, store, product, "10.00")
    token = cart_of(session, *(product.public_id for product in products))
    plan(session, token)
    statements: list[str] = []
    connection = session.connection()

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(connection, "before_cursor_execute", count)
    plan(session, token)
    event.remove(connection, "before_cursor_execute", count)
    assert len(statements) == 7
