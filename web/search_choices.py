"""The facets of a search as people read them: names, choices with what they lead to, ranges of prices in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import format_currency
from flask_babel import get_locale
from flask_babel import gettext as _

from aggregator.domain.money import Money
from aggregator.domain.products import Facet, FacetValue, SearchQuery
from aggregator.domain.taxonomy import categories
from aggregator.domain.vocabulary import ItemCondition
from web import search_address
from web.category_tree import category_name
from web.presenters import condition, leaf, money

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a facet: where it leads, whether it is in force; `level` 1 lies in the one above."""

    label: str
    count: int
    address: str
    is_chosen: bool
    level: int = 0


@dataclass(frozen=True, slots=True)
class Chip:
    """One choice that is in force: what it says, and the address without it."""

    label: str
    without: str


@dataclass(frozen=True, slots=True)
class Group:
    """One facet with what is shown at once and what is unfolded."""

    name: str
    title: str
    first: tuple[Choice, ...]
    more: tuple[Choice, ...]


def facet_groups(query: SearchQuery, facets: Sequence[Facet], currency: str) -> list[Group]:
    """The facets that leave a choice."""
    groups = []
    for facet in facets:
        choices = _prices(query, facet, currency) if facet.name == "price" else _choices(query, facet)
        is_chosen = any(choice.is_chosen for choice in choices)
        if len(choices) < 2 and not is_chosen:
            continue
        groups.append(Group(facet.name, facet_title(facet), tuple(choices[:SHOWN]), tuple(choices[SHOWN:])))
    return groups


def chips(query: SearchQuery, facets: tuple[Facet, ...], currency: str) -> list[Chip]:
    """Every choice in force, in the order of the page."""
    labels: Mapping[tuple[str, str], str] = {
        (facet.name, value.value): choice_label(facet, value) for facet in facets for value in facet.values
    }
    found = []
    for name, field in search_address.FIELDS.items():
        for value in getattr(query, field):
            label = labels.get((name, value)) or choice_label(
                Facet(name, ()), FacetValue(value, value, 0, True)
            )
            found.append(Chip(label, search_address.toggled(query, name, value)))
    if query.min_price is not None:
        shown = money(Money(query.min_price, currency))
        found.append(Chip(_("from %(price)s", price=shown), search_address.changed(query, min_price=None)))
    if query.max_price is not None:
        shown = money(Money(query.max_price, currency))
        found.append(Chip(_("up to %(price)s", price=shown), search_address.changed(query, max_price=None)))
    if query.available_only:
        found.append(Chip(_("can be bought now"), search_address.changed(query, available_only=False)))
    return found


def facet_title(facet: Facet) -> str:
    """What a facet is called."""
    titles = {
        "category": _("Category"),
        "price": _("Price"),
        "brand": _("Brand"),
        "store": _("Store"),
        "condition": _("Condition"),
    }
    attributes = {
        "capacity": _("Capacity"),
        "screen_size": _("Screen size"),
        "volume": _("Volume"),
        "weight": _("Weight"),
        "power": _("Power"),
        "colour": _("Colour"),
        "size": _("Size"),
    }
    return titles.get(facet.name) or attributes.get(facet.about) or facet.about.replace("_", " ").capitalize()


def choice_label(facet: Facet, value: FacetValue) -> str:
    """What a choice is called."""
    if facet.name == "category":
        return category_name(value.value) if value.value in categories() else leaf(value.label)
    if facet.name == "condition" and value.value in {str(one) for one in ItemCondition}:
        return condition(ItemCondition(value.value))
    return value.value.partition(":")[2] if facet.name == "attribute" else value.label


def _choices(query: SearchQuery, facet: Facet) -> list[Choice]:
    made = [
        Choice(
            choice_label(facet, value),
            value.count,
            search_address.toggled(query, facet.name, value.value),
            value.is_chosen,
        )
        for value in facet.values
    ]
    return made if facet.name != "category" else _as_tree(query, facet)


def _as_tree(query: SearchQuery, facet: Facet) -> list[Choice]:
    """Departments by how much of what was found they hold, the categories of the chosen or only ones below them."""
    by_key = {value.value: value for value in facet.values}
    known = categories()
    tops = [one for one in facet.values if one.value not in known or known[one.value].parent is None]
    chosen = {known[key].parent or key for key in query.categories if key in known}
    found = []
    for place, top in enumerate(tops):
        found.append(_choice(query, facet, top, 0))
        if top.value in chosen or (place == 0 and not chosen) or len(tops) <= 2:
            below = [one for key, one in by_key.items() if key in known and known[key].parent == top.value]
            found.extend(_choice(query, facet, one, 1) for one in below)
    return found


def _choice(query: SearchQuery, facet: Facet, value: FacetValue, level: int) -> Choice:
    where = search_address.toggled(query, facet.name, value.value)
    return Choice(choice_label(facet, value), value.count, where, value.is_chosen, level)


def _prices(query: SearchQuery, facet: Facet, currency: str) -> list[Choice]:
    made = []
    for value in facet.values:
        low, high = (Decimal(text) if text else None for text in value.value.split("-"))
        limits = (None, None) if value.is_chosen else (low, high)
        where = search_address.changed(query, min_price=limits[0], max_price=limits[1])
        made.append(Choice(_range(low, high, currency), value.count, where, value.is_chosen))
    return made


def _range(low: Decimal | None, high: Decimal | None, currency: str) -> str:
    if low is None and high is not None:
        return str(_("up to %(price)s", price=_round(high, currency)))
    if high is None and low is not None:
        return str(_("from %(price)s", price=_round(low, currency)))
    limits = {"low": _round(low or Decimal(0), currency), "high": _round(high or Decimal(0), currency)}
    return str(_("%(low)s to %(high)s", **limits))


def _round(amount: Decimal, currency: str) -> str:
    """A round amount as people write it, without cents: "€100"."""
    locale = get_locale()
    pattern = locale.currency_formats["standard"].pattern.replace(".00", "") if locale else "¤#,##0"
    return str(format_currency(amount, currency, pattern, locale=locale, currency_digits=False))
