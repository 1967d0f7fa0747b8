"""How what a probe found reads on a page."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from flask_babel import gettext as _

from aggregator.domain.errors import Click2CartError
from aggregator.domain.money import Money
from aggregator.domain.vocabulary import Availability
from aggregator.platforms import installed_platforms
from web.presenters import Words, availability, duration, money

_HOUR = 3600
INTERVALS = (6 * _HOUR, 12 * _HOUR, 24 * _HOUR, 48 * _HOUR, 168 * _HOUR)


def hand_off_words(kind: str | None) -> str:
    """What a shopper gets of a store's cart."""
    words = {
        "cart_link": _("one link fills its cart"),
        "item_link": _("one link an item fills its cart"),
        "product_link": _("links to its product pages"),
    }
    return str(words.get(kind or "", _("unknown")))


def confidence_words(confidence: float) -> Words:
    """How sure the probe is, never as a bare number."""
    if confidence >= 0.95:
        return Words(_("certain"), "good")
    if confidence >= 0.8:
        return Words(_("sure"), "good")
    if confidence >= 0.6:
        return Words(_("fairly sure"), "info")
    return Words(_("not sure"), "warn")


def robots_words(robots: str) -> str:
    """Whether robots.txt lets the store be read."""
    words = {
        "allowed": _("allows it"),
        "disallowed": _("forbids it"),
        "unreachable": _("cannot be read, so nothing is fetched"),
    }
    return str(words.get(robots, robots))


def source_words(kind: str) -> str:
    """Where offers are read from."""
    words = {
        "store_api": _("its API for shop pages"),
        "products_json": _("its list of products (JSON)"),
        "graphql": _("its GraphQL API"),
        "shop_api": _("its GraphQL API"),
        "webservice": _("its web service"),
        "feed": _("a product feed"),
        "sitemap": _("its sitemap"),
        "pages": _("its product pages"),
        "ucp": _("its commerce profile"),
    }
    return str(words.get(kind, kind.replace("_", " ")))


def price_words(price: object, currency: object) -> str:
    """A sample's price in the reader's format; as it came where that cannot be done."""
    try:
        return money(Money(Decimal(str(price)), str(currency)))
    except (Click2CartError, ArithmeticError, ValueError):
        return f"{price} {currency or ''}".strip()


def availability_words(value: object) -> Words:
    """A sample's availability, as shoppers read it."""
    try:
        return availability(Availability(str(value)) if value else None)
    except ValueError:
        return availability(None)


def platform_title(name: object) -> str:
    """What people call a platform."""
    platform = installed_platforms().get(str(name))
    return platform.title if platform else str(name)


def interval_words(seconds: int) -> str:
    """How often: "every 12 hr"."""
    return str(_("every %(time)s", time=duration(timedelta(seconds=seconds))))


def suggested_slug(name: str, url: str) -> str:
    """A short name for addresses and commands, made from the store's name, else from its host."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return slug or re.sub(r"[^a-z0-9]+", "-", urlsplit(url).netloc.lower()).strip("-")[:60].strip("-")
