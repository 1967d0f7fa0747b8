"""Words of purchases: the states of a part, what may be done next, what a month is called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from babel.dates import format_date, format_skeleton
from flask_babel import get_locale
from flask_babel import gettext as _

from aggregator.domain.checkouts import CartPlan
from aggregator.domain.money import Money
from aggregator.domain.purchases import NEXT_STATES, PartState, PlannedSaving, Purchase, sums
from web.presenters import Words, money


@dataclass(frozen=True, slots=True)
class Step:
    """A button that moves a part on: the state it leads to, its words, and whether it is the likely one."""

    state: PartState
    words: str
    is_main: bool


def state_words(state: PartState) -> Words:
    """What a part's state is called."""
    match state:
        case "waiting":
            return Words(_("Not opened yet"), "quiet")
        case "opened":
            return Words(_("Opened"), "info")
        case "bought":
            return Words(_("Bought"), "good")
        case "shipped":
            return Words(_("On its way"), "good")
        case "delivered":
            return Words(_("Delivered"), "good")
        case "returned":
            return Words(_("Sent back"), "quiet")
        case "given_up":
            return Words(_("Given up"), "warn")


def next_steps(state: PartState) -> tuple[Step, ...]:
    """The buttons that fit a part's state, the likely one first."""
    words: dict[PartState, str] = {
        "bought": _("I bought it"),
        "shipped": _("It is on its way"),
        "delivered": _("It was delivered"),
        "returned": _("I sent it back"),
        "given_up": _("The store cancelled it") if state in {"bought", "shipped"} else _("This store failed"),
    }
    if state == "given_up":
        words["bought"] = _("I bought it after all")
    found = [(goal, words[goal]) for goal in NEXT_STATES[state] if goal in words]
    return tuple(
        Step(goal, said, is_main=at == 0 and goal not in {"returned", "given_up"} and state != "given_up")
        for at, (goal, said) in enumerate(found)
    )


def saving_words(saving: PlannedSaving) -> str:
    """What a plan saved, as its own word."""
    amount = money(saving.amount)
    if saving.against == "single_store":
        return str(_("%(amount)s less than all of it at the best single store", amount=amount))
    return str(_("%(amount)s less than each product where it is cheapest, shipping counted", amount=amount))


def amounts(values: tuple[Money, ...]) -> str:
    """Amounts of several currencies side by side."""
    return " + ".join(money(value) for value in values)


def difference_words(planned: tuple[Money, ...], paid: tuple[Money, ...]) -> str:
    """What was paid beside what was planned: "€1.20 more than planned"; "" where the currencies differ."""
    if len(planned) != 1 or len(paid) != 1 or planned[0].currency != paid[0].currency:
        return ""
    more = paid[0] - planned[0]
    if not more.amount:
        return str(_("exactly as planned"))
    size = money(Money(abs(more.amount), more.currency))
    if more.amount > 0:
        return str(_("%(amount)s more than planned", amount=size))
    return str(_("%(amount)s less than planned", amount=size))


def planned_amount(purchase: Purchase) -> tuple[Money, ...]:
    """What the plan said of all parts together."""
    return sums(part.planned for part in purchase.parts)


def failed_stores(purchase: Purchase) -> str:
    """The names of the stores that failed since the rest was last planned."""
    return ", ".join(part.store_name for part in purchase.failed_parts)


def has_unknown_shipping(purchase: Purchase) -> bool:
    """Whether some shipping was not known when it was planned."""
    return any(part.shipping is None for part in purchase.parts)


def plan_total(planned: CartPlan) -> Money:
    """The known total of a plan."""
    return Money(planned.plan.total, planned.currency)


def month_words(month: date) -> str:
    """ "March 2026" in the visitor's language."""
    return str(format_skeleton("yMMMM", month, locale=get_locale()))


def day_words(day: date) -> str:
    """ "2 Mar 2026" in the visitor's language."""
    return str(format_date(day, "medium", locale=get_locale()))


def is_more_than_nothing(value: Money) -> bool:
    """Whether an amount is worth a line."""
    return value.amount > Decimal(0)
