"""The forms of a store's settings: filled from its settings, and read back into them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from flask_babel import gettext as _

from aggregator.domain.errors import InvalidInput
from aggregator.domain.schedules import Schedule
from aggregator.domain.shipping import ShippingRule, ShippingTier
from aggregator.domain.store_settings import (
    COMMON_OPTIONS,
    StoreSettings,
    read_country,
    read_currency_code,
    read_tax_basis,
)
from aggregator.platforms import StorePlatform
from web.presenters import plain_amount

UNITS = {"minutes": 60, "hours": 3600, "days": 86_400}
_MOST_RULES = 40
_SPARE_TIERS = 2
_AMOUNTS_OF_RULES = ("min_order", "per_item", "per_kg", "delivery_days")
_OPTION, _SECRET, _FORGET = "option.", "secret.", "forget."


@dataclass(frozen=True, slots=True)
class RuleFields:
    """One shipping rule as a form shows it; `country` is "" for all that is not named."""

    country: str
    min_order: str
    per_item: str
    per_kg: str
    delivery_days: str
    tiers: tuple[tuple[str, str], ...]


def schedule_fields(schedule: Schedule) -> dict[str, str]:
    """A schedule as the fields of its form."""
    document = schedule.to_json()
    unit = _largest_unit(schedule.interval or 21_600)
    return {
        "kind": "cron" if schedule.cron else "interval",
        "number": str((schedule.interval or 21_600) // UNITS[unit]) if unit != "seconds" else "",
        "unit": unit,
        "cron": schedule.cron or "30 2 * * *",
        "timezone": schedule.timezone,
        "jitter": str(schedule.jitter // 60 or ""),
        "quiet_from": document.get("quiet_from", ""),
        "quiet_until": document.get("quiet_until", ""),
    }


def read_schedule(form: Mapping[str, str]) -> Schedule:
    """A schedule from its form; raises InvalidInput naming the field."""
    values: dict[str, object] = {
        name: text(form, name) for name in ("timezone", "quiet_from", "quiet_until") if text(form, name)
    }
    if form.get("kind") == "cron":
        values["cron"] = text(form, "cron") or " "
    else:
        number = _whole(form, "number", _("Every"))
        values["interval"] = number * UNITS.get(form.get("unit", ""), 1)
        if number * UNITS.get(form.get("unit", ""), 1) < 60:
            raise InvalidInput(_("that is too often"), place=_("Every"), remedy=_("a minute or more"))
    if text(form, "jitter"):
        values["jitter"] = 60 * _whole(form, "jitter", _("Up to so much later"))
    return Schedule.from_json(values)


def settings_fields(settings: StoreSettings, platform: StorePlatform | None) -> dict[str, str]:
    """Settings as the fields of their form, but shipping, which `rule_fields` shows."""
    options = {f"{_OPTION}{name}": settings.options.get(name, "") for name in _option_names(platform)}
    return {
        "name": settings.name,
        "country": settings.country or "",
        "currency": settings.currency or "",
        "tax_basis": str(settings.tax_basis),
        "seen": settings.fingerprint,
        **options,
    }


def rule_fields(settings: StoreSettings) -> list[RuleFields]:
    """Every shipping rule, with room for more tiers, and room for one more rule."""
    rules = [("", settings.shipping), *settings.shipping_by_country.items(), ("", None)]
    return [_rule_fields(country, rule) for country, rule in rules]


def rule_fields_again(form: Mapping[str, str]) -> list[RuleFields]:
    """The rules as a refused form had them."""
    found = []
    for number in range(_MOST_RULES):
        if f"rule-{number}-cost-0" not in form:
            break
        tiers: list[tuple[str, str]] = []
        while f"rule-{number}-cost-{len(tiers)}" in form and len(tiers) < 100:
            at = len(tiers)
            tiers.append((text(form, f"rule-{number}-from-{at}"), text(form, f"rule-{number}-cost-{at}")))
        found.append(
            RuleFields(
                **{
                    name: text(form, f"rule-{number}-{name}")
                    for name in ("country", "min_order", "per_item", "per_kg", "delivery_days")
                },
                tiers=tuple(tiers),
            )
        )
    return found


def read_settings(
    form: Mapping[str, str], current: StoreSettings, platform: StorePlatform | None
) -> StoreSettings:
    """Settings from their form; what the form does not hold stays. Raises InvalidInput naming the field."""
    rules = [
        rule
        for rule in rule_fields_again(form)
        if any(getattr(rule, name) for name in _AMOUNTS_OF_RULES) or any(cost for _from, cost in rule.tiers)
    ]
    by_country: dict[str, ShippingRule] = {}
    shipping = None
    for fields in rules:
        country = read_country(fields.country)
        rule = _read_rule(fields)
        if (country in by_country) if country else shipping is not None:
            raise InvalidInput(
                _("two rules for the same country"), place=_("Shipping"), remedy=_("keep one of them")
            )
        if country:
            by_country[country] = rule
        else:
            shipping = rule
    options = {name: value for name, value in current.options.items() if f"{_OPTION}{name}" not in form}
    options |= {
        name: text(form, f"{_OPTION}{name}", 20_000)
        for name in _option_names(platform)
        if text(form, f"{_OPTION}{name}")
    }
    return replace(
        current,
        name=text(form, "name") or current.name,
        country=read_country(text(form, "country")),
        currency=read_currency_code(text(form, "currency")),
        tax_basis=read_tax_basis(form.get("tax_basis", "unknown")),
        shipping=shipping,
        shipping_by_country=by_country,
        options=options,
    )


def read_secrets(form: Mapping[str, str], platform: StorePlatform | None) -> dict[str, str | None]:
    """Secret options that the form sets anew, or (None) takes away; an empty field leaves one as it is."""
    found: dict[str, str | None] = {}
    for name in platform.secret_options if platform else ():
        if form.get(f"{_FORGET}{name}"):
            found[name] = None
        elif value := text(form, f"{_SECRET}{name}", 20_000):
            found[name] = value
    return found


def _option_names(platform: StorePlatform | None) -> tuple[str, ...]:
    return (*(platform.options if platform else ()), *COMMON_OPTIONS)


def text(form: Mapping[str, str], name: str, most: int = 2000) -> str:
    """A field's text without blanks around it, "" where it is missing."""
    return str(form.get(name, "")).strip()[:most]


