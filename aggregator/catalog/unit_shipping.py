"""What sending one piece of an offer costs, for pages, search and alerts: by the rules that carts are planned with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from functools import partial
from typing import Any

from aggregator.catalog.exchange_rates import ExchangeRates
from aggregator.catalog.shipping_terms import (
    UNKNOWN,
    SaidByOffer,
    ShippingTerms,
    StoreRules,
    converted,
    shipping_terms,
)
from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import Money, currency_exponent
from aggregator.domain.products import ShippingEstimate
from aggregator.domain.shipping import ShippingRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """A store as far as its parcels go: its key, the currency that its rules are told in, and these rules."""

    id: int
    currency: str | None
    rules: StoreRules

    @classmethod
    def of(cls, store_id: int, row: Any) -> Seller:
        """From a row that has the store's columns of these names."""
        return cls(id=store_id, currency=row.currency, rules=StoreRules.of(row))


class UnitShipping:
    """What one piece costs to be sent to a country (None: each store's own). Reads the rules of a store once."""

    def __init__(self, country: str | None, rates: ExchangeRates) -> None:
        self._country = country
        self._rates = rates
        self._written: dict[tuple[int, str], ShippingTerms | None] = {}

    def estimate(
        self, seller: Seller, price: Money, said: SaidByOffer, usual_weight: Decimal | None = None
    ) -> ShippingEstimate | None:
        """The cost in the price's currency; None where it is unknown.

        It is estimated where a rule is meant for another country, told in another currency, or by a weight (kg) that
        only other offers of the product tell. What an offer says of itself is known: one piece is what it speaks of.
        """
        key = seller.id, price.currency
        if key not in self._written:
            self._written[key] = self._read(seller, price.currency)
        terms = self._written[key]
        is_estimate = terms is not None and terms.basis == "estimated"
        if terms is None:
            terms = shipping_terms(seller.rules, self._country, (said,))
        rule = terms.rule
        cost = None if rule is None else _of_one(rule, price, said.delivery.weight, usual_weight)
        if rule is None or cost is None:
            return None
        if rule.per_kg and said.delivery.weight is None:
            is_estimate = True
        money = partial(Money, currency=price.currency)
        return ShippingEstimate(
            cost=money(cost).rounded(),
            basis="estimated" if is_estimate else "known",
            free_from=money(rule.free_from).rounded() if rule.free_from else None,
        )

    def _read(self, seller: Seller, currency: str) -> ShippingTerms | None:
        """What is written down for the country, in that currency; None where nothing is."""
        try:
            terms = shipping_terms(seller.rules, self._country)
        except InvalidInput:
            # A search index of a million products is made past a rule that nobody can read.
            return UNKNOWN
        if terms.rule is None or seller.currency in {None, currency}:
            return terms if terms.rule else None
        factor = self._rates.factor(seller.currency or currency, currency)
        if factor is None:
            return UNKNOWN
        return ShippingTerms(rule=converted(terms.rule, factor, currency), basis="estimated")


def _of_one(
    rule: ShippingRule, price: Money, weight: Decimal | None, usual_weight: Decimal | None
) -> Decimal | None:
    cost = rule.cost(price.amount)
    if cost is None:
        # Below the minimum order one unit alone cannot be sent; its tier's cost applies with more in the cart.
        cost = ShippingRule(rule.tiers).cost(price.amount)
    kilograms = usual_weight if weight is None else weight
    if cost is None or (rule.per_kg and kilograms is None):
        return None
    added = (rule.per_item or Decimal(0)) + (rule.per_kg or Decimal(0)) * (kilograms or Decimal(0))
    return cost + added.quantize(Decimal(1).scaleb(-currency_exponent(price.currency)), ROUND_UP)
