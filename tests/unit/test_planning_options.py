"""What the plan does with packs, deposits, coupons, parcels' worth, pins and exclusions, added up by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aggregator.domain.carts import (
    Basket,
    BasketLine,
    BasketOffer,
    BasketStore,
    Coupon,
    MissingLine,
    MissingReason,
    Plan,
    PlanStatus,
    StoreShare,
    SurplusLine,
)
from aggregator.domain.errors import BasketError
from aggregator.domain.shipping import ShippingRule
from aggregator.shopping.planning import plan_basket

FREE = ShippingRule.flat(Decimal(0))


def money(text: str) -> Decimal:
    return Decimal(text)


def plan(
    wanted: int, *offers: BasketOffer, stores: tuple[BasketStore, ...] | None = None, parcel_value: str = "0"
) -> Plan:
    """A basket of one line, of stores s0, s1 ... that send for nothing where nothing else is said."""
    named = sorted({offer.store for offer in offers})
    return plan_basket(
        Basket(
            "EUR",
            (BasketLine("l", wanted),),
            stores or tuple(BasketStore(name, FREE) for name in named),
            offers,
            parcel_value=money(parcel_value),
        )
    )


def bought(plan: Plan) -> dict[str, int]:
    return {allocation.offer: allocation.quantity for allocation in plan.allocations}


def pack(name: str, size: int, price: str, stock: int | None = None) -> BasketOffer:
    return BasketOffer(name, "l", "s0", money(price), stock, pack_size=size)


@pytest.mark.parametrize(
    ("wanted", "expected", "surplus"),
    [
        (1, {"one": 1}, 0),
        (3, {"one": 3}, 0),
        (5, {"six": 1}, 1),
        (6, {"six": 1}, 0),
        (7, {"one": 1, "six": 1}, 0),
        (11, {"six": 2}, 1),
    ],
)
def test_more_than_wanted_is_bought_only_where_it_is_cheaper(
    wanted: int, expected: dict[str, int], surplus: int
) -> None:
    found = plan(wanted, pack("one", 1, "1.00"), pack("six", 6, "4.00"))
    assert bought(found) == expected
    assert found.surplus == ((SurplusLine("l", surplus),) if surplus else ())
    assert (found.units, found.complete, found.status) == (wanted, True, PlanStatus.OPTIMAL)


def test_what_only_a_pack_can_fill_is_filled() -> None:
    found = plan(4, pack("three", 3, "3.00"))
    assert (bought(found), found.units, found.surplus) == ({"three": 2}, 4, (SurplusLine("l", 2),))


def test_stock_is_counted_in_packs() -> None:
    found = plan(7, pack("three", 3, "3.00", stock=2))
    assert (bought(found), found.units) == ({"three": 2}, 6)
    assert found.missing == (MissingLine("l", 1, MissingReason.STOCK),)


def test_no_pack_is_bought_only_to_reach_free_shipping() -> None:
    store = BasketStore("s0", ShippingRule.flat(money("9.00"), free_from=money("10.00")))
    offers = (pack("one", 1, "9.00"), pack("two", 2, "20.00"))
    assert bought(plan(1, *offers, stores=(store,))) == {"one": 1}
    cheap = (pack("one", 1, "9.00"), pack("two", 2, "12.00"))
    assert bought(plan(1, *cheap, stores=(store,))) == {"two": 1}


def test_a_deposit_is_paid_but_reaches_no_threshold() -> None:
    store = BasketStore("s0", ShippingRule.flat(money("5.00"), free_from=money("10.00")))
    found = plan(1, BasketOffer("o", "l", "s0", money("9.90"), deposit=money("0.25")), stores=(store,))
    assert found.stores == (StoreShare("s0", money("9.90"), money("5.00"), deposit=money("0.25")),)
    assert found.total == found.bound == money("15.15")


def test_shipping_by_piece_and_by_line_adds_to_the_tiers() -> None:
    store = BasketStore("s0", ShippingRule.flat(money("5.00")))
    offer = BasketOffer("o", "l", "s0", money("10"), unit_shipping=money("0.50"), line_shipping=money("2.00"))
    found = plan(3, offer, stores=(store,))
    assert found.stores == (StoreShare("s0", money("30"), money("8.50")),)
    assert found.total == money("38.50")
    unknown = plan(3, offer, stores=(BasketStore("s0", None),))
    assert (unknown.total, unknown.stores[0].shipping) == (money("30"), None)


@pytest.mark.parametrize(
    ("coupons", "discount", "used"),
    [
        ([Coupon("ten", percent=money("10"))], "1.99", "ten"),
        ([Coupon("ten", percent=money("10")), Coupon("five", amount=money("5"))], "5.00", "five"),
        ([Coupon("five", amount=money("5"), min_subtotal=money("20"))], "0", None),
        ([Coupon("big", amount=money("50"))], "19.99", "big"),
    ],
)
def test_the_best_coupon_is_used(coupons: list[Coupon], discount: str, used: str | None) -> None:
    store = BasketStore("s0", FREE, tuple(coupons))
    found = plan(1, BasketOffer("o", "l", "s0", money("19.99")), stores=(store,))
    assert found.stores == (StoreShare("s0", money("19.99"), money("0"), money(discount), used),)
    assert found.total == found.bound == money("19.99") - money(discount)


def test_shipping_sees_what_is_left_after_the_coupon() -> None:
    rule = ShippingRule.flat(money("6.00"), free_from=money("50.00"))
    store = BasketStore("s0", rule, (Coupon("c", amount=money("5.00")),))
    found = plan(1, BasketOffer("o", "l", "s0", money("52.00")), stores=(store,))
    assert found.stores == (StoreShare("s0", money("52.00"), money(0)),)  # 52.00; with the coupon 53.00
    dear = plan(1, BasketOffer("o", "l", "s0", money("55.00")), stores=(store,))
    assert dear.total == money("50.00")


def test_a_parcel_less_is_worth_what_the_shopper_says() -> None:
    def of(parcel_value: str) -> Plan:
        return plan_basket(
            Basket(
                "EUR",
                (BasketLine("l0", 1), BasketLine("l1", 1)),
                (BasketStore("s0", FREE), BasketStore("s1", FREE)),
                (
                    BasketOffer("o0", "l0", "s0", money("5.00")),
                    BasketOffer("o1", "l1", "s1", money("5.00")),
                    BasketOffer("o2", "l1", "s0", money("7.00")),
                ),
                parcel_value=money(parcel_value),
            )
        )

    assert (bought(of("1.99")), of("1.99").total) == ({"o0": 1, "o1": 1}, 10)
    fewer = of("2.01")
    assert (bought(fewer), fewer.total, fewer.bound) == ({"o0": 1, "o2": 1}, 12, 12)
    assert [point.total for point in of("1.99").frontier] == [12, 10]


def test_a_pinned_offer_is_the_only_one_for_its_line() -> None:
    cheap = BasketOffer("cheap", "l", "s0", money("1"))
    pinned = BasketOffer("pinned", "l", "s1", money("9"), stock=1, pinned=True)
    found = plan(2, cheap, pinned)
    assert bought(found) == {"pinned": 1}
    assert found.missing == (MissingLine("l", 1, MissingReason.EXCLUDED),)


@pytest.mark.parametrize("by_store", [True, False])
def test_what_only_excluded_offers_could_fill_is_missing_as_excluded(by_store: bool) -> None:
    offer = BasketOffer("o", "l", "s0", money("1"), excluded=not by_store)
    found = plan(2, offer, stores=(BasketStore("s0", FREE, excluded=by_store),))
    assert found.status is PlanStatus.INFEASIBLE
    assert found.missing == (MissingLine("l", 2, MissingReason.EXCLUDED),)
    sold_out = BasketOffer("o", "l", "s0", money("1"), stock=0, excluded=True)
    assert plan(2, sold_out).missing == (MissingLine("l", 2, MissingReason.STOCK),)


def test_an_estimated_amount_marks_the_plan_only_where_it_is_used() -> None:
    sure = BasketOffer("sure", "l", "s0", money("5"))
    converted = BasketOffer("converted", "l", "s1", money("4"), estimated=True)
    assert plan(1, sure, converted).estimated
    assert not plan(1, sure).estimated
    guessed = (BasketStore("s0", FREE, estimated=True),)
    assert plan(1, sure, stores=guessed).estimated
    assert plan(1, sure, stores=guessed).complete


@pytest.mark.parametrize(
    ("coupon", "place"),
    [
        (Coupon("c"), "$.stores[0].coupons[0]"),
        (Coupon("c", percent=money("1"), amount=money("1")), "$.stores[0].coupons[0]"),
        (Coupon("c", percent=money("101")), "$.stores[0].coupons[0].percent"),
        (Coupon("c", percent=money("1.234")), "$.stores[0].coupons[0].percent"),
        (Coupon("c", amount=money("-1")), "$.stores[0].coupons[0].amount"),
        (Coupon("c", amount=money("1"), min_subtotal=money("NaN")), "$.stores[0].coupons[0].min_subtotal"),
    ],
)
def test_a_basket_refuses_a_coupon_that_it_cannot_mean(coupon: Coupon, place: str) -> None:
    with pytest.raises(BasketError) as caught:
        Basket("EUR", (), (BasketStore("s0", FREE, (coupon,)),), ())
    assert caught.value.place == place


def test_a_basket_refuses_amounts_and_packs_that_it_cannot_mean() -> None:
    for offer, place in (
        (BasketOffer("o", "l", "s0", money("1"), pack_size=0), "pack_size"),
        (BasketOffer("o", "l", "s0", money("1"), deposit=money("-1")), "deposit"),
        (BasketOffer("o", "l", "s0", money("1"), unit_shipping=money("NaN")), "unit_shipping"),
        (BasketOffer("o", "l", "s0", money("1"), line_shipping=money("Infinity")), "line_shipping"),
    ):
        with pytest.raises(BasketError) as caught:
            plan(1, offer)
        assert caught.value.place == f"$.offers[0].{place}"
