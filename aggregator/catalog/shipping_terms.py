"""What sending from a store to a country costs: how sure that is, who said it, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any, Literal

from aggregator.catalog.exchange_rates import rounded
from aggregator.domain.delivery import DeliveryOption, DeliveryTerms
from aggregator.domain.money import currency_exponent
from aggregator.domain.shipping import ShippingRule, ShippingTier

Basis = Literal["known", "estimated", "unknown"]
Source = Literal["operator", "store", "offers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingTerms:
    """A store's rule for one country. `rule` is None where the basis is unknown.

    `source`: an operator's word, the store's own (registered with it), or what its offers say each.
    """

    rule: ShippingRule | None
    basis: Basis
    source: Source | None = None
    as_of: datetime | None = None


UNKNOWN = ShippingTerms(rule=None, basis="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRules:
    """What is written down for a store: its rule, and others for parcels to named countries."""

    country: str | None
    shipping: Mapping[str, Any] | None
    shipping_by_country: Mapping[str, Any]
    source: str | None
    updated_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> StoreRules:
        """From a row that has the store's columns."""
        return cls(
            country=row.country,
            shipping=row.shipping,
            shipping_by_country=row.shipping_by_country,
            source=row.shipping_source,
            updated_at=row.shipping_updated_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidByOffer:
    """What one offer says: its `delivery`, and the price of sending to the store's own country alone."""

    delivery: DeliveryTerms
    shipping_cost: Decimal | None
    checked_at: datetime


def shipping_terms(store: StoreRules, country: str | None, said: Iterable[SaidByOffer] = ()) -> ShippingTerms:
    """The terms for parcels to that country (None: the store's own), in the store's currency.

    A rule for the country goes before the store's general one, and that before what offers say. The general rule is
    an estimate where the parcel leaves the store's country; what offers say always is, since it is told by the piece:
    the highest of them stands for the parcel.
    """
    given = store.shipping_by_country.get(country or store.country or "")
    is_home = country is None or store.country is None or country == store.country
    source: Source = "operator" if store.source in {None, "operator"} else "store"
    if given is not None:
        return ShippingTerms(
            rule=ShippingRule.from_json(given), basis="known", source=source, as_of=store.updated_at
        )
    if store.shipping is not None:
        rule = ShippingRule.from_json(store.shipping)
        basis: Basis = "known" if is_home else "estimated"
        return ShippingTerms(rule=rule, basis=basis, source=source, as_of=store.updated_at)
    return _said_by_offers(tuple(said), country, store.country)


def converted(rule: ShippingRule, factor: Decimal, currency: str) -> ShippingRule:
    """The rule in another currency. Limits are rounded up, so that free shipping is not promised a cent too early."""
    if factor == 1:
        return rule
    unit = Decimal(1).scaleb(-currency_exponent(currency))

    def limit(amount: Decimal) -> Decimal:
        return (amount * factor).quantize(unit, ROUND_UP)

    tiers = {limit(tier.min_subtotal): rounded(tier.cost * factor, currency) for tier in rule.tiers}
    return replace(
        rule,
        tiers=tuple(ShippingTier(start, cost) for start, cost in tiers.items()),
        min_order=None if rule.min_order is None else limit(rule.min_order),
        per_item=None if rule.per_item is None else rounded(rule.per_item * factor, currency),
        per_kg=None if rule.per_kg is None else rule.per_kg * factor,
    )


def cheapest_option(options: Iterable[DeliveryOption]) -> DeliveryOption | None:
    """The option of least cost among those that tell one."""
    priced = [option for option in options if option.cost is not None]
    return min(priced, key=lambda option: option.cost or Decimal(0), default=None)


def _said_by_offers(said: tuple[SaidByOffer, ...], country: str | None, home: str | None) -> ShippingTerms:
    told = []
    is_home = country is None or home is None or country == home
    for offer in said:
        option = cheapest_option(offer.delivery.to_country(country, home))
        if option is None and is_home and offer.shipping_cost is not None:
            option = DeliveryOption(cost=offer.shipping_cost)
        if option is not None and option.cost is not None:
            told.append((option.cost, option.free_from, offer.checked_at))
    if not told:
        return UNKNOWN
    cost = max(cost for cost, _, _ in told)
    limits = [free_from for _, free_from, _ in told]
    free_from = max((limit for limit in limits if limit is not None), default=None)
    rule = ShippingRule.flat(cost, free_from=free_from if None not in limits and free_from and cost else None)
    return ShippingTerms(
        rule=rule, basis="estimated", source="offers", as_of=min(checked for _, _, checked in told)
    )
