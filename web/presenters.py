"""How values read on a page: money, ages, words for availability, addresses, placeholders."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent
from flask import Flask, current_app, g, request, url_for
from flask_babel import Babel, get_locale
from flask_babel import gettext as _

from aggregator.domain.freshness import Freshness
from aggregator.domain.identifiers import shown_gtin
from aggregator.domain.money import Money
from aggregator.domain.products import DoubtfulView, MovedProduct, ProductCard, RelatedView, VariantView
from aggregator.domain.unit_prices import UnitPrice
from aggregator.domain.vocabulary import Availability, ItemCondition
from aggregator.settings import Settings

# By their own names; Babel's catalogues of all but English are in web/translations.
LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}
LANGUAGE_COOKIE = "click2cart_language"
_LONGEST_COMMON = 120
STALE_AFTER = timedelta(hours=24)


def prepare(app: Flask, settings: Settings) -> None:
    """Give templates their filters, and each request its locale."""
    Babel(app, default_locale=settings.locale, locale_selector=lambda: visitors_locale(settings.locale))
    app.jinja_env.filters.update(
        money=money,
        number=number,
        percent=percent,
        ago=ago,
        due=due,
        duration=duration,
        exact_time=exact_time,
        day=day,
        is_stale=is_stale,
        machine_time=lambda moment: moment.isoformat(),
        web_address=web_address,
        host=lambda url: urlsplit(url).netloc,
        gtin=shown_gtin,
        availability=availability,
        condition=condition,
        freshness_words=freshness_words,
        isolated=isolated,
        leaf=leaf,
        sentence=sentence,
        plain_amount=plain_amount,
        unit_price=unit_price,
        attribute_name=attribute_name,
        in_currency=in_currency,
    )
    app.jinja_env.globals.update(
        asset=asset,
        picture=picture,
        product_path=product_path,
        vendored=vendored,
        url_for=address_of,
        page_language=page_language,
        languages=LANGUAGES,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def visitors_locale(default: str) -> str:
    """The language chosen here, else the visitor's first accepted one that this site speaks.

    A region is kept ("en-GB" keeps British dates), also under a chosen language where the browser names one.
    """
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    for tag, _quality in request.accept_languages:
        try:
            locale = Locale.parse(tag, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
        if locale.language in LANGUAGES and chosen in {"", locale.language}:
            return str(locale)
    return chosen if chosen in LANGUAGES else default


def locale_tag() -> str:
    """The request's locale: "en_GB". A page asks for it hundreds of times, and Flask-Babel's answer is slow."""
    try:
        held = g._get_current_object()
    except RuntimeError:
        return "en"  # outside of any request
    tag: str | None = held.__dict__.get("locale_tag")
    if tag is None:
        tag = held.locale_tag = str(get_locale() or "en")
    return tag


def page_language() -> str:
    """What the page says its language is: "en-GB"."""
    return locale_tag().replace("_", "-")


def spoken_language() -> str:
    """The visitor's language without its region: "en"."""
    return page_language().partition("-")[0]


def money(value: Money | None) -> str:
    """The amount in the visitor's format, with its currency; "" for None (say in words why there is none)."""
    return "" if value is None else _shown(value, locale_tag())


# A page shows the same few amounts again and again, and CLDR's rules are slow to follow.
@lru_cache(maxsize=20_000)
def _shown(value: Money, locale: str) -> str:
    return spaced(value.shown(locale))


def in_currency(amount: Decimal, currency: str | None) -> str:
    """An amount whose currency may be unknown."""
    return (
        money(Money(amount, currency).rounded())
        if currency
        else str(format_decimal(amount, locale=get_locale()))
    )


def spaced(amount: str) -> str:
    """The amount with a space between a currency's letters and its digits, which CLDR asks for and Babel omits."""
    return re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", "\u00a0", amount)


def number(value: int) -> str:
    """A count with the locale's grouping."""
    return _number(value, locale_tag())


@lru_cache(maxsize=10_000)
def _number(value: int, locale: str) -> str:
    return str(format_decimal(value, locale=locale))


def percent(share: float | Decimal) -> str:
    """A share of one; never rounded up to a certainty that nobody has."""
    return _percent(min(share, 0.999) if share < 1 else 1, locale_tag())


