"""What the plan does with each rule, on baskets small enough to add up by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aggregator.domain.carts import (
    Basket,
    BasketLine,
    BasketOffer,
    BasketStore,
    CheapestKnownParts,
    CheapestPerLine,
    MissingLine,
    MissingReason,
    Plan,
    PlanStatus,
    SingleStore,
    StoreShare,
)
from aggregator.domain.errors import BasketError, InvalidInput
from aggregator.domain.shipping import ShippingRule, ShippingTier
from aggregator.shopping.planning import plan_basket


def rule(*tiers: tuple[str, str], min_order: str | None = None) -> ShippingRule:
    return ShippingRule(
        tuple(ShippingTier(Decimal(start), Decimal(cost)) for start, cost in tiers),
        None if min_order is None else Decimal(min_order),
    )


def basket(
    quantities: list[int],
    stores: list[ShippingRule | None],
    offers: list[tuple[int, int, str] | tuple[int, int, str, int]],
    *,
    currency: str = "EUR",
    max_stores: int | None = None,
    assumed_shipping: str | None = None,
) -> Basket:
    """Offers are (line, store, price) or (line, store, price, stock)."""
    return Basket(
        currency=currency,
        lines=tuple(BasketLine(f"l{at}", quantity) for at, quantity in enumerate(quantities)),
        stores=tuple(BasketStore(f"s{at}", shipping) for at, shipping in enumerate(stores)),
        offers=tuple(
            BasketOffer(f"o{at}", f"l{o[0]}", f"s{o[1]}", Decimal(o[2]), o[3] if len(o) == 4 else None)
            for at, o in enumerate(offers)
        ),
        max_stores=max_stores,
        assumed_shipping=None if assumed_shipping is None else Decimal(assumed_shipping),
    )


def bought(plan: Plan) -> dict[str, int]:
    return {allocation.offer: allocation.quantity for allocation in plan.allocations}


@pytest.mark.parametrize(
    ("subtotal", "cost"),
    [("0", None), ("9.99", None), ("10", "5"), ("29.99", "5"), ("30", "7.50"), ("99", "7.50"), ("100", "0")],
)
def test_the_highest_tier_not_above_the_subtotal_applies(subtotal: str, cost: str | None) -> None:
    shipping = rule(("100", "0"), ("0", "5"), ("30", "7.50"), min_order="10")
    assert shipping.cost(Decimal(subtotal)) == (None if cost is None else Decimal(cost))


def test_no_tier_that_applies_means_no_order() -> None:
    assert rule(("20", "3")).cost(Decimal("19.99")) is None
    assert rule().cost(Decimal(1000)) is None


def test_a_dearer_offer_is_bought_where_it_makes_shipping_free() -> None:
    plan = plan_basket(basket([1], [rule(("0", "4.90"), ("50", "0"))], [(0, 0, "49.00"), (0, 0, "51.00")]))
    assert bought(plan) == {"o1": 1}
    assert plan.stores == (StoreShare("s0", Decimal("51.00"), Decimal(0)),)
    assert (plan.status, plan.total, plan.bound) == (PlanStatus.OPTIMAL, Decimal("51.00"), Decimal("51.00"))


def test_a_higher_subtotal_that_ships_dearer_is_avoided() -> None:
    stores = [rule(("0", "1"), ("30", "9")), rule(("0", "2"))]
    plan = plan_basket(basket([1, 1], stores, [(0, 0, "20"), (1, 0, "20"), (1, 1, "21")]))
    assert bought(plan) == {"o0": 1, "o2": 1}
    assert plan.total == 44


def test_one_line_is_split_where_stock_runs_out() -> None:
    stores = [rule(("0", "0")), rule(("0", "0"))]
    plan = plan_basket(basket([5], stores, [(0, 0, "2", 3), (0, 1, "3", 9), (0, 0, "2.50", 1)]))
    assert bought(plan) == {"o0": 3, "o1": 1, "o2": 1}
    assert plan.total == Decimal("11.50")


def test_more_units_come_before_a_lower_total() -> None:
    plan = plan_basket(basket([2], [rule(("0", "0")), rule(("0", "99"))], [(0, 0, "1", 1), (0, 1, "50", 1)]))
    assert plan.total == 150
    assert plan.complete


def test_equal_totals_go_to_fewer_stores() -> None:
    stores = [rule(("0", "0")), rule(("0", "0")), rule(("0", "1"))]
    plan = plan_basket(basket([1, 1], stores, [(0, 0, "5"), (1, 1, "5"), (0, 2, "4.50"), (1, 2, "4.50")]))
    assert bought(plan) == {"o2": 1, "o3": 1}


def test_equal_plans_go_to_the_earlier_offers() -> None:
    free = rule(("0", "0"))
    plan = plan_basket(
        basket([3, 1], [free] * 3, [(0, 1, "5", 2), (0, 2, "5", 2), (0, 0, "5", 2), (1, 1, "1")])
    )
    assert bought(plan) == {"o0": 2, "o1": 1, "o3": 1}


def test_without_an_assumption_known_shipping_comes_first() -> None:
    plan = plan_basket(basket([1], [None, rule(("0", "9"))], [(0, 0, "10"), (0, 1, "20")]))
    assert (bought(plan), plan.total, plan.complete) == ({"o1": 1}, Decimal(29), True)
    assert plan.cheapest_known_parts == CheapestKnownParts(Decimal(10), unknown_stores=1)


def test_with_an_assumption_unknown_shipping_is_ranked_but_not_added() -> None:
    offers = [(0, 0, "10"), (0, 1, "20")]
    plan = plan_basket(basket([1], [None, rule(("0", "9"))], offers, assumed_shipping="4.90"))
    assert plan.stores == (StoreShare("s0", Decimal(10), None),)
    assert (plan.status, plan.total, plan.bound, plan.complete) == (PlanStatus.OPTIMAL, 10, 10, False)
    dear = plan_basket(basket([1], [None, rule(("0", "9"))], offers, assumed_shipping="19.01"))
    assert bought(dear) == {"o1": 1}


def test_the_frontier_tells_what_each_further_store_saves() -> None:
    stores = [rule(("0", "2")), rule(("0", "2")), rule(("0", "2"))]
    offers = [(line, store, "4" if line == store else "9") for line in range(3) for store in range(3)]
    plan = plan_basket(basket([1, 1, 1], stores, offers))
    assert [(p.max_stores, p.units, p.total, p.complete, p.proven) for p in plan.frontier] == [
        (1, 3, Decimal(24), True, True),
        (2, 3, Decimal(21), True, True),
        (3, 3, Decimal(18), True, True),
    ]
    assert plan.single_store == SingleStore("s0", Decimal(24), complete=True)
    assert plan_basket(basket([1, 1, 1], stores, offers), frontier=False).frontier == ()


def test_there_is_no_single_store_unless_it_buys_all_the_plan_buys() -> None:
    stores = [rule(("0", "0")), rule(("0", "0"))]
    plan = plan_basket(basket([1, 1], stores, [(0, 0, "4"), (1, 1, "4")]))
    assert plan.single_store is None
    assert [(p.max_stores, p.units, p.complete) for p in plan.frontier] == [(1, 1, False), (2, 2, True)]


def test_the_cheapest_per_line_pays_every_parcel() -> None:
    stores = [rule(("0", "5")), rule(("0", "5"))]
    plan = plan_basket(basket([1, 1], stores, [(0, 0, "10"), (0, 1, "11"), (1, 1, "10")]))
    assert plan.cheapest_per_line == CheapestPerLine(Decimal(30), complete=True)
    assert plan.total == 26


def test_the_cheapest_per_line_is_incomplete_where_a_store_refuses_it() -> None:
    stores = [rule(("0", "0"), min_order="15"), rule(("0", "0"))]
    plan = plan_basket(basket([1, 1], stores, [(0, 0, "10"), (0, 1, "11"), (1, 0, "12"), (1, 1, "7")]))
    assert plan.cheapest_per_line == CheapestPerLine(Decimal(7), complete=False)


@pytest.mark.parametrize(
    ("offers", "max_stores", "missing"),
    [
        ([(0, 0, "20")], None, MissingLine("l1", 2, MissingReason.NOT_OFFERED)),
        ([(0, 0, "20"), (1, 0, "1", 0)], None, MissingLine("l1", 2, MissingReason.STOCK)),
        ([(0, 0, "20"), (1, 0, "1", 1)], None, MissingLine("l1", 1, MissingReason.STOCK)),
        ([(0, 0, "20"), (1, 1, "1")], None, MissingLine("l1", 2, MissingReason.MIN_ORDER)),
        ([(0, 0, "20"), (1, 1, "1")], 1, MissingLine("l1", 2, MissingReason.MIN_ORDER)),
        ([(0, 0, "20", 3), (0, 2, "20", 2), (1, 1, "9")], 1, MissingLine("l1", 2, MissingReason.MAX_STORES)),
    ],
)
def test_says_why_units_are_missing(
    offers: list[tuple[int, int, str]], max_stores: int | None, missing: MissingLine
) -> None:
    stores = [rule(("0", "0")), rule(("10", "0")), rule(("0", "1"))]
    plan = plan_basket(basket([3, 2], stores, offers, max_stores=max_stores))
    assert plan.missing == (missing,)
    assert (plan.status, plan.complete) == (PlanStatus.OPTIMAL, False)


def test_nothing_to_buy_is_infeasible() -> None:
    for nothing in (
        basket([1], [rule(("0", "0"))], []),
        basket([1], [rule(("0", "0"), min_order="5")], [(0, 0, "4.99")]),
        basket([1], [rule()], [(0, 0, "4.99")]),
        basket([1], [None], [(0, 0, "4.99", 0)]),
        basket([], [], []),
    ):
        plan = plan_basket(nothing)
        assert (plan.status, plan.total, plan.single_store) == (PlanStatus.INFEASIBLE, 0, None)


def test_free_goods_are_bought() -> None:
    plan = plan_basket(basket([2], [rule(("0", "3")), rule(("0", "2"))], [(0, 0, "0"), (0, 1, "0")]))
    assert (bought(plan), plan.total) == ({"o1": 2}, Decimal(2))


def test_currencies_keep_their_own_decimals() -> None:
    yen = basket(
        [1, 2], [rule(("0", "350")), rule(("0", "100"))], [(0, 0, "1200"), (1, 1, "80")], currency="JPY"
    )
    assert plan_basket(yen).total == 1200 + 350 + 160 + 100
    dinar = basket([1], [rule(("0", "0.005"))], [(0, 0, "1.234")], currency="KWD")
    assert plan_basket(dinar).total == Decimal("1.239")
    with pytest.raises(BasketError, match=r"^\$\.offers\[0\]\.price: 1\.5 has more decimals"):
        plan_basket(basket([1], [rule()], [(0, 0, "1.5")], currency="JPY"))


def test_what_is_too_large_for_a_proof_is_not_called_optimal() -> None:
    stores = [rule(("0", "0.03"), ("900000000000", "0.01")), rule(("0", "0.07"))]
    offers = [(0, 0, "899999999999.97"), (0, 1, "899999999999.91"), (1, 0, "1.01"), (1, 1, "1.02")]
    plan = plan_basket(basket([700_000, 1], stores, offers))
    assert plan.status is PlanStatus.FEASIBLE
    assert plan.bound is not None
    assert plan.bound <= Decimal("629999999999937001.09")


def test_a_basket_refuses_what_it_cannot_mean() -> None:
    free = rule(("0", "0"))
    with pytest.raises(BasketError, match=r"^\$\.offers\[0\]\.store: no store 's7'"):
        basket([1], [free], [(0, 7, "1")])
    with pytest.raises(BasketError, match=r"^\$\.lines\[0\]\.quantity: 0 cannot be bought"):
        basket([0], [free], [])
    with pytest.raises(BasketError, match=r"^\$\.max_stores"):
        basket([1], [free], [], max_stores=0)
    with pytest.raises(InvalidInput, match="same subtotal"):
        rule(("0", "1"), ("0.00", "2"))
