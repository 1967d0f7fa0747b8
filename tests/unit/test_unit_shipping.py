"""What sending one piece costs: rules by country, other currencies, by weight, or what the offer says of itself."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from aggregator.catalog.exchange_rates import ExchangeRates, Rate
from aggregator.catalog.shipping_terms import SaidByOffer, StoreRules
from aggregator.catalog.unit_shipping import Seller, UnitShipping
from aggregator.domain.delivery import DeliveryOption, DeliveryTerms
from aggregator.domain.money import Money
from aggregator.domain.products import ShippingEstimate

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RATES = ExchangeRates({"CHF": Rate("CHF", date(2026, 11, 19), Decimal("0.9"))})
FLAT = {"tiers": [{"min_subtotal": "0", "cost": "4.90"}, {"min_subtotal": "50", "cost": "0"}]}
TO_AUSTRIA = {"AT": {"tiers": [{"min_subtotal": "0", "cost": "12.00"}]}}
BY_WEIGHT = {"tiers": [{"min_subtotal": "0", "cost": "2.00"}], "per_item": "1.00", "per_kg": "0.50"}


def euros(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def estimate(
    price: str = "20.00",
    *,
    to: str | None = "DE",
    rule: dict[str, Any] | None = None,
    by_country: dict[str, Any] | None = None,
    currency: str | None = "EUR",
    told: str | None = None,
    usual_weight: str | None = None,
    **delivery: Any,
) -> ShippingEstimate | None:
    rules = StoreRules(
        country="DE", shipping=rule, shipping_by_country=by_country or {}, source=None, updated_at=None
    )
    said = SaidByOffer(
        delivery=DeliveryTerms(**delivery), shipping_cost=Decimal(told) if told else None, checked_at=NOW
    )
    return UnitShipping(to, RATES).estimate(
        Seller(id=1, currency=currency, rules=rules),
        euros(price),
        said,
        Decimal(usual_weight) if usual_weight else None,
    )


@pytest.mark.parametrize(
    ("given", "cost", "basis"),
    [
        ({"rule": FLAT}, "4.90", "known"),
        ({"rule": FLAT, "price": "50.00"}, "0.00", "known"),
        ({"rule": FLAT, "to": "AT"}, "4.90", "estimated"),
        ({"rule": FLAT, "by_country": TO_AUSTRIA, "to": "AT"}, "12.00", "known"),
        ({"by_country": TO_AUSTRIA, "to": "AT"}, "12.00", "known"),
        ({"by_country": TO_AUSTRIA, "told": "3.00"}, "3.00", "known"),
        ({"rule": {**FLAT, "min_order": "30"}}, "4.90", "known"),
        ({"rule": FLAT, "currency": "CHF"}, "5.44", "estimated"),
        ({"rule": BY_WEIGHT, "weight": Decimal(3)}, "4.50", "known"),
        ({"rule": BY_WEIGHT, "usual_weight": "3"}, "4.50", "estimated"),
        ({"told": "3.00"}, "3.00", "known"),
        ({"options": (DeliveryOption(country="AT", cost=Decimal(9)),), "to": "AT"}, "9.00", "known"),
    ],
)
def test_the_best_word_on_one_piece_counts(given: dict[str, Any], cost: str, basis: str) -> None:
    found = estimate(**given)
    assert found is not None
    assert (found.cost, found.basis) == (euros(cost), basis)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"by_country": TO_AUSTRIA},
        {"told": "3.00", "to": "FR"},
        {"rule": FLAT, "currency": "JPY"},
        {"rule": BY_WEIGHT},
        {"rule": {"tiers": [{"min_subtotal": "30", "cost": "0"}]}},
        {"rule": {"tiers": "damaged"}},
    ],
)
def test_what_nobody_says_is_unknown(given: dict[str, Any]) -> None:
    assert estimate(**given) is None


def test_free_from_is_told_where_nothing_comes_on_top() -> None:
    flat, heavy = estimate(rule=FLAT), estimate(rule={**FLAT, "per_item": "1"})
    assert flat is not None
    assert heavy is not None
    assert (flat.free_from, heavy.free_from) == (euros("50.00"), None)
