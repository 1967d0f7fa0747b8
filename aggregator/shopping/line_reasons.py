"""Why each part of a plan is bought where it is: compared with the cheapest other way, all sums added up anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from aggregator.domain.carts import Allocation, Basket, BasketOffer, Plan
from aggregator.domain.money import Money
from aggregator.domain.plan_reasons import LineReason, Why
from aggregator.shopping.planning.adding import store_share

Bought = dict[str, int]  # offer's id -> packs


def line_reasons(basket: Basket, plan: Plan, names: Mapping[str, str]) -> dict[str, LineReason]:
    """Offer's id -> why it is bought, for each offer of the plan; `names` are the stores' by id."""
    compared = _Comparison(basket, plan, names)
    return {allocation.offer: compared.reason(allocation) for allocation in plan.allocations}


def unit_cost(offer: BasketOffer) -> Decimal:
    """What one piece costs with what comes on top of each, the store's parcel apart."""
    return (offer.price + offer.deposit + offer.unit_shipping) / offer.pack_size


class _Comparison:
    def __init__(self, basket: Basket, plan: Plan, names: Mapping[str, str]) -> None:
        self._basket = basket
        self._names = names
        self._stores = {store.id: store for store in basket.stores}
        self._offers = {offer.id: offer for offer in basket.offers}
        pinned = {offer.line for offer in basket.offers if offer.pinned}
        self._of_line: dict[str, list[BasketOffer]] = defaultdict(list)
        for offer in basket.offers:
            wanted = not offer.excluded and not self._stores[offer.store].excluded
            if wanted and (offer.line not in pinned or offer.pinned):
                self._of_line[offer.line].append(offer)
        self._bought: dict[str, Bought] = defaultdict(dict)
        for allocation in plan.allocations:
            self._bought[allocation.store][allocation.offer] = allocation.quantity
        self._paid = {store: self._order(store, bought) for store, bought in self._bought.items()}

    def reason(self, allocation: Allocation) -> LineReason:
        """Why this part of a line is bought of its offer."""
        offer = self._offers[allocation.offer]
        others = [
            other
            for other in self._of_line[offer.line]
            if other.store != offer.store and (other.stock is None or other.stock > 0)
        ]
        if offer.pinned:
            return LineReason(why=Why.PINNED)
        if not others:
            return LineReason(why=Why.ONLY)
        cheapest = min(others, key=unit_cost)
        if unit_cost(offer) <= unit_cost(cheapest):
            return LineReason(why=Why.CHEAPEST)
        return self._compare(allocation, offer, cheapest)

    def _compare(self, allocation: Allocation, offer: BasketOffer, other: BasketOffer) -> LineReason:
        packs = -(-allocation.units // other.pack_size)
        less = unit_cost(offer) * allocation.units - unit_cost(other) * packs * other.pack_size
        plain = LineReason(
            why=Why.WHOLE_CART,
            store=self._names[other.store],
            less=self._money(less) if less > 0 else None,
        )
        already = self._bought.get(other.store, {}).get(other.id, 0)
        if other.stock is not None and already + packs > other.stock:
            return replace(plain, why=Why.STOCK, stock=other.stock)
        is_new = other.store not in self._bought
        left = {key: bought for key, bought in self._bought[offer.store].items() if key != offer.id}
        limit = self._basket.max_stores
        if is_new and left and limit is not None and len(self._bought) >= limit:
            return replace(plain, why=Why.MAX_STORES)
        there = self._order(other.store, {**self._bought.get(other.store, {}), other.id: already + packs})
        here = self._order(offer.store, left) if left else Decimal(0)
        if there is None:
            rule = self._stores[other.store].shipping
            least = None if rule is None or rule.min_order is None else self._money(rule.min_order)
            return replace(plain, why=Why.MIN_ORDER, min_order=least)
        if here is None:  # what stays behind would be too little for its store
            return plain
        before = (self._paid[offer.store] or Decimal(0)) + (self._paid.get(other.store) or Decimal(0))
        more = there + here - before
        ranked = more + self._basket.parcel_value * (int(is_new) - int(not left))
        return replace(
            plain,
            why=Why.WHOLE_CART if more >= 0 else Why.PARCELS if ranked >= 0 else Why.UNPROVEN,
            more=self._money(more),
            is_assumed=any(self._stores[store].shipping is None for store in (offer.store, other.store)),
        )

    def _order(self, store_id: str, bought: Mapping[str, int]) -> Decimal | None:
        """What an order costs there, unknown shipping as assumed; None where the store does not take it."""
        lots = [(self._offers[key], packs) for key, packs in bought.items()]
        share = store_share(self._stores[store_id], lots, self._basket.currency)
        if share is None:
            return None
        assumed = self._basket.assumed_shipping or Decimal(0)
        return share.total + (assumed if share.shipping is None else 0)

    def _money(self, amount: Decimal) -> Money:
        return Money(amount, self._basket.currency).rounded()
