"""From a basket in Decimal to a problem in whole numbers, without what no plan can use."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from aggregator.domain.carts import Basket, BasketStore, Coupon
from aggregator.domain.errors import BasketError
from aggregator.domain.money import currency_exponent
from aggregator.domain.shipping import ShippingRule
from aggregator.shopping.planning.model import WHOLE, Band, Choice, Problem, Shop, highest_subtotal


def build_problem(basket: Basket, *, assumed_shipping: Decimal | None) -> Problem:
    """The basket in whole numbers, without the offers and stores that no plan can use.

    Left out are what the shopper excludes, offers without stock, and stores that no permitted purchase brings to
    their least order. Raises BasketError where an amount has more decimals than the currency.
    """
    amounts = _Amounts(currency_exponent(basket.currency))
    line_of = {line.id: at for at, line in enumerate(basket.lines)}
    shop_of = {store.id: at for at, store in enumerate(basket.stores)}
    demand = tuple(line.quantity for line in basket.lines)

    assumed = amounts.minor(assumed_shipping or Decimal(0), "$.assumed_shipping")
    parcel = amounts.minor(basket.parcel_value, "$.parcel_value")
    tiers = [
        [(0, assumed)]
        if store.shipping is None
        else amounts.tiers(store.shipping, f"$.stores[{at}].shipping")
        for at, store in enumerate(basket.stores)
    ]
    coupons = [amounts.coupons(store, f"$.stores[{at}].coupons") for at, store in enumerate(basket.stores)]

    offered: dict[int, list[Choice]] = defaultdict(list)
    usable = set(usable_offers(basket))
    for place, offer in enumerate(basket.offers):
        path = f"$.offers[{place}]"
        line, shop = line_of[offer.line], shop_of[offer.store]
        price = amounts.minor(offer.price, f"{path}.price")
        deposit = amounts.minor(offer.deposit, f"{path}.deposit")
        sending = amounts.minor(offer.unit_shipping, f"{path}.unit_shipping")
        once = amounts.minor(offer.line_shipping, f"{path}.line_shipping")
        if basket.stores[shop].shipping is None:
            sending = once = 0
        packs = -(-demand[line] // offer.pack_size)
        limit = packs if offer.stock is None else min(offer.stock, packs)
        if limit == 1:
            sending, once = sending + once, 0
        if limit and place in usable:
            cost = price + deposit + sending
            offered[shop].append(Choice(place, line, shop, price, limit, cost, once, offer.pack_size))

    fees = [cost + parcel for ranges in tiers for _, cost in ranges]
    fixed = [amount for options in coupons for _, amount, _, _ in options]
    all_choices = [choice for choices in offered.values() for choice in choices]
    unit = math.gcd(
        *fees,
        *fixed,
        *(amount for choice in all_choices for amount in (choice.price, choice.cost, choice.once)),
    )
    if not unit or any(rate for options in coupons for rate, _, _, _ in options):
        unit = 1  # a rounded percentage is a multiple of nothing larger

    shops: dict[int, Shop] = {}
    for number, store in enumerate(basket.stores):
        choices = tuple(
            choice._replace(price=choice.price // unit, cost=choice.cost // unit, once=choice.once // unit)
            for choice in offered.get(number, ())
        )
        if not choices:
            continue
        reach = highest_subtotal(choices, demand)
        bands = _bands(tiers[number], unit, reach, parcel)
        if len(coupons[number]) > 1:
            bands = _bands_with_coupons(tiers[number], coupons[number], unit, reach, parcel)
        if bands:
            shops[number] = Shop(
                number, store.shipping is not None, bands, choices, reach, len(coupons[number]) > 1
            )
    return Problem(
        demand=demand,
        shops=shops,
        max_stores=basket.max_stores,
        assumed=assumed_shipping is not None,
        quantum=Decimal(unit).scaleb(-amounts.exponent),
    )


def usable_offers(basket: Basket) -> Iterator[int]:
    """The places of the offers that the shopper does not exclude: of a line with pinned offers, those alone."""
    excluded = {store.id for store in basket.stores if store.excluded}
    wanted = [not offer.excluded and offer.store not in excluded for offer in basket.offers]
    pinned = {offer.line for offer in basket.offers if offer.pinned}
    for place, offer in enumerate(basket.offers):
        if wanted[place] and (offer.pinned or offer.line not in pinned):
            yield place


_Option = tuple[int, int, int, int | None]  # rate and amount off, for subtotals from .. to


class _Amounts:
    """Amounts of one currency in its minor units."""

    def __init__(self, exponent: int) -> None:
        self.exponent = exponent

    def minor(self, amount: Decimal, path: str) -> int:
        minor = int(amount.scaleb(self.exponent))
        if Decimal(minor).scaleb(-self.exponent) != amount:
            remedy = f"at most {self.exponent} decimals"
            raise BasketError(f"{amount} has more decimals than the currency", place=path, remedy=remedy)
        return minor

    def tiers(self, rule: ShippingRule, path: str) -> list[tuple[int, int]]:
        """(subtotal, cost), ascending, from the minimum order on."""
        tiers = sorted(
            (
                self.minor(tier.min_subtotal, f"{path}.tiers[{at}].min_subtotal"),
                self.minor(tier.cost, f"{path}.tiers[{at}].cost"),
            )
            for at, tier in enumerate(rule.tiers)
        )
        if rule.min_order is not None:
            least = self.minor(rule.min_order, f"{path}.min_order")
            below = [tier for tier in tiers if tier[0] <= least]
            above = [tier for tier in tiers if tier[0] > least]
            tiers = ([(least, below[-1][1])] if below else []) + above
        return tiers

    def coupons(self, store: BasketStore, path: str) -> list[_Option]:
        """The ways to pay there: none of the coupons, or one of them."""
        options: list[_Option] = [(0, 0, 0, None)]
        for at, coupon in enumerate(store.coupons):
            options += self._options(coupon, f"{path}[{at}]")
        return options

    def _options(self, coupon: Coupon, path: str) -> list[_Option]:
        least = self.minor(coupon.min_subtotal, f"{path}.min_subtotal")
        if coupon.percent is not None:
            return [(int(coupon.percent * WHOLE / 100), 0, least, None)]
        amount = self.minor(coupon.amount or Decimal(0), f"{path}.amount")
        options: list[_Option] = [(0, amount, max(least, amount), None)]
        return [*options, (WHOLE, 0, least, amount - 1)] if least < amount else options


def _bands(tiers: list[tuple[int, int]], unit: int, reach: int, parcel: int) -> tuple[Band, ...]:
    """Tiers in minor units as bands in `unit`s, up to the highest subtotal within reach.

    Subtotals are multiples of the unit, so a lower end is rounded up.
    """
    bands: list[Band] = []
    for at, (start, cost) in enumerate(tiers):
        low = -(-start // unit)
        high = -(-tiers[at + 1][0] // unit) - 1 if at + 1 < len(tiers) else None
        if low > reach or (high is not None and high < low):
            continue
        if high is not None and high >= reach:
            high = None
        ranked = (cost + parcel) // unit
        if bands and bands[-1].cost == ranked:
            bands[-1] = Band(bands[-1].low, high, ranked)
        else:
            bands.append(Band(low, high, ranked))
    return tuple(bands)


def _bands_with_coupons(
    tiers: list[tuple[int, int]], options: list[_Option], unit: int, reach: int, parcel: int
) -> tuple[Band, ...]:
    """Every tier with every way to pay, where a subtotal before the discount comes to the tier after it."""
    bands: list[Band] = []
    for rate, amount, least, most in options:
        for at, (start, cost) in enumerate(tiers):
            ends = [reach * unit] if most is None else [reach * unit, most]
            if at + 1 < len(tiers):
                beyond = _gross(tiers[at + 1][0], rate, amount)
                ends += [] if beyond is None else [beyond - 1]
            first = _gross(start, rate, amount)
            if first is None:
                continue
            low, high = -(-max(least, first) // unit), min(ends) // unit
            if low <= high:
                bands.append(
                    Band(low, None if high >= reach else high, (cost + parcel - amount) // unit, rate)
                )
    return tuple(sorted(bands, key=lambda band: band.low))


def _gross(net: int, rate: int, amount: int) -> int | None:
    """The lowest subtotal of which so much is left after the discount; None where it never is."""
    if not rate:
        return net + amount
    if not net:
        return 0
    if rate == WHOLE:
        return None
    # What is left never falls as the subtotal grows, and is at least its unrounded share.
    enough = -(-net * WHOLE // (WHOLE - rate))
    return bisect_left(range(enough), net, key=lambda gross: gross - gross * rate // WHOLE)
