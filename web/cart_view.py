"""What the cart page says about a plan: the verdict, what it saves, what is unknown and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from flask_babel import gettext as _
from flask_babel import ngettext

from aggregator.domain.carts import FrontierPoint, MissingReason, Plan, PlanStatus
from aggregator.domain.checkouts import CartLine, CartPlan, PlannedLine, PlannedStore
from aggregator.domain.money import Money
from aggregator.domain.products import SearchQuery
from aggregator.domain.vocabulary import ItemCondition
from web import plan_words, search_address
from web.plan_explanation import explanation, savings
from web.presenters import condition, money

CONDITIONS = (ItemCondition.NEW, ItemCondition.REFURBISHED, ItemCondition.USED)
# The site shows what one, two and three stores would cost; more are worth a line only to the solver.
SHOWN_LIMITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CartRow:
    """A planned line. `is_first` is true once per cart line: there its quantity can be changed."""

    line: PlannedLine
    subtotal: Money
    wanted: int
    is_first: bool
    why: str
    left_out: str


@dataclass(frozen=True, slots=True)
class StoreGroup:
    """One store's part; `to_free_shipping` is what is missing to it, None where there is no such limit ahead.

    `suggestions` is the address of products there that would reach it.
    """

    store: PlannedStore
    rows: tuple[CartRow, ...]
    to_free_shipping: Money | None
    suggestions: str | None
    shipping_origin: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissingView:
    """Units that the plan does not buy, and why. `is_whole`: none of the line is bought."""

    line: CartLine
    quantity: int
    reason: str
    is_whole: bool
    left_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimit:
    """What buying at so many stores at most costs; `max_stores` None is no limit.

    `saved` is what this limit saves against one store fewer, where both buy the same and know as much.
    """

    max_stores: int | None
    label: str
    total: Money | None
    is_complete: bool
    units: int
    is_chosen: bool
    saved: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartView:
    """The cart page's sentences, ready to print."""

    groups: tuple[StoreGroup, ...]
    missing: tuple[MissingView, ...]
    limits: tuple[StoreLimit, ...]
    total: Money
    items_total: Money
    shipping_total: Money
    discount_total: Money
    deposit_total: Money
    is_estimated: bool
    is_proven: bool
    verdict: str
    savings: tuple[str, ...]
    explanation: tuple[str, ...]
    unknown_stores: tuple[str, ...]
    assumed_shipping: Money
    options_summary: str
    store_names: Mapping[str, str]

    def amount(self, value: Decimal) -> Money:
        """An amount in the cart's currency."""
        return Money(value, self.total.currency)


def cart_view(planned: CartPlan) -> CartView:
    """The sentences of a plan."""
    plan = planned.plan
    total = Money(plan.total, planned.currency)
    zero = Money(Decimal(0), planned.currency)
    known_shipping = [store.shipping for store in planned.stores if store.shipping is not None]
    unknown = tuple(store.store_name for store in planned.stores if store.shipping is None)
    is_proven = plan.status is PlanStatus.OPTIMAL and plan.complete and not planned.is_more
    return CartView(
        groups=_groups(planned),
        missing=_missing(planned),
        limits=_limits(planned),
        total=total,
        items_total=sum((store.subtotal for store in planned.stores), zero),
        shipping_total=sum(known_shipping, zero),
        discount_total=sum((store.discount for store in planned.stores if store.discount), zero),
        deposit_total=sum((store.deposit for store in planned.stores if store.deposit), zero),
        is_estimated=plan.estimated,
        is_proven=is_proven,
        verdict=_verdict(planned, is_proven),
        savings=savings(planned),
        explanation=explanation(planned, unknown),
        unknown_stores=unknown,
        assumed_shipping=Money(planned.assumed_shipping, planned.currency),
        options_summary=_options_summary(planned),
        store_names={store.id: store.name for store in planned.selling_stores},
    )


def _options_summary(planned: CartPlan) -> str:
    options = planned.options
    said = [_("to %(country)s", country=plan_words.country_name(planned.country))]
    allowed = [condition(each) for each in CONDITIONS if each in options.conditions]
    said.append(_("new only") if options.conditions == {ItemCondition.NEW} else ", ".join(allowed).lower())
    if options.deliver_by:
        said.append(_("there by %(day)s", day=plan_words.day(options.deliver_by)))
    if options.parcel_value:
        value = money(Money(options.parcel_value, planned.currency))
        said.append(_("a parcel less is worth %(value)s", value=value))
    out = len(options.excluded_stores)
    if out:
        said.append(ngettext("%(num)d store left out", "%(num)d stores left out", out))
    if options.coupons:
        said.append(ngettext("%(num)d coupon", "%(num)d coupons", len(options.coupons)))
    if options.memberships:
        said.append(ngettext("%(num)d membership", "%(num)d memberships", len(options.memberships)))
    return " · ".join(str(each) for each in said)


def _groups(planned: CartPlan) -> tuple[StoreGroup, ...]:
    wanted = {line.id: line.quantity for line in planned.cart.lines}
    shown: set[str] = set()
    groups = []
    for store in planned.stores:
        rows = []
        for line in store.lines:
            is_first = line.line_id not in shown
            left_out = planned.offers_left_out.get(line.line_id, {}) if is_first else {}
            rows.append(
                CartRow(
                    line=line,
                    subtotal=line.price * line.quantity,
                    wanted=wanted.get(line.line_id, line.units),
                    is_first=is_first,
                    why=plan_words.why(line.reason) if line.reason else "",
                    left_out=plan_words.left_out_words(left_out),
                )
            )
            shown.add(line.line_id)
        missing = None
        if store.free_from is not None and store.goods < store.free_from:
            missing = store.free_from - store.goods
        groups.append(
            StoreGroup(
                store,
                tuple(rows),
                to_free_shipping=missing,
                suggestions=None if missing is None else _suggestions(store, missing),
                shipping_origin=plan_words.shipping_origin(store),
                notes=plan_words.notes(store, planned.country),
            )
        )
    return tuple(groups)


