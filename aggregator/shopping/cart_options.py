"""What a shopper has and wants, written down with the cart: it decides which offers a plan may use."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aggregator.accounts.tokens import token_hash
from aggregator.db.models import CartLineRow, CartRow, OfferRow, StoreRow
from aggregator.domain.carts import MAX_COUPONS, Coupon
from aggregator.domain.errors import InvalidInput, NotFound
from aggregator.domain.identifiers import is_public_id
from aggregator.domain.money import Money
from aggregator.domain.plan_options import (
    MOST_COUPONS,
    MOST_EXCLUSIONS,
    PlanOptions,
    StoreCoupon,
    is_coupon_code,
)
from aggregator.domain.store_settings import read_country
from aggregator.domain.vocabulary import ItemCondition
from aggregator.shopping.cart_lines import StoredCart, change_cart, lock_cart
from aggregator.shopping.cart_offers import Market, read_cart_offers, today

_MOST_PARCEL_VALUE = Decimal(1_000)
_MOST_COUPON = Decimal(100_000)
_LATEST = timedelta(days=365)
_OFFER_ID = re.compile(r"[0-9a-z]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options that one form holds. `country` None takes the site's; amounts are in the cart's currency."""

    country: str | None
    conditions: frozenset[ItemCondition]
    parcel_value: Decimal
    deliver_by: date | None
    packs: bool


@dataclass(frozen=True, slots=True)
class ParcelWishes:
    """What a shopper chose of parcels: what an unknown shipping cost is ranked with, where they go; None where not."""

    assumed_shipping: Decimal | None = None
    country: str | None = None


def find_parcel_wishes(session: Session, token: str) -> ParcelWishes:
    """Those of the token's cart, in one small query; none where there is no cart."""
    row = session.execute(
        select(CartRow.assumed_shipping, CartRow.country).where(CartRow.token_hash == token_hash(token))
    ).one_or_none()
    return ParcelWishes(row.assumed_shipping, row.country) if row else ParcelWishes()


def set_wishes(session: Session, token: str | None, wishes: Wishes, *, currency: str = "EUR") -> None:
    """Plan with these from now on.

    Raises NotFound, and InvalidInput for no condition at all, an amount of 1,000 or more and a day that is past or
    over a year away.
    """
    if not wishes.conditions:
        raise InvalidInput(
            "nothing new, refurbished or used is left", place="conditions", remedy="choose one"
        )
    Money(wishes.parcel_value, currency).minor_units()
    if not 0 <= wishes.parcel_value < _MOST_PARCEL_VALUE:
        raise InvalidInput(
            f"{wishes.parcel_value} is not what a parcel less can be worth",
            place="parcel_value",
            remedy=f"less than {_MOST_PARCEL_VALUE}",
        )
    if wishes.deliver_by is not None and not today() <= wishes.deliver_by <= today() + _LATEST:
        raise InvalidInput(
            f"{wishes.deliver_by} cannot be the latest day",
            place="deliver_by",
            remedy="a day of the next year",
        )
    cart = lock_cart(session, token)
    options = replace(
        cart.options,
        conditions=wishes.conditions,
        parcel_value=wishes.parcel_value,
        deliver_by=wishes.deliver_by,
        packs=wishes.packs,
    )
    change_cart(session, cart, country=read_country(wishes.country), options=options.to_json())


def exclude_store(session: Session, token: str | None, store_id: str, *, is_excluded: bool = True) -> None:
    """Buy nothing of this store (its public id), or let it be bought from again. Raises NotFound, InvalidInput."""
    if is_excluded:
        _store_id(session, store_id)

    def change(options: PlanOptions) -> PlanOptions:
        return replace(
            options, excluded_stores=_changed(options.excluded_stores, store_id, is_in=is_excluded)
        )

    _change(session, token, change)


def exclude_offer(session: Session, token: str | None, offer_id: str, *, is_excluded: bool = True) -> None:
    """Do not buy this offer (its public id), or allow it again; one that was pinned is no more. Raises NotFound."""
    row_id = _offer_row_id(session, offer_id) if is_excluded else None

    def change(options: PlanOptions) -> PlanOptions:
        return replace(
            options, excluded_offers=_changed(options.excluded_offers, offer_id, is_in=is_excluded)
        )

    cart = _change(session, token, change)
    if row_id is not None:
        session.execute(
            update(CartLineRow)
            .where(CartLineRow.cart_id == cart.id, CartLineRow.pinned_offer_id == row_id)
            .values(pinned_offer_id=None)
        )


