"""What becomes of a handed-over basket: a part per store, its legal states, and what was spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, get_args

from aggregator.domain.money import Money

PartState = Literal["waiting", "opened", "bought", "shipped", "delivered", "returned", "given_up"]
PART_STATES: tuple[PartState, ...] = get_args(PartState)

# The one table of what may follow what. Anything may also be taken back, which the history tells.
NEXT_STATES: dict[PartState, tuple[PartState, ...]] = {
    "waiting": ("opened", "bought", "given_up"),
    "opened": ("bought", "given_up"),
    "bought": ("shipped", "delivered", "returned", "given_up"),
    "shipped": ("delivered", "returned", "given_up"),
    "delivered": ("returned",),
    "returned": (),
    "given_up": ("bought",),
}
# What was ordered and neither sent back nor given up: these keep their money and leave the demand.
BOUGHT_STATES: frozenset[PartState] = frozenset({"bought", "shipped", "delivered"})
OPEN_STATES: frozenset[PartState] = frozenset({"waiting", "opened"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PartEvent:
    """One change of a part, with the shopper's note; `taken_back_at` where it was taken back since."""

    state: PartState
    at: datetime
    note: str
    taken_back_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseLine:
    """So many of one article; `price` is one's, as it was planned, `product_id` our product's public id."""

    title: str
    quantity: int
    price: Money | None
    product_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchasePart:
    """What one store got of a purchase. `shipping` is None where it was unknown when it was planned.

    `paid`, `order_number`, `bought_on` are the shopper's own word; `store_slug` is None once the store was removed.
    `is_out_of_cart`: what was bought was taken out of the cart.
    """

    id: str
    store_name: str
    store_slug: str | None
    lines: tuple[PurchaseLine, ...]
    subtotal: Money
    shipping: Money | None
    state: PartState
    opened_at: datetime | None
    settled_at: datetime | None
    paid: Money | None
    order_number: str | None
    bought_on: date | None
    is_out_of_cart: bool = False
    events: tuple[PartEvent, ...] = ()

    @property
    def planned(self) -> Money:
        """Articles and shipping, as far as it was known."""
        return self.subtotal + self.shipping if self.shipping else self.subtotal

    @property
    def is_bought(self) -> bool:
        """Whether it was ordered and neither sent back nor given up."""
        return self.state in BOUGHT_STATES

    @property
    def spent(self) -> Money | None:
        """What it cost: what was paid, else what was planned; None where it is not bought."""
        if not self.is_bought:
            return None
        return self.paid or self.planned

    @property
    def is_as_planned(self) -> bool:
        """Whether `spent` is only the plan's word, because nobody said what was paid."""
        return self.is_bought and self.paid is None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSaving:
    """By how much the kept plan beat another way to buy the same; a plan's word, not a receipt's."""

    against: Literal["single_store", "cheapest_per_line"]
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A handed-over basket with what became of it.

    `planned_savings` compare the kept plan, where it was complete. `rest_planned_at` tells when what was not bought
    was planned again.
    """

    id: str
    created_at: datetime
    parts: tuple[PurchasePart, ...]
    planned_total: Money
    is_complete: bool
    planned_savings: tuple[PlannedSaving, ...]
    rest_planned_at: datetime | None

    @property
    def is_carried_out(self) -> bool:
        """Whether every part was bought, so that what the plan saved can be said of it."""
        return all(part.is_bought for part in self.parts)

    @property
    def is_comparable(self) -> bool:
        """Whether what was paid can be set beside the plan: all was bought and told, and no shipping was unknown."""
        return self.is_carried_out and not any(
            part.is_as_planned or part.shipping is None for part in self.parts
        )

    @property
    def lies_in_cart(self) -> bool:
        """Whether something that was bought was not taken out of the cart."""
        return any(part.is_bought and not part.is_out_of_cart for part in self.parts)

    @property
    def failed_parts(self) -> tuple[PurchasePart, ...]:
        """Parts that were given up since the rest was last planned."""
        planned_at = self.rest_planned_at
        return tuple(
            part
            for part in self.parts
            if part.state == "given_up"
            and (planned_at is None or (part.settled_at is not None and part.settled_at > planned_at))
        )

    @property
    def has_rest(self) -> bool:
        """Whether a store failed since the rest was last planned, so that it can be planned (again)."""
        return bool(self.failed_parts)

    @property
    def spent(self) -> tuple[Money, ...]:
        """What it cost so far, by currency."""
        return sums(part.spent for part in self.parts if part.spent)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpending:
    """What one store got in one month in one currency; `as_planned` of it is only the plan's word."""

    month: date
    store_name: str
    spent: Money
    as_planned: Money
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was spent by month and store, newest month first, and what the plans of it saved.

    `planned` and `paid` compare the purchases whose amounts were all told and planned, see `is_comparable`.
    """

    by_store: tuple[StoreSpending, ...]
    totals: tuple[Money, ...]
    as_planned: tuple[Money, ...]
    returned: tuple[Money, ...]
    planned: tuple[Money, ...]
    paid: tuple[Money, ...]
    savings: tuple[PlannedSaving, ...]
    not_carried_out: int
    years: tuple[int, ...]


def sums(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """The amounts added up by currency, in order of the code."""
    totals: dict[str, Decimal] = {}
    for amount in amounts:
        totals[amount.currency] = totals.get(amount.currency, Decimal(0)) + amount.amount
    return tuple(Money(total, currency).rounded() for currency, total in sorted(totals.items()))
