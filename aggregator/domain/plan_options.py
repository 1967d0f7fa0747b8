"""What a shopper has and wants, beside the products: it decides which offers a plan may use and how it ranks them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from aggregator.domain.carts import Coupon
from aggregator.domain.vocabulary import ItemCondition

MOST_EXCLUSIONS = 500
MOST_COUPONS = 50


@dataclass(frozen=True, slots=True)
class StoreCoupon:
    """A coupon and the store (public id) that takes it; `coupon.id` is the code that the shopper types there."""

    store: str
    coupon: Coupon


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """A shopper's wishes. Stores and offers are public ids; `parcel_value` is in the cart's currency.

    `memberships`: stores whose member prices the shopper gets. `deliver_by`: only offers that are known to arrive by
    then. `packs`: a multipack may stand for single pieces.
    """

    conditions: frozenset[ItemCondition] = frozenset({ItemCondition.NEW})
    excluded_stores: frozenset[str] = frozenset()
    excluded_offers: frozenset[str] = frozenset()
    memberships: frozenset[str] = frozenset()
    coupons: tuple[StoreCoupon, ...] = ()
    parcel_value: Decimal = Decimal(0)
    deliver_by: date | None = None
    packs: bool = True

    def coupons_of(self, store: str) -> tuple[Coupon, ...]:
        """The coupons for one store."""
        return tuple(each.coupon for each in self.coupons if each.store == store)

    def to_json(self) -> dict[str, Any]:
        """What differs from the usual."""
        usual = PlanOptions()
        written: dict[str, Any] = {
            "conditions": sorted(self.conditions),
            "excluded_stores": sorted(self.excluded_stores),
            "excluded_offers": sorted(self.excluded_offers),
            "memberships": sorted(self.memberships),
            "coupons": [_coupon_json(each) for each in self.coupons],
            "parcel_value": str(self.parcel_value),
            "deliver_by": None if self.deliver_by is None else self.deliver_by.isoformat(),
            "packs": self.packs,
        }
        return {name: value for name, value in written.items() if getattr(self, name) != getattr(usual, name)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> PlanOptions:
        """Read the form that `to_json` writes: our own, so that damage is an error (ValueError, KeyError)."""
        deliver_by = document.get("deliver_by")
        return cls(
            conditions=frozenset(
                ItemCondition(each) for each in document.get("conditions", [ItemCondition.NEW.value])
            ),
            excluded_stores=frozenset(document.get("excluded_stores", ())),
            excluded_offers=frozenset(document.get("excluded_offers", ())),
            memberships=frozenset(document.get("memberships", ())),
            coupons=tuple(_read_coupon(each) for each in document.get("coupons", ())),
            parcel_value=Decimal(document.get("parcel_value", "0")),
            deliver_by=None if deliver_by is None else date.fromisoformat(deliver_by),
            packs=bool(document.get("packs", True)),
        )


def is_coupon_code(text: str) -> bool:
    """Whether a text can be what a shopper types into a store's coupon field: 1 to 40 printable characters."""
    return bool(re.fullmatch(r"[^\s<>\x00-\x1f\x7f](?:[^<>\x00-\x1f\x7f]{0,38}[^\s<>\x00-\x1f\x7f])?", text))


def _coupon_json(each: StoreCoupon) -> dict[str, Any]:
    coupon = each.coupon
    return {
        "store": each.store,
        "code": coupon.id,
        "percent": None if coupon.percent is None else str(coupon.percent),
        "amount": None if coupon.amount is None else str(coupon.amount),
        "min_subtotal": str(coupon.min_subtotal),
    }


def _read_coupon(document: Mapping[str, Any]) -> StoreCoupon:
    percent, amount = document["percent"], document["amount"]
    return StoreCoupon(
        document["store"],
        Coupon(
            document["code"],
            percent=None if percent is None else Decimal(percent),
            amount=None if amount is None else Decimal(amount),
            min_subtotal=Decimal(document["min_subtotal"]),
        ),
    )
