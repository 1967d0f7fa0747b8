"""What a plan's verdict unfolds to: what was weighed, what simpler ways to buy cost, what was assumed."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import gettext as _

from aggregator.domain.carts import PlanStatus
from aggregator.domain.checkouts import CartPlan
from aggregator.domain.money import Money
from aggregator.domain.vocabulary import TaxBasis
from web.presenters import isolated, money


def savings(planned: CartPlan) -> tuple[str, ...]:
    """What the plan saves against simpler ways to buy, where both are complete."""
    plan = planned.plan
    if not plan.complete:
        return ()
    sentences = []
    single = plan.single_store
    if single and single.complete and single.total > plan.total:
        saved = money(Money(single.total - plan.total, planned.currency))
        whole = money(Money(single.total, planned.currency))
        sentences.append(
            _(
                "%(saved)s less than all of it at %(store)s (%(whole)s)",
                saved=saved,
                store=_store_name(planned, single.store),
                whole=whole,
            )
        )
    per_line = plan.cheapest_per_line
    if per_line.complete and per_line.total > plan.total:
        saved = money(Money(per_line.total - plan.total, planned.currency))
        sentences.append(
            _("%(saved)s less than each product where it is cheapest, shipping counted", saved=saved)
        )
    return tuple(sentences)


def _compared(planned: CartPlan) -> Iterator[str]:
    """What the simpler ways to buy cost; what is not known of them is said."""
    plan, currency = planned.plan, planned.currency
    single, per_line = plan.single_store, plan.cheapest_per_line
    if plan.status is PlanStatus.INFEASIBLE:
        return
    if single is None:
        yield _("No single store sells all that this plan buys.")
    else:
        name = _store_name(planned, single.store)
        total = money(Money(single.total, currency))
        words = (
            _("The best single store, %(store)s: %(total)s.", store=name, total=total)
            if single.complete
            else _("The best single store, %(store)s: %(total)s, not all known.", store=name, total=total)
        )
        yield words
    total = money(Money(per_line.total, currency))
    yield (
        _("Each product where it is cheapest: %(total)s.", total=total)
        if per_line.complete
        else _("Each product where it is cheapest: %(total)s, not all known or bought.", total=total)
    )


def _store_name(planned: CartPlan, store_id: str) -> str:
    """The name of a store that sells something of the cart."""
    return isolated(next((store.name for store in planned.selling_stores if store.id == store_id), ""))


def explanation(planned: CartPlan, unknown: tuple[str, ...]) -> tuple[str, ...]:
    """What was weighed, compared and assumed; `unknown` are the names of stores of unknown shipping."""
    plan, currency = planned.plan, planned.currency
    sentences = [
        _(
            "Every way to divide this cart over the stores was weighed: the prices last read, each store's "
            "shipping tiers, minimum orders and stock, as far as the stores tell them."
        )
    ]
    if plan.bound is not None:
        bound = money(Money(plan.bound, currency))
        sentences.append(
            _(
                "No split with the same pieces and stores of known shipping can cost less than %(bound)s.",
                bound=bound,
            )
        )
    elif not plan.complete:
        sentences.append(_("A lowest possible total is not proven while something is missing or unknown."))
    if unknown:
        assumed = money(Money(planned.assumed_shipping, currency))
        sentences.append(
            _(
                "%(stores)s: shipping is unknown. To rank, we assumed %(assumed)s each; "
                "the total above does not contain it.",
                stores=", ".join(unknown),
                assumed=assumed,
            )
        )
    if planned.is_more:
        sentences.append(_("More stores sell something of this cart than can be weighed: the cheapest were."))
    sentences.extend(_compared(planned))
    known = plan.cheapest_known_parts
    if known.unknown_stores and known.total < plan.total:
        sentences.append(
            _(
                "If unknown shipping turned out to be free, %(total)s would be possible.",
                total=money(Money(known.total, currency)),
            )
        )
    untold = [isolated(store.store_name) for store in planned.stores if store.tax_basis is TaxBasis.UNKNOWN]
    if untold:
        sentences.append(
            _(
                "Whether prices include tax is not told by %(stores)s; they are taken as they stand.",
                stores=", ".join(untold),
            )
        )
    if plan.estimated:
        sentences.append(
            _(
                "Some amounts are estimates (converted, with tax added, or shipping that is not known exactly)."
            )
        )
    if planned.options.parcel_value:
        value = money(Money(planned.options.parcel_value, currency))
        sentences.append(_("One parcel less counted as %(value)s; it is in no total.", value=value))
    if planned.is_hurried:
        sentences.append(_("Load the page again in a moment for the proven plan."))
    elif plan.status is PlanStatus.FEASIBLE:
        sentences.append(_("The time for the proof ran out: a cheaper split may exist."))
    return tuple(str(sentence) for sentence in sentences)
