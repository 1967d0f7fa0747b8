"""All that the sources of a page say, asked once; and the candidates for each field that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import unquote

from selectolax.lexbor import LexborNode

from aggregator.domain.identifiers import read_gtin
from aggregator.domain.money import CURRENCIES, currency_exponent
from aggregator.domain.normalization.currencies import country_currency
from aggregator.domain.normalization.names import clean_brand
from aggregator.domain.normalization.prices import UnreadablePrice, read_amount
from aggregator.domain.offers import RawOffer
from spiders.pages.amounts import find_amounts
from spiders.pages.base import Document
from spiders.pages.candidates import Candidate
from spiders.pages.embedded_state import EmbeddedProduct, embedded_products
from spiders.pages.market import page_country
from spiders.pages.open_graph import read_open_graph
from spiders.pages.schema_org import SourceReading, is_told_whole, read_schema_org
from spiders.pages.shown_prices import ShownPrice
from spiders.pages.titles import address_words, find_titles, title_name, without_site
from spiders.pages.visible_text import VisibleText, read_visible_text

WEIGHTS = {
    "json_ld": 0.8,
    "microdata": 0.78,
    "rdfa": 0.7,
    "open_graph": 0.6,
    "embedded_state": 0.5,
    "address": 0.2,
}
# A shown price that scores this much may be the one asked; from this many texts after the title on it is another's.
SHOWN_ENOUGH = 0.9
FAR = 70
_A_FEW, _MANY = 45, 220


class Evidence:
    """The sources of one page and the candidates found in them so far."""

    def __init__(self, document: Document, rules: Mapping[str, str]) -> None:
        self.document = document
        self.rules = rules
        self.structured: list[SourceReading] = read_schema_org(document)
        self.tags = read_open_graph(document)
        self.said: list[RawOffer] = [reading.main for reading in self.structured]
        if self.tags is not None:
            self.said.append(self.tags)
        self.country = page_country(document)
        self.candidates: dict[str, list[Candidate]] = {}
        self.visible: VisibleText | None = None
        self._own_names: dict[str, str] = {}
        self._look_around()

    def add(self, name: str, value: Any, source: str, where: str, weight: float | None = None) -> None:
        """One candidate, unless the source says nothing of the field."""
        if value not in (None, ""):
            weight = WEIGHTS.get(source, 0.4) if weight is None else weight
            one = Candidate(name, value, source, where[:80], round(weight, 3))
            self.candidates.setdefault(name, []).append(one)

    def add_code(self, key: str, value: Any, source: str, where: str, weight: float | None = None) -> None:
        """A candidate for a code or the brand, unless it is none."""
        if key == "gtin" and (value is None or read_gtin(str(value)) is None):
            return
        if key == "sku" and value is not None:
            weight = WEIGHTS.get(source, 0.4) if weight is None else weight
            is_address = "/" in str(value) and str(value) in unquote(self.document.url)
            if is_address or (source != "visible_text" and read_gtin(str(value)) is not None):
                weight *= 0.4
        if key == "brand":
            value = clean_brand(value)
            if value is not None and value.startswith(("$", "{", "http")):
                value = None
        self.add(key, value, source, where, weight)

    def amount(self, value: Decimal | str | None) -> Decimal | None:
        """What markup words as a price, as a number."""
        return plain_amount(value, self.currency_said)

    @cached_property
    def currency_said(self) -> str | None:
        """The first currency that markup names."""
        return next((code for offer in self.said if (code := currency_code(offer.price_currency))), None)

    @cached_property
    def all_said(self) -> list[RawOffer]:
        """Every offer that markup tells, variants included."""
        offers = [offer for reading in self.structured for offer in reading.offers]
        return [*offers, self.tags] if self.tags else offers

    def own_name(self, name: str) -> str:
        """A name less the site's own; most sources of a page word it alike."""
        if name not in self._own_names:
            self._own_names[name] = without_site(name, self.document)
        return self._own_names[name]

    @cached_property
    def names(self) -> list[str]:
        """What markup and <title> call the product, the likeliest first."""
        said = [offer.title for offer in self.said]
        said += [self.document.meta("og:title") or "", self.document.title or ""]
        cleaned = [self.own_name(name) for name in said if name]
        return list(dict.fromkeys(name for name in cleaned if name.strip()))

    @cached_property
    def embedded(self) -> list[EmbeddedProduct]:
        """The two likeliest of the page's own products in its scripts."""
        name = self.heading or next(iter(self.names), "")
        return embedded_products(self.document, name)[:2]

    @property
    def needs_scripts(self) -> bool:
        """Scripts are costly: they are read where markup lacks a price or is not whole, and nothing tells the brand."""
        if not any(self.amount(offer.price) for offer in self.said):
            return True
        if "brand" in self.candidates:
            return False
        return "sku" not in self.candidates or not any(is_told_whole(one.main) for one in self.structured)

    @cached_property
    def shown(self) -> list[ShownPrice]:
        """The shown prices that may be the one asked, the likeliest first."""
        prices = self.visible.prices if self.visible else []
        return [
            price
            for price in prices
            if price.score >= SHOWN_ENOUGH and price.distance < FAR and not price.is_other
        ]

    @cached_property
    def by_amount(self) -> dict[Decimal, ShownPrice]:
        """Every shown amount with its likeliest place."""
        found: dict[Decimal, ShownPrice] = {}
        for price in self.visible.prices if self.visible else []:
            found.setdefault(plain(price.value), price)
        return found

    def _look_around(self) -> None:
        """Read what is seen around the title; further where the little that is needed contradicts markup."""
        known = {amount for offer in self.all_said if (amount := self.amount(offer.price))}
        is_told = any(is_told_whole(reading.main) and reading.main.brand for reading in self.structured)
        nodes = find_titles(self.document, self.names)
        for node in nodes:
            seen = self._look(node, known, _A_FEW if is_told else _MANY)
            if is_told and seen.prices and not any(plain(price.value) in known for price in seen.prices):
                seen = self._look(node, known, _MANY)
            if self.visible is None or seen.prices:
                self.visible = seen
            if seen.prices:
                break
        titles = (self.document.meta("og:title"), self.document.title, address_words(self.document.url))
        said = [title for title in titles if title] or self.names
        self.heading = title_name(nodes[0], said) if nodes else None

    def _look(self, node: LexborNode, known: set[Decimal], most_after: int) -> VisibleText:
        currency = self.currency_said or country_currency(self.country)
        return read_visible_text(
            node, country=self.country, currency=currency, known=known, most_after=most_after
        )


def currency_code(value: str | None) -> str | None:
    """The ISO 4217 code, where a text is one."""
    return value.strip().upper() if value and value.strip().upper() in CURRENCIES else None


@lru_cache(maxsize=1024)  # one page words the same few amounts many times
def plain_amount(value: Decimal | str | None, currency: str | None) -> Decimal | None:
    """An amount as a source words it as a number; None where there is none that a thing can cost."""
    if value is None:
        return None
    try:
        amount, _, _ = read_amount(value)
    except (UnreadablePrice, ArithmeticError):
        return None
    if isinstance(value, str) and currency in CURRENCIES and currency_exponent(currency or "") == 3:
        found = find_amounts(value.casefold()[:60])
        amount = found[0].value(currency) if found else amount
    return plain(amount) if amount.is_finite() and 0 < amount < 10**9 else None


def plain(amount: Decimal) -> Decimal:
    """The amount without zeros at its end and without an exponent."""
    reduced = amount.normalize()
    return reduced.quantize(Decimal(1)) if int(reduced.as_tuple().exponent) > 0 else reduced