def read_amount(given: str, label: str) -> Decimal | None:
    """An amount such as 4.90 or 4,90; None for nothing. Raises InvalidInput."""
    written = given.replace(",", ".")
    if not written:
        return None
    try:
        amount = Decimal(written)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < 1_000_000:
        raise InvalidInput(
            _("%(text)s is no amount", text=given[:20]), place=label, remedy=_("write it as 4.90")
        )
    return amount


def _rule_fields(country: str, rule: ShippingRule | None) -> RuleFields:
    tiers = sorted(rule.tiers, key=lambda tier: tier.min_subtotal) if rule else []
    shown = [(plain_amount(tier.min_subtotal), plain_amount(tier.cost)) for tier in tiers]
    return RuleFields(
        country,
        plain_amount(rule.min_order) if rule else "",
        plain_amount(rule.per_item) if rule else "",
        plain_amount(rule.per_kg) if rule else "",
        "" if rule is None or rule.delivery_days is None else str(rule.delivery_days),
        (*shown, *[("", "")] * (_SPARE_TIERS if not shown else 1)),
    )


def _read_rule(fields: RuleFields) -> ShippingRule:
    tiers = []
    for least, cost in fields.tiers:
        amount = read_amount(cost, _("Shipping"))
        subtotal = read_amount(least, _("From")) or Decimal(0)
        if amount is not None:
            tiers.append(ShippingTier(subtotal, amount))
        elif subtotal:
            raise InvalidInput(
                _("say what sending costs"), place=_("Shipping"), remedy=_("0 where it is free")
            )
    if not tiers:
        raise InvalidInput(_("say what sending costs"), place=_("Shipping"), remedy=_("0 where it is free"))
    days = fields.delivery_days
    if days and not re.fullmatch(r"[0-9]{1,3}", days, re.ASCII):
        raise InvalidInput(
            _("%(text)s is no whole number", text=repr(days[:20])),
            place=_("Working days"),
            remedy=_("such as 3"),
        )
    return ShippingRule(
        tuple(tiers),
        read_amount(fields.min_order, _("Minimum order")),
        per_item=read_amount(fields.per_item, _("Per piece")),
        per_kg=read_amount(fields.per_kg, _("Per kilogram")),
        delivery_days=int(days) if days else None,
    )


def _whole(form: Mapping[str, str], name: str, label: str) -> int:
    written = text(form, name)
    if not re.fullmatch(r"[0-9]{1,6}", written, re.ASCII):
        raise InvalidInput(
            _("%(text)s is no whole number", text=repr(written[:20])), place=label, remedy=_("such as 6")
        )
    return int(written)


def _largest_unit(seconds: int) -> str:
    return next((unit for unit, span in reversed(UNITS.items()) if seconds % span == 0), "seconds")
