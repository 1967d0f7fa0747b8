"""What can be bought for the lines of a cart: current offers in the cart's currency, with what comes on top of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_UP, Decimal
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from aggregator.catalog.exchange_rates import ExchangeRates, current_rates, rounded
from aggregator.catalog.shipping_terms import (
    UNKNOWN,
    SaidByOffer,
    ShippingTerms,
    StoreRules,
    converted,
    shipping_terms,
)
from aggregator.domain.carts import MAX_OFFERS, MAX_STORES
from aggregator.domain.delivery import latest_arrival
from aggregator.domain.live_checks import FreshOffer
from aggregator.domain.money import Money, currency_exponent
from aggregator.domain.plan_options import PlanOptions
from aggregator.domain.plan_reasons import LeftOut
from aggregator.domain.taxes import standard_vat_factor
from aggregator.domain.vocabulary import Availability, ItemCondition, PriceKind, TaxBasis
from aggregator.shopping.cart_lines import StoredLine
from aggregator.shopping.live_checks import fresh_offers
from aggregator.shopping.offer_lots import Lot, read_lots, read_rules, unit_weights

# Made or sent later, so that what lies in stock now is no limit and a delivery time says little.
_TO_ORDER = frozenset(
    {Availability.BACK_ORDER, Availability.MADE_TO_ORDER, Availability.PRE_ORDER, Availability.PRE_SALE}
)
# Offers of these cannot be planned at all; of the rest the shopper does not want some.
_UNUSABLE = frozenset({LeftOut.MEMBER, LeftOut.FROM_PRICE, LeftOut.CURRENCY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Whom a cart is planned for: the currency it counts in, where parcels go, and today's date there."""

    currency: str
    country: str | None
    today: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CartStore:
    """A store that sells something of the cart. `terms` are in the cart's currency.

    `rates_of` is the day of the exchange rates where it asks another currency.
    """

    id: str
    slug: str
    name: str
    platform: str
    terms: ShippingTerms
    currency: str
    tax_basis: TaxBasis
    rates_of: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartOffer:
    """One way to buy a line. Amounts are for one pack, in the cart's currency, VAT added where it was told without.

    `original` is what the store asks, where that is another amount. `left_out`: why the shopper does not want it.
    """

    id: str
    line_id: str
    store: CartStore
    title: str
    url: str
    price: Money
    original: Money | None
    stock: int | None
    checked_at: datetime
    pack_size: int = 1
    deposit: Decimal = Decimal(0)
    unit_shipping: Decimal = Decimal(0)
    arrives_by: date | None = None
    condition: ItemCondition = ItemCondition.NEW
    is_member_price: bool = False
    left_out: LeftOut | None = None
    is_pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CartOffers:
    """All ways to buy the cart, cheapest first, and by line what else is offered and why it cannot be used.

    `member_stores`: those, by id, that sell something of it at another price to their members.
    """

    offers: tuple[CartOffer, ...]
    unusable: Mapping[str, Counter[LeftOut]]
    member_stores: Mapping[str, CartStore]


def read_cart_offers(
    session: Session,
    lines: Sequence[StoredLine],
    options: PlanOptions,
    market: Market,
    *,
    without_stores: Collection[str] = (),
) -> CartOffers:
    """The current offers of these lines' products, in a constant number of queries.

    What stores said of an offer within the last minutes goes before what a crawl read earlier. With `packs` in the
    options, multipacks of a product stand for so many of it.
    """
    lots = read_lots(session, lines, packs=options.packs, without_stores=without_stores)
    is_foreign = any(
        lot.row.price_currency != market.currency or lot.row.currency not in {None, market.currency}
        for lot in lots
    )
    rates = current_rates(session, market.today) if is_foreign else ExchangeRates()
    rules = read_rules(session, {lot.row.store_id for lot in lots})
    reader = _Reader(options, market, rates, lots, rules)
    seen = fresh_offers(session, [lot.row.id for lot in lots])
    read = (reader.offer(lot, seen.get(lot.row.id)) for lot in lots)
    offers = [offer for offer in read if offer is not None]
    offers.sort(key=lambda offer: (offer.price.amount / offer.pack_size, offer.price.amount))
    return CartOffers(offers=tuple(offers), unusable=reader.unusable, member_stores=reader.member_stores())


