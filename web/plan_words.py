"""Sentences about a plan: why a line is bought where it is, how sure shipping is, why offers are left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from babel import Locale
from babel.dates import format_date
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from aggregator.domain.checkouts import PlannedStore
from aggregator.domain.money import Money
from aggregator.domain.plan_reasons import LeftOut, LineReason, Why
from aggregator.domain.taxes import standard_vat_factor
from aggregator.domain.vocabulary import TaxBasis
from web.presenters import ago, isolated, money


def day(value: date) -> str:
    """A day as the visitor writes it, the year left to the context: "Fri, 27 Nov"."""
    return str(format_date(value, "EEE, d MMM", locale=get_locale()))


def country_name(code: str | None) -> str:
    """A country in the visitor's language; its code where there is no name."""
    return str(Locale.parse(str(get_locale() or "en")).territories.get(code or "", code or ""))


def countries() -> list[tuple[str, str]]:
    """Every country with its name, by name."""
    names = Locale.parse(str(get_locale() or "en")).territories
    known = [(code, name) for code, name in names.items() if len(code) == 2 and code.isalpha()]
    return sorted(
        ((code, name) for code, name in known if code not in {"EU", "EZ", "UN", "ZZ", "QO", "XA", "XB"}),
        key=lambda each: each[1].casefold(),
    )


def why(reason: LineReason) -> str:
    """Why a line is bought here, in one sentence."""
    store, less = isolated(reason.store or ""), money(reason.less)
    more = money(reason.more)
    if store and reason.less is None and reason.why is not Why.STOCK:
        return str(_("%(store)s asks less a piece, but only for more of them.", store=store))
    match reason.why:
        case Why.ONLY:
            return str(_("Only this store has it."))
        case Why.CHEAPEST:
            return str(_("Nobody asks less."))
        case Why.PINNED:
            return str(_("You chose this offer."))
        case Why.STOCK:
            return str(
                ngettext(
                    "%(store)s asks less, but has only %(num)d left.",
                    "%(store)s asks less, but has only %(num)d left.",
                    reason.stock or 0,
                    store=store,
                )
            )
        case Why.MIN_ORDER if reason.min_order is not None:
            return str(
                _(
                    "%(less)s less at %(store)s, which takes no order below %(least)s.",
                    less=less,
                    store=store,
                    least=money(reason.min_order),
                )
            )
        case Why.MIN_ORDER:
            return str(_("%(less)s less at %(store)s, which takes no such order.", less=less, store=store))
        case Why.MAX_STORES:
            return str(
                _("%(less)s less at %(store)s, which would be one store more.", less=less, store=store)
            )
        case Why.PARCELS:
            return str(_("Bought at %(store)s the cart costs less, with a parcel more.", store=store))
        case Why.UNPROVEN:
            return str(_("%(store)s may be cheaper: there was no time to prove it.", store=store))
        case _:
            return _whole_cart(reason, store, less, more)


def _whole_cart(reason: LineReason, store: str, less: str, more: str) -> str:
    if reason.more is None:
        return str(
            _(
                "%(less)s less at %(store)s, but what stays here would be too little for an order.",
                less=less,
                store=store,
            )
        )
    if not reason.more.amount:
        return str(_("As cheap as at %(store)s, all counted.", store=store))
    if reason.is_assumed:
        return str(
            _(
                "%(less)s less at %(store)s, but the cart would cost %(more)s more with it there, "
                "unknown shipping as assumed.",
                less=less,
                store=store,
                more=more,
            )
        )
    return str(
        _(
            "%(less)s less at %(store)s, but bought there the cart would cost %(more)s more, shipping counted.",
            less=less,
            store=store,
            more=more,
        )
    )


def shipping_origin(store: PlannedStore) -> str:
    """Where a store's shipping cost is from and how old that is; "" where nothing needs to be said."""
    if store.shipping is None:
        return str(_("The store does not tell what sending costs."))
    age = "" if store.shipping_as_of is None else ago(store.shipping_as_of)
    if store.shipping_source == "offers":
        return str(_("Estimated from what its offers say (%(age)s): the highest of them.", age=age))
    if store.shipping_basis == "estimated" and store.rates_of is not None:
        return str(_("Estimated: converted at the rates of %(day)s.", day=day(store.rates_of)))
    if store.shipping_basis == "estimated":
        return str(_("Estimated from its rule for other countries, weights or rates."))
    return str(_("By the store's shipping rule, entered %(age)s.", age=age)) if age else ""


def notes(store: PlannedStore, country: str | None) -> tuple[str, ...]:
    """What else is to be known about a store's prices."""
    said = []
    if store.rates_of is not None:
        said.append(
            _(
                "Prices are converted at the rates of %(day)s and are an estimate.",
                day=day(store.rates_of),
            )
        )
    if store.tax_basis is TaxBasis.EXCLUDED and standard_vat_factor(country) is None:
        said.append(_("It tells prices without tax; what comes on top is not known."))
    elif store.tax_basis is TaxBasis.EXCLUDED:
        said.append(
            _(
                "It tells prices without tax; the standard rate of %(country)s is added.",
                country=country_name(country),
            )
        )
    return tuple(str(note) for note in said)


def left_out_words(counts: Mapping[LeftOut, int]) -> str:
    """Why other offers of a line are not used, in one sentence; "" where there are none."""
    words = {
        LeftOut.CONDITION: lambda n: ngettext(
            "%(num)d is in a condition you do not allow",
            "%(num)d are in a condition you do not allow",
            n,
        ),
        LeftOut.CURRENCY: lambda n: ngettext(
            "%(num)d is in a currency without a rate", "%(num)d are in a currency without a rate", n
        ),
        LeftOut.MEMBER: lambda n: ngettext("%(num)d is for members", "%(num)d are for members", n),
        LeftOut.FROM_PRICE: lambda n: ngettext(
            "%(num)d tells only a price “from”", "%(num)d tell only a price “from”", n
        ),
        LeftOut.STORE: lambda n: ngettext(
            "%(num)d is at a store you left out", "%(num)d are at stores you left out", n
        ),
        LeftOut.OFFER: lambda n: ngettext("%(num)d you left out", "%(num)d you left out", n),
        LeftOut.LATE: lambda n: ngettext("%(num)d comes too late", "%(num)d come too late", n),
        LeftOut.DELIVERY_UNKNOWN: lambda n: ngettext(
            "%(num)d does not tell when it comes", "%(num)d do not tell when they come", n
        ),
    }
    parts = [str(words[reason](count)) for reason, count in counts.items() if count]
    return _("Not used: %(parts)s.", parts="; ".join(parts)) if parts else ""


def left_out_word(reason: LeftOut) -> str:
    """Why one offer is left out."""
    words = {
        LeftOut.CONDITION: _("Not in a condition you allow"),
        LeftOut.CURRENCY: _("No exchange rate"),
        LeftOut.MEMBER: _("For members only"),
        LeftOut.FROM_PRICE: _("Only a price “from”"),
        LeftOut.STORE: _("You left this store out"),
        LeftOut.OFFER: _("You left it out"),
        LeftOut.LATE: _("Comes too late"),
        LeftOut.DELIVERY_UNKNOWN: _("Does not tell when it comes"),
    }
    return str(words[reason])


def pieces(price: Money, pack_size: int) -> Money:
    """What one piece of a pack costs."""
    return Money(price.amount / pack_size, price.currency).rounded()
