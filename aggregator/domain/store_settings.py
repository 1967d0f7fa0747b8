"""What people decide about a store: its market, shipping, schedule, manners and options, as one value."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from aggregator.domain.cart_links import is_permalink_endpoint, read_affiliate_parameters
from aggregator.domain.errors import InvalidInput
from aggregator.domain.money import CURRENCIES
from aggregator.domain.schedules import Schedule
from aggregator.domain.shipping import ShippingRule
from aggregator.domain.vocabulary import TaxBasis

MOST_TIERS = 20
_LONGEST_VALUE = 20_000
_KEYS = (
    "slug", "name", "url", "platform", "is_active", "country", "currency", "tax_basis", "schedule", "shipping",
    "shipping_by_country", "options", "reading_rules", "offer_rules", "judgement_limits",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NumberOption:
    """An option of every platform that holds a number between two bounds."""

    name: str
    least: Decimal
    most: Decimal
    is_whole: bool


# Manners and display rules that any store may set, whatever its platform.
NUMBER_OPTIONS = {
    option.name: option
    for option in (
        # Seconds between two requests to the store, if it asks for no more itself.
        NumberOption("crawl_delay", Decimal("0.1"), Decimal(600), is_whole=False),
        # Requests to the store at the same time.
        NumberOption("concurrency", Decimal(1), Decimal(16), is_whole=True),
        # Requests to the store a day, over all of its runs.
        NumberOption("daily_requests", Decimal(1), Decimal(10_000_000), is_whole=True),
        # A price that was checked longer ago is not shown.
        NumberOption("max_age_hours", Decimal(1), Decimal(8_760), is_whole=True),
    )
}
# An address on the store's own site that puts one item into its cart, with {id} and {quantity}.
HAND_OFF_OPTION = "checkout_link_template"
# The same for a whole cart, with {items}: ID:QUANTITY,…
CART_OPTION = "cart_link_template"
# Where the store takes whole carts by the Universal Commerce Protocol; a probe finds it.
PERMALINK_OPTION = "ucp_permalink"
# What is added to links to the store, such as tag=shop-21: shoppers are told at every link.
AFFILIATE_OPTION = "affiliate_parameters"
COMMON_OPTIONS = (*NUMBER_OPTIONS, HAND_OFF_OPTION, CART_OPTION, PERMALINK_OPTION, AFFILIATE_OPTION)


def check_option(name: str, value: str) -> str:
    """The value of a common option as it is kept; raises InvalidInput where it cannot be one."""
    text = value.strip()
    option = NUMBER_OPTIONS.get(name)
    if option is not None:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or not option.least <= number <= option.most:
            raise InvalidInput(
                f"{text[:20]!r} is out of range", place=name, remedy=f"{option.least} to {option.most:,}"
            )
        if option.is_whole and number != number.to_integral_value():
            raise InvalidInput(
                f"{text[:20]!r} is no whole number", place=name, remedy="leave the fraction out"
            )
    elif name == HAND_OFF_OPTION:
        placeholders = set(re.findall(r"\{([^{}]*)\}", text))
        if "id" not in placeholders or placeholders - {"id", "quantity"}:
            raise InvalidInput(
                "cannot be filled in", place=name, remedy="use {id} and, if the store can, {quantity}"
            )
    elif name == CART_OPTION and text.count("{items}") != 1:
        raise InvalidInput("cannot be filled in", place=name, remedy="use {items} once")
    elif name == PERMALINK_OPTION and not is_permalink_endpoint(text):
        raise InvalidInput("is no endpoint", place=name, remedy="write it as https://shop.example/buy")
    elif name == AFFILIATE_OPTION:
        read_affiliate_parameters(text)
    if len(text) > _LONGEST_VALUE:
        raise InvalidInput("is too long", place=name, remedy=f"at most {_LONGEST_VALUE:,} characters")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """A store's settings. `secret_names` are the secret options that are set; their values are nowhere here.

    `shipping` holds where `shipping_by_country` (by ISO 3166 code) names no rule; None is unknown.
    """

    slug: str
    name: str
    url: str
    platform: str
    is_active: bool = True
    country: str | None = None
    currency: str | None = None
    tax_basis: TaxBasis = TaxBasis.UNKNOWN
    schedule: Schedule
    shipping: ShippingRule | None = None
    shipping_by_country: Mapping[str, ShippingRule] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    reading_rules: Mapping[str, str] = field(default_factory=dict)
    offer_rules: Mapping[str, Any] = field(default_factory=dict)
    judgement_limits: Mapping[str, Any] = field(default_factory=dict)
    secret_names: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Tells whether somebody else has changed the settings since they were looked at."""
        written = json.dumps([self.to_json(), self.secret_names], sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The form that is exported; secrets are left out."""
        return {
            "slug": self.slug,
            "name": self.name,
            "url": self.url,
            "platform": self.platform,
            "is_active": self.is_active,
            "country": self.country,
            "currency": self.currency,
            "tax_basis": str(self.tax_basis),
            "schedule": self.schedule.to_json(),
            "shipping": None if self.shipping is None else self.shipping.to_json(),
            "shipping_by_country": {
                code: rule.to_json() for code, rule in sorted(self.shipping_by_country.items())
            },
            "options": dict(sorted(self.options.items())),
            "reading_rules": dict(sorted(self.reading_rules.items())),
            "offer_rules": dict(self.offer_rules),
            "judgement_limits": dict(self.judgement_limits),
        }

    @classmethod
    def from_json(cls, document: Any) -> StoreSettings:
        """Read the form that `to_json` writes; raises InvalidInput with the key of the first fault."""
        if not isinstance(document, Mapping):
            raise InvalidInput("not a store", place="store", remedy="an object as stores export writes it")
        unknown = sorted(set(document) - set(_KEYS))
        if unknown:
            raise InvalidInput("unknown key", place=str(unknown[0])[:40], remedy=f"known: {', '.join(_KEYS)}")
        shipping = document.get("shipping")
        by_country = _mapping(document, "shipping_by_country")
        is_active = document.get("is_active", True)
        if not isinstance(is_active, bool):
            raise InvalidInput("neither true nor false", place="is_active", remedy="true or false")
        return cls(
            slug=read_slug(_text(document, "slug")),
            name=_text(document, "name")[:100],
            url=_text(document, "url"),
            platform=_text(document, "platform"),
            is_active=is_active,
            country=read_country(document.get("country")),
            currency=read_currency_code(document.get("currency")),
            tax_basis=read_tax_basis(document.get("tax_basis", "unknown")),
            schedule=Schedule.from_json(document.get("schedule", {})),
            shipping=None if shipping is None else read_rule(shipping, "shipping"),
            shipping_by_country={
                _needed_country(code): read_rule(rule, f"shipping_by_country.{code}")
                for code, rule in by_country.items()
            },
            options=_texts(document, "options"),
            reading_rules=_texts(document, "reading_rules"),
            offer_rules=_mapping(document, "offer_rules"),
            judgement_limits=_mapping(document, "judgement_limits"),
        )


def read_slug(text: str) -> str:
    """A store's short name; raises InvalidInput."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?", text):
        raise InvalidInput(f"{text[:62]!r} is not a slug", place="slug", remedy="use a-z, 0-9 and dashes")
    return text


def read_country(given: object) -> str | None:
    """An ISO 3166 code in capitals, None for nothing; raises InvalidInput."""
    code = str(given or "").strip().upper()
    if code and not re.fullmatch(r"[A-Z]{2}", code):
        raise InvalidInput(f"{code[:20]!r} is no country", place="country", remedy="two letters such as DE")
    return code or None


def read_currency_code(given: object) -> str | None:
    """An ISO 4217 code in capitals, None for nothing; raises InvalidInput."""
    code = str(given or "").strip().upper()
    if code and code not in CURRENCIES:
        raise InvalidInput(f"{code[:20]!r} is no currency", place="currency", remedy="such as EUR")
    return code or None


def read_tax_basis(given: object) -> TaxBasis:
    """Whether prices include tax; raises InvalidInput."""
    try:
        return TaxBasis(str(given))
    except ValueError:
        raise InvalidInput(
            f"{str(given)[:20]!r} is no tax basis", place="tax_basis", remedy="included, excluded or unknown"
        ) from None


def read_rule(document: object, place: str) -> ShippingRule:
    """A shipping rule with at least one tier; raises InvalidInput."""
    if not isinstance(document, Mapping):
        raise InvalidInput("not a shipping rule", place=place, remedy='{"tiers": […], "min_order": null}')
    rule = ShippingRule.from_json(document)
    if not 1 <= len(rule.tiers) <= MOST_TIERS:
        raise InvalidInput(
            f"{len(rule.tiers)} tiers",
            place=place,
            remedy=f"1 to {MOST_TIERS}; leave the rule out if unknown",
        )
    return rule


def _needed_country(code: object) -> str:
    country = read_country(code)
    if country is None:
        raise InvalidInput("a rule for no country", place="shipping_by_country", remedy="name it as DE")
    return country


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise InvalidInput("missing", place=name, remedy="give it as text")
    return value.strip()[:2000]


def _mapping(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name) or {}
    if not isinstance(value, Mapping):
        raise InvalidInput("not an object", place=name, remedy="an object of names and values")
    return {str(key): item for key, item in value.items()}


def _texts(document: Mapping[str, Any], name: str) -> dict[str, str]:
    values = _mapping(document, name)
    for key, value in values.items():
        if not isinstance(value, str) or "\0" in value or len(value) > _LONGEST_VALUE:
            raise InvalidInput("not a text", place=f"{name}.{key[:40]}", remedy="write it in quotes")
    return values