def within_limits(
    offers: Sequence[CartOffer], *, most_stores: int = MAX_STORES, most_offers: int = MAX_OFFERS
) -> tuple[CartOffer, ...]:
    """All of the offers, or as many as can be planned: of the stores that are among the cheapest for some line.

    What the shopper chose comes first, what is left out last.
    """
    if len(offers) <= most_offers and len({offer.store.id for offer in offers}) <= most_stores:
        return tuple(offers)
    seen: Counter[str] = Counter()
    ranks = []
    for place, offer in enumerate(offers):
        seen[offer.line_id] += 1
        ranks.append((not offer.is_pinned, offer.left_out is not None, seen[offer.line_id], place))
    stores: set[str] = set()
    kept: list[int] = []
    for *_, place in sorted(ranks):
        store_id = offers[place].store.id
        if len(kept) < most_offers and (store_id in stores or len(stores) < most_stores):
            stores.add(store_id)
            kept.append(place)
    return tuple(offers[place] for place in sorted(kept))


class _Reader:
    """Reads rows as offers of one cart, and counts those that cannot be used."""

    def __init__(
        self,
        options: PlanOptions,
        market: Market,
        rates: ExchangeRates,
        lots: Sequence[Lot],
        rules: Mapping[str, StoreRules],
    ) -> None:
        self._lots = lots
        self._options = options
        self._market = market
        self._rates = rates
        self._vat = standard_vat_factor(market.country)
        self._rules = rules
        self._unit = Decimal(1).scaleb(-currency_exponent(market.currency))
        self._weights = unit_weights(lots)
        by_store: defaultdict[str, list[Lot]] = defaultdict(list)
        for lot in lots:
            by_store[lot.row.store_id].append(lot)
        self._stores = {store_id: self._store(of_store) for store_id, of_store in by_store.items()}
        self.unusable: defaultdict[str, Counter[LeftOut]] = defaultdict(Counter)

    def offer(self, lot: Lot, fresh: FreshOffer | None) -> CartOffer | None:
        """The offer as it can be planned; None where it is sold out, or counted as unusable."""
        row, market = lot.row, self._market
        if fresh is not None and fresh.checked_at <= row.checked_at:
            fresh = None
        if fresh is not None and fresh.is_sold_out:
            return None
        asked = Money(row.price, row.price_currency) if fresh is None else fresh.price
        price = self._in_cart(asked, _tax_basis(row))
        arrives_by = self._arrival(lot)
        is_pinned = row.id == lot.stored.pinned_offer_id
        reason = LeftOut.CURRENCY if price is None else self._reason(row, is_pinned, arrives_by)
        if price is None or reason in _UNUSABLE:
            self.unusable[lot.stored.line.id][reason or LeftOut.CURRENCY] += 1
            return None
        deposit = lot.delivery.deposit
        if deposit is not None:
            deposit = rounded(
                deposit * (self._rates.factor(asked.currency, market.currency) or 1), market.currency
            )
        stock = _stock(row.availability, row.stock_level)
        if fresh is not None and fresh.stock is not None:
            stock = fresh.stock
        return CartOffer(
            id=row.public_id,
            line_id=lot.stored.line.id,
            store=self._stores[row.store_id],
            title=row.title,
            url=row.url,
            price=price,
            original=asked if asked != price and asked.rounded() != price else None,
            stock=stock,
            checked_at=row.checked_at if fresh is None else fresh.checked_at,
            pack_size=lot.size,
            deposit=deposit or Decimal(0),
            unit_shipping=self._unit_shipping(lot),
            arrives_by=arrives_by,
            condition=ItemCondition(row.item_condition),
            is_member_price=row.price_kind == PriceKind.MEMBER,
            left_out=reason,
            is_pinned=is_pinned,
        )

    def member_stores(self) -> dict[str, CartStore]:
        """The stores that tell a price for their members."""
        told = {lot.row.store_id for lot in self._lots if lot.row.price_kind == PriceKind.MEMBER}
        return {store_id: self._stores[store_id] for store_id in sorted(told)}

    def _store(self, lots: Sequence[Lot]) -> CartStore:
        row = lots[0].row
        asks = row.currency or row.price_currency
        return CartStore(
            id=row.store_id,
            slug=row.slug,
            name=row.name,
            platform=row.platform,
            terms=self._terms(lots),
            currency=asks,
            tax_basis=_tax_basis(row),
            rates_of=self._rates.as_of(asks, self._market.currency),
        )

    def _terms(self, lots: Sequence[Lot]) -> ShippingTerms:
        first = lots[0].row
        said = (
            SaidByOffer(
                delivery=lot.delivery, shipping_cost=lot.row.shipping_cost, checked_at=lot.row.checked_at
            )
            for lot in lots
        )
        terms = shipping_terms(self._rules[first.store_id], self._market.country, said)
        if terms.rule is None:
            return terms
        # What offers say is in their own currency, a rule in the store's.
        asked = {first.currency or self._market.currency}
        if terms.source == "offers":
            asked = {lot.row.price_currency for lot in lots}
        factor = self._rates.factor(min(asked), self._market.currency) if len(asked) == 1 else None
        if factor is None:
            return UNKNOWN
        if asked != {self._market.currency}:
            terms = replace(
                terms, rule=converted(terms.rule, factor, self._market.currency), basis="estimated"
            )
        return self._by_weight(terms, lots)

    def _by_weight(self, terms: ShippingTerms, lots: Sequence[Lot]) -> ShippingTerms:
        """Without the weight of a piece a price by weight is unknown; with that of other stores' it is estimated."""
        if terms.rule is None or not terms.rule.per_kg:
            return terms
        unsaid = [lot for lot in lots if lot.delivery.weight is None]
        if any(lot.stored.line.id not in self._weights for lot in unsaid):
            return UNKNOWN
        return replace(terms, basis="estimated") if unsaid else terms

    def _unit_shipping(self, lot: Lot) -> Decimal:
        rule = self._stores[lot.row.store_id].terms.rule
        if rule is None or not (rule.per_item or rule.per_kg):
            return Decimal(0)
        weight = lot.delivery.weight
        if weight is None:
            weight = self._weights.get(lot.stored.line.id, Decimal(0)) * lot.size
        added = (rule.per_item or Decimal(0)) + (rule.per_kg or Decimal(0)) * weight
        return added.quantize(self._unit, ROUND_UP)

    def _in_cart(self, asked: Money, basis: TaxBasis) -> Money | None:
        if asked.currency == self._market.currency and basis is not TaxBasis.EXCLUDED:
            return asked.rounded()
        factor = self._rates.factor(asked.currency, self._market.currency)
        if factor is None:
            return None
        if basis is TaxBasis.EXCLUDED and self._vat is not None:
            factor *= self._vat
        return Money(asked.amount * factor, self._market.currency).rounded()

    def _arrival(self, lot: Lot) -> date | None:
        if lot.row.availability in _TO_ORDER:
            return None
        options = lot.delivery.to_country(self._market.country, lot.row.country)
        days = [option.most_days for option in options if option.most_days is not None]
        rule = self._stores[lot.row.store_id].terms.rule
        if not days and rule is not None and rule.delivery_days is not None:
            days = [rule.delivery_days]
        return latest_arrival(self._market.today, max(days)) if days else None

    def _reason(self, row: Row[*tuple[Any, ...]], is_pinned: bool, arrives_by: date | None) -> LeftOut | None:
        options = self._options
        if row.price_kind == PriceKind.FROM:
            return LeftOut.FROM_PRICE
        if row.price_kind == PriceKind.MEMBER and row.store_id not in options.memberships:
            return LeftOut.MEMBER
        if row.store_id in options.excluded_stores:
            return LeftOut.STORE
        if row.public_id in options.excluded_offers:
            return LeftOut.OFFER
        if ItemCondition(row.item_condition) not in options.conditions and not is_pinned:
            return LeftOut.CONDITION
        if options.deliver_by is not None and arrives_by is None:
            return LeftOut.DELIVERY_UNKNOWN
        if options.deliver_by is not None and arrives_by is not None and arrives_by > options.deliver_by:
            return LeftOut.LATE
        return None


def _tax_basis(row: Row[*tuple[Any, ...]]) -> TaxBasis:
    told = TaxBasis(row.tax_basis)
    return TaxBasis(row.store_tax_basis) if told is TaxBasis.UNKNOWN else told


def _stock(availability: str | None, stock_level: int | None) -> int | None:
    if stock_level is None or availability in _TO_ORDER:
        return None
    return max(0, stock_level)


def today() -> date:
    """The date by which a plan is made."""
    return datetime.now(UTC).date()