@lru_cache(maxsize=10_000)
def _percent(share: float | Decimal, locale: str) -> str:
    pattern = Locale.parse(locale).percent_formats[None].pattern
    return str(format_percent(share, pattern.replace("#,##0", "#,##0.#"), locale=locale))


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long since (or until) a moment: "12 min. ago", "in 3 hr."; under half a minute "just now"."""
    passed = (now or datetime.now(UTC)) - moment
    if abs(passed) < timedelta(seconds=30):
        return str(_("just now"))
    least: Literal["minute", "second"] = "minute" if abs(passed) >= timedelta(seconds=55) else "second"
    return _ago(round(-passed.total_seconds()), least, locale_tag())


@lru_cache(maxsize=20_000)
def _ago(seconds: int, least: Literal["minute", "second"], locale: str) -> str:
    return str(
        format_timedelta(
            timedelta(seconds=seconds), granularity=least, add_direction=True, format="short", threshold=1.2,
            locale=locale,
        )
    )  # fmt: skip


def due(moment: datetime) -> str:
    """When something planned comes: "in 3 hr.", or "now" once its time has come."""
    return str(_("now")) if moment <= datetime.now(UTC) else ago(moment)


def duration(span: timedelta) -> str:
    """A length of time: "12 sec", "3 min"."""
    return str(
        format_timedelta(max(span, timedelta(seconds=1)), format="short", threshold=2, locale=get_locale())
    )


def day(moment: datetime) -> str:
    """The day in UTC, as people write it: "20 December 2026"."""
    return format_date(moment.astimezone(UTC), "long", locale=get_locale())


def exact_time(moment: datetime) -> str:
    """The moment to the second, in UTC."""
    return _exactly(moment, locale_tag())


@lru_cache(maxsize=20_000)
def _exactly(moment: datetime, locale: str) -> str:
    return f"{format_datetime(moment.astimezone(UTC), 'medium', locale=locale)} UTC"


def is_stale(moment: datetime) -> bool:
    """Whether a price read then is too old to be taken for today's."""
    return datetime.now(UTC) - moment > STALE_AFTER


def web_address(url: str | None) -> str | None:
    """The address if a browser may follow it (http or https with a host), else None: stores can say anything."""
    if not url or " " in url or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


@dataclass(frozen=True, slots=True)
class Words:
    """A state in words, and its tone: good, warn, bad or quiet."""

    text: str
    tone: str


def availability(value: Availability | None) -> Words:
    """What a shopper reads for a store's availability."""
    return _availability(value, locale_tag())


# By language: a product may have hundreds of offers.
@lru_cache(maxsize=1_000)
def _availability(value: Availability | None, _locale: str) -> Words:
    match value:
        case None:
            return Words(_("Availability not stated"), "quiet")
        case Availability.IN_STOCK | Availability.ONLINE_ONLY:
            return Words(_("In stock"), "good")
        case Availability.LIMITED:
            return Words(_("Few left, says the store"), "warn")
        case Availability.PRE_ORDER | Availability.PRE_SALE:
            return Words(_("To pre-order"), "warn")
        case Availability.BACK_ORDER:
            return Words(_("Comes later"), "warn")
        case Availability.MADE_TO_ORDER:
            return Words(_("Made to order"), "warn")
        case Availability.IN_STORE_ONLY:
            return Words(_("In their shop only"), "bad")
        case Availability.RESERVED:
            return Words(_("Reserved"), "bad")
        case Availability.DISCONTINUED:
            return Words(_("No longer made"), "bad")
        case _other:
            return Words(_("Sold out"), "bad")


def freshness_words(value: Freshness) -> Words:
    """What a shopper reads for how a store is being read."""
    return _freshness(value, locale_tag())


@lru_cache(maxsize=1_000)
def _freshness(value: Freshness, _locale: str) -> Words:
    match value:
        case Freshness.FRESH:
            return Words(_("Read in time"), "good")
        case Freshness.STALE:
            return Words(_("Not read lately"), "warn")
        case Freshness.FAILING:
            return Words(_("Cannot be read now"), "bad")


def condition(value: ItemCondition) -> str:
    """The item's condition in a word."""
    words = {
        ItemCondition.NEW: _("New"),
        ItemCondition.REFURBISHED: _("Refurbished"),
        ItemCondition.USED: _("Used"),
        ItemCondition.DAMAGED: _("Damaged"),
    }
    return str(words[value])


def isolated(words: str) -> str:
    """Words of a store or a person for within a sentence of ours: what runs from right to left does not turn it."""
    if not words.isascii() and any(
        unicodedata.bidirectional(letter) in {"R", "AL", "RLE", "RLO", "RLI"} for letter in words
    ):
        return f"\u2068{words}\u2069"
    return words


def leaf(category: str) -> str:
    """The last step of a category's path: "Home > Kitchen > Kettles" -> "Kettles"."""
    return category.rpartition(">")[2].strip() or category


@lru_cache(maxsize=10_000)
def sentence(text: str) -> str:
    """A sentence of evidence without the colon before a value that no offer gave: "The same brand: ." """
    return re.sub(r"\s*:?\s*(?:\"\"|“”)?\s*\.$", ".", text)