def pin_offer(
    session: Session, token: str | None, line_id: str, offer_id: str | None, *, currency: str = "EUR"
) -> None:
    """Buy a line of this offer alone (its public id); None lets the plan choose.

    A pinned offer is no longer excluded. Raises NotFound, also for an offer of another product.
    """
    cart = lock_cart(session, token)
    line = next((stored for stored in cart.lines if line_id in stored.row_public_ids), None)
    if line is None:
        raise NotFound("cart line", line_id)
    row_id = None
    if offer_id is not None:
        row_id = _offer_row_id(session, offer_id)
        market = Market(currency=currency, country=None, today=today())
        found = read_cart_offers(session, [line], cart.options, market)
        if all(offer.id != offer_id for offer in found.offers):
            raise NotFound("offer of this product", offer_id)
    session.execute(
        update(CartLineRow).where(CartLineRow.id.in_(line.row_ids)).values(pinned_offer_id=row_id)
    )
    options = cart.options
    if offer_id is not None:
        options = replace(options, excluded_offers=options.excluded_offers - {offer_id})
    change_cart(session, cart, options=options.to_json())


def set_membership(session: Session, token: str | None, store_id: str, *, is_member: bool) -> None:
    """Say whether the shopper gets a store's member prices. Raises NotFound and InvalidInput."""
    if is_member:
        _store_id(session, store_id)

    def change(options: PlanOptions) -> PlanOptions:
        return replace(options, memberships=_changed(options.memberships, store_id, is_in=is_member))

    _change(session, token, change)


def add_coupon(
    session: Session, token: str | None, store_id: str, coupon: Coupon, *, currency: str = "EUR"
) -> None:
    """Count with a coupon that the shopper has for a store; one of the same code there is replaced.

    Raises NotFound, and InvalidInput for a code that is none, a percentage above 100 or an implausible amount.
    """
    _store_id(session, store_id)
    if not is_coupon_code(coupon.id):
        raise InvalidInput("cannot be a coupon's code", place="code", remedy="1 to 40 characters")
    if (coupon.percent is None) == (coupon.amount is None):
        raise InvalidInput("a coupon is a percentage or an amount", place="coupon", remedy="give one of them")
    if coupon.percent is not None and not 0 < coupon.percent <= 100:
        raise InvalidInput(
            f"{coupon.percent} is no percentage", place="percent", remedy="above 0, at most 100"
        )
    for amount in (coupon.amount, coupon.min_subtotal):
        if amount is not None:
            Money(amount, currency).minor_units()
            if not 0 <= amount < _MOST_COUPON:
                raise InvalidInput(f"{amount} is not plausible", place="coupon", remedy="look at it again")
    cart = lock_cart(session, token)
    others = tuple(
        each
        for each in cart.options.coupons
        if (each.store, each.coupon.id.casefold()) != (store_id, coupon.id.casefold())
    )
    if len(others) >= MOST_COUPONS:
        raise InvalidInput(f"more than {MOST_COUPONS} coupons", remedy="remove one first")
    options = replace(cart.options, coupons=(*others, StoreCoupon(store_id, coupon)))
    if len(options.coupons_of(store_id)) > MAX_COUPONS:
        raise InvalidInput(f"more than {MAX_COUPONS} coupons for one store", remedy="remove one first")
    change_cart(session, cart, options=options.to_json())


def remove_coupon(session: Session, token: str | None, store_id: str, code: str) -> None:
    """Count no longer with a coupon. Raises NotFound where there is no cart."""

    def change(options: PlanOptions) -> PlanOptions:
        left = tuple(each for each in options.coupons if (each.store, each.coupon.id) != (store_id, code))
        return replace(options, coupons=left)

    _change(session, token, change)


def _change(session: Session, token: str | None, change: Callable[[PlanOptions], PlanOptions]) -> StoredCart:
    cart = lock_cart(session, token)
    change_cart(session, cart, options=change(cart.options).to_json())
    return cart


def _changed(known: frozenset[str], name: str, *, is_in: bool) -> frozenset[str]:
    if is_in and len(known) >= MOST_EXCLUSIONS:
        raise InvalidInput(f"more than {MOST_EXCLUSIONS} of them", remedy="take some back first")
    return known | {name} if is_in else known - {name}


def _store_id(session: Session, public_id: str) -> int:
    found = None
    if is_public_id(public_id):
        found = session.scalar(select(StoreRow.id).where(StoreRow.public_id == public_id))
    if found is None:
        raise NotFound("store", public_id)
    return found


def _offer_row_id(session: Session, public_id: str) -> int:
    found = None
    if _OFFER_ID.fullmatch(public_id):
        found = session.scalar(select(OfferRow.id).where(OfferRow.public_id == public_id))
    if found is None:
        raise NotFound("offer", public_id)
    return found
