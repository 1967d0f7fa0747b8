"""What a store asks for sending a parcel, as far as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from aggregator.domain.errors import InvalidInput

MOST_DELIVERY_DAYS = 365


@dataclass(frozen=True, slots=True)
class ShippingTier:
    """From this subtotal on (major units, inclusive) sending costs this much."""

    min_subtotal: Decimal
    cost: Decimal

    def __post_init__(self) -> None:
        for amount in (self.min_subtotal, self.cost):
            if not amount.is_finite() or amount < 0:
                raise InvalidInput(f"{amount} is not an amount a shipping tier can hold")


@dataclass(frozen=True, slots=True)
class ShippingRule:
    """A store's tiers, in any order, and the least it accepts an order for.

    `per_item` (each piece) and `per_kg` (by weight) come on top of the tier that applies. `delivery_days` is how many
    working days a parcel takes at most. A store whose shipping is unknown has no rule at all: None stands in its place.
    """

    tiers: tuple[ShippingTier, ...]
    min_order: Decimal | None = None
    per_item: Decimal | None = None
    per_kg: Decimal | None = None
    delivery_days: int | None = None

    def __post_init__(self) -> None:
        if len({tier.min_subtotal for tier in self.tiers}) != len(self.tiers):
            raise InvalidInput("two shipping tiers start at the same subtotal", remedy="keep one of them")
        if self.min_order is not None and (not self.min_order.is_finite() or self.min_order < 0):
            raise InvalidInput(f"{self.min_order} is not a minimum order")
        for surcharge in (self.per_item, self.per_kg):
            if surcharge is not None and (not surcharge.is_finite() or surcharge < 0):
                raise InvalidInput(f"{surcharge} is not an amount a shipping rule can hold")
        if self.delivery_days is not None and not 0 <= self.delivery_days <= MOST_DELIVERY_DAYS:
            raise InvalidInput(
                f"{self.delivery_days} is no delivery time", remedy=f"0 to {MOST_DELIVERY_DAYS} working days"
            )

    def cost(self, subtotal: Decimal) -> Decimal | None:
        """Shipping for goods of that subtotal; None where the store takes no such order.

        The tier with the highest `min_subtotal` not above the subtotal applies, whatever the others cost.
        """
        if self.min_order is not None and subtotal < self.min_order:
            return None
        reached = [tier for tier in self.tiers if tier.min_subtotal <= subtotal]
        return max(reached, key=lambda tier: tier.min_subtotal).cost if reached else None

    @property
    def free_from(self) -> Decimal | None:
        """The subtotal from which sending is free whatever else is bought; None where it never or always is."""
        if self.per_item or self.per_kg:
            return None
        found = None
        for tier in sorted(self.tiers, key=lambda tier: tier.min_subtotal, reverse=True):
            if tier.cost:
                break
            found = tier.min_subtotal
        return found or None

    @classmethod
    def flat(cls, cost: Decimal, *, free_from: Decimal | None = None) -> ShippingRule:
        """One price for every parcel, free from a subtotal where one is given."""
        tiers = [ShippingTier(Decimal(0), cost)]
        if free_from is not None:
            tiers.append(ShippingTier(free_from, Decimal(0)))
        return cls(tuple(tiers))

    def to_json(self) -> dict[str, Any]:
        """The interfaces' form: {"tiers": [{"min_subtotal", "cost"}], "min_order"}, amounts as strings.

        `per_item`, `per_kg` and `delivery_days` are there where the rule has them.
        """
        further = {
            "per_item": None if self.per_item is None else str(self.per_item),
            "per_kg": None if self.per_kg is None else str(self.per_kg),
            "delivery_days": self.delivery_days,
        }
        return {
            "tiers": [
                {"min_subtotal": str(tier.min_subtotal), "cost": str(tier.cost)} for tier in self.tiers
            ],
            "min_order": None if self.min_order is None else str(self.min_order),
            **{name: value for name, value in further.items() if value is not None},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ShippingRule:
        """Read the form that `to_json` writes; raises InvalidInput for anything else."""
        try:
            tiers = tuple(
                ShippingTier(Decimal(str(tier["min_subtotal"])), Decimal(str(tier["cost"])))
                for tier in document["tiers"]
            )
            amounts = {name: document.get(name) for name in ("min_order", "per_item", "per_kg")}
            days = document.get("delivery_days")
            if days is not None and (isinstance(days, bool) or not isinstance(days, int)):
                raise TypeError(days)
            return cls(
                tiers,
                **{name: None if given is None else Decimal(str(given)) for name, given in amounts.items()},
                delivery_days=days,
            )
        except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
            raise InvalidInput(
                "not a shipping rule",
                place="shipping",
                remedy='write {"tiers": [{"min_subtotal": "0", "cost": "4.90"}], "min_order": null}',
            ) from error