def plain_amount(amount: Decimal | None) -> str:
    """An amount for a field: "100", "12.50", "" for None."""
    return "" if amount is None else format(amount, "f").removesuffix(".00")


def unit_price(found: UnitPrice) -> str:
    """What a unit costs: "€12.40 / kg"."""
    units = {"kg": "kg", "100 g": "100 g", "l": "l", "100 ml": "100 ml", "piece": str(_("piece"))}
    return f"{money(found.price)} / {units[found.unit]}"


def attribute_name(name: str) -> str:
    """What a quantity read from titles is called; a store's own name of an attribute stays as it is."""
    words = {
        "capacity": _("Capacity"),
        "screen_size": _("Screen size"),
        "volume": _("Volume"),
        "weight": _("Weight"),
        "power": _("Power"),
        "colour": _("Colour"),
        "size": _("Size"),
    }
    return str(words.get(name, name.replace("_", " ").capitalize()))


# All that stands at a product's address: an id and a slug.
Addressed = ProductCard | VariantView | RelatedView | DoubtfulView | MovedProduct


def address_of(endpoint: str, **values: object) -> str:
    """Flask's `url_for`, which works for a while, asked once for each address that pages have in common."""
    is_common = all(
        isinstance(value, str | int | None)
        and not name.startswith("_")
        and len(str(value)) <= _LONGEST_COMMON
        for name, value in values.items()
    )
    if not is_common:
        return url_for(endpoint, **values)  # type: ignore[arg-type]  # it takes anything for an address's parts
    return _address(request.script_root, endpoint, tuple(values.items()))


@lru_cache(maxsize=20_000)
def _address(_root: str, endpoint: str, values: tuple[tuple[str, Any], ...]) -> str:
    return url_for(endpoint, **dict(values))


def product_path(product: Addressed) -> str:
    """The product's one address: its id decides, its slug is for people."""
    return address_of("products.show", key=product_key(product))


def product_key(product: Addressed) -> str:
    """What stands in the product's address: "id-slug", or the id alone where no slug could be made."""
    return f"{product.id}-{product.slug}" if product.slug else product.id


@dataclass(frozen=True, slots=True)
class Picture:
    """A placeholder: a symbol for the kind of product, the kind's hue, and the brand's or title's initial."""

    symbol: str
    hue: int
    initial: str


_SYMBOLS: tuple[tuple[str, str], ...] = (
    ("camera", r"camera|camcorder|photo|lens|flash"),
    ("television", r"\btvs?\b|television|monitor|projector|dvd|blu-?ray|video"),
    ("audio", r"audio|headphone|speaker|music|receiver|sound"),
    ("phone", r"phone|mobile|smartphone"),
    ("fridge", r"fridge|freezer|refrigerat"),
    ("washer", r"dishwasher|laundry|washer|dryer|washing"),
    ("kitchen", r"microwave|cook|oven|grill|kitchen|appliance"),
    ("print", r"print|scanner|ink|toner"),
    ("network", r"network|router|wi-?fi"),
    ("chip", r"processor|cpu|memory|storage|component"),
    ("game", r"game|console"),
    ("software", r"software|office|security|system|finance|learning|design"),
    ("computer", r"computer|laptop|notebook|keyboard|mice"),
    ("map", r"navigation|gps"),
    ("cable", r"cable|accessor|case|bag|mount|stand|batter"),
)


@lru_cache(maxsize=10_000)
def _symbol(category: str) -> str:
    return next((name for name, pattern in _SYMBOLS if re.search(pattern, category)), "box")


def picture(product: ProductCard) -> Picture:
    """The quiet placeholder of a product, the same wherever it is shown."""
    category = (product.category or "").lower()
    symbol = _symbol(category)
    source = product.brand or product.title
    initial = next((letter.upper() for letter in source if letter.isalnum()), "")
    kind = leaf(category) if symbol == "box" else symbol
    return Picture(symbol, hashlib.sha256(kind.encode()).digest()[0] % 6, initial)


def asset(name: str) -> str:
    """The address of a static file, with the digest of its content so that it may be cached for ever."""
    if current_app.debug:
        return url_for("static", filename=name)
    digest = _digest(current_app.static_folder or "", name)
    return f"{request.script_root}{current_app.static_url_path}/{name}?v={digest}"


def vendored(name: str) -> bool:
    """Whether a file of a front-end package is there: pages work without, and `make setup` may have had no npm."""
    return _is_there(Path(current_app.static_folder or "") / "vendor" / name)


@cache
def _is_there(path: Path) -> bool:
    return path.is_file()


@cache
def _digest(folder: str, name: str) -> str:
    return hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest()[:12]