def _suggestions(store: PlannedStore, missing: Money) -> str:
    """Where products are that this store sells and that would reach its free shipping, cheapest first."""
    return search_address.address(
        SearchQuery(
            stores=(store.store_slug,), min_price=missing.amount, available_only=True, sorting="price"
        )
    )


def _missing(planned: CartPlan) -> tuple[MissingView, ...]:
    lines = {line.id: line for line in planned.cart.lines}
    found: dict[str, MissingView] = {}
    for missing in planned.plan.missing:
        line = lines[missing.line]
        is_whole = missing.quantity >= line.quantity
        reason = _reason(missing.reason, line, planned.currency)
        found[line.id] = MissingView(line, missing.quantity, reason, is_whole, _left_out(planned, line))
    for line in planned.left_out:
        reason = _reason(MissingReason.NOT_OFFERED, line, planned.currency)
        found.setdefault(line.id, MissingView(line, line.quantity, reason, True, _left_out(planned, line)))
    return tuple(found.values())


def _left_out(planned: CartPlan, line: CartLine) -> str:
    return plan_words.left_out_words(planned.offers_left_out.get(line.id, {}))


def _reason(reason: MissingReason, line: CartLine, currency: str) -> str:
    price = line.product.lowest_price
    if (
        reason is MissingReason.NOT_OFFERED
        and price
        and price.currency != currency
        and line.product.is_available
    ):
        return str(
            _("Sold in %(other)s only; this cart counts in %(own)s.", other=price.currency, own=currency)
        )
    words = {
        MissingReason.NOT_OFFERED: _("No store offers it now."),
        MissingReason.STOCK: _("The stores have no more of it."),
        MissingReason.MIN_ORDER: _("The stores that sell it ask for a larger order."),
        MissingReason.MAX_STORES: _("Not sold by the stores you limited the cart to; allow one more."),
        MissingReason.EXCLUDED: _("All that is offered is left out by your options."),
    }
    return str(words[reason])


def _limits(planned: CartPlan) -> tuple[StoreLimit, ...]:
    plan, chosen = planned.plan, planned.cart.max_stores
    points = [point for point in plan.frontier if point.max_stores <= SHOWN_LIMITS]
    limits = []
    for fewer, point in zip([None, *points], points, strict=False):
        if chosen is None and point.max_stores >= len(plan.stores):
            break  # no limit at all buys the same
        limits.append(
            StoreLimit(
                max_stores=point.max_stores,
                label=ngettext("%(num)d store", "%(num)d stores", point.max_stores),
                total=Money(point.total, planned.currency),
                is_complete=point.complete,
                units=point.units,
                is_chosen=point.max_stores == chosen,
                saved=_saved(planned, fewer, point),
            )
        )
    unlimited = StoreLimit(
        max_stores=None,
        label=_("Any number")
        if chosen
        else ngettext("Best: %(num)d store", "Best: %(num)d stores", len(plan.stores)),
        total=None if chosen else Money(plan.total, planned.currency),
        is_complete=plan.complete,
        units=plan.units,
        is_chosen=chosen is None,
        saved=None
        if chosen
        else _saved(planned, _point(plan, len(plan.stores) - 1), _point(plan, len(plan.stores))),
    )
    return (*limits, unlimited)


def _point(plan: Plan, max_stores: int) -> FrontierPoint | None:
    return next((point for point in plan.frontier if point.max_stores == max_stores), None)


def _saved(planned: CartPlan, fewer: FrontierPoint | None, more: FrontierPoint | None) -> Money | None:
    if fewer is None or more is None or fewer.units != more.units or fewer.total <= more.total:
        return None
    return Money(fewer.total - more.total, planned.currency) if fewer.complete and more.complete else None


def _verdict(planned: CartPlan, is_proven: bool) -> str:
    plan = planned.plan
    if plan.status is PlanStatus.INFEASIBLE:
        return str(_("Nothing of this can be bought now"))
    if is_proven and planned.cart.max_stores:
        stores = ngettext("%(num)d store", "%(num)d stores", planned.cart.max_stores)
        return str(_("Proven: no cheaper split over at most %(stores)s exists", stores=stores))
    if is_proven and planned.options.parcel_value:
        return str(_("Proven: no better split exists, parcels counted as you value them"))
    if is_proven and plan.estimated:
        return str(_("Proven with estimated amounts: no cheaper split exists"))
    if is_proven:
        return str(_("Proven: no cheaper split exists"))
    if planned.is_more:
        return str(_("Cheapest among the stores that could be weighed"))
    if planned.is_hurried:
        return str(_("Cheapest so far; your last change is still being worked out"))
    if plan.status is PlanStatus.FEASIBLE:
        return str(_("Cheapest among the splits we could compare in time"))
    if plan.unknown_stores:
        return str(_("Cheapest among the known prices; some shipping is unknown"))
    return str(_("Cheapest among what can be bought"))
