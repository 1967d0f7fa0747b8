"""A page read whole: every source asked, every field decided, what speaks against it kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from selectolax.lexbor import LexborNode

from aggregator.domain.identifiers import read_gtin
from aggregator.domain.money import CURRENCIES, currency_exponent
from aggregator.domain.normalization.currencies import country_currency
from aggregator.domain.normalization.names import clean_brand
from aggregator.domain.normalization.prices import UnreadablePrice, read_amount
from aggregator.domain.offers import InvalidOffer, RawOffer
from aggregator.domain.vocabulary import Availability, read_availability
from spiders.pages.amounts import currency_of, find_amounts
from spiders.pages.base import Document, path_of
from spiders.pages.candidates import Candidate, as_reading, best
from spiders.pages.embedded_state import EmbeddedProduct, embedded_products
from spiders.pages.market import page_country
from spiders.pages.open_graph import read_open_graph
from spiders.pages.schema_org import SourceReading, is_told_whole, read_schema_org
from spiders.pages.shown_prices import ShownPrice
from spiders.pages.titles import address_words, find_titles, title_name, tokens, without_site
from spiders.pages.visible_text import VisibleText, read_visible_text
from spiders.untrusted import refused

_WEIGHTS = {
    "json_ld": 0.8,
    "microdata": 0.78,
    "rdfa": 0.7,
    "open_graph": 0.6,
    "embedded_state": 0.5,
    "address": 0.2,
}
_SHOWN_ENOUGH = 0.9
_SURELY_SHOWN = 3.0
_FAR = 70
_SHELL_WORDS = 40
_UNSEEN = frozenset({"script", "style", "noscript", "template"})
_NEAR = 40
_A_FEW, _MANY = 45, 300
_CURRENCY_CODE = re.compile(r"""urrency(?:_?[cC]ode)?\\?["']?\s*[:=]\s*\\?["']([A-Z]{3})\\?["']""")
_FIELDS = ("title", "price", "price_currency", "availability", "brand", "sku", "gtin", "mpn", "list_price")


@dataclass(frozen=True, slots=True)
class PageReading:
    """What a page says. `main` is its product as a whole with the best value of each field, None where it has none;
    `price` is its price as a number.

    `is_product` tells whether the page is surely about one product; `ambiguous` names the fields whose strong
    candidates contradict each other; `needs_browser` marks an empty shell that only scripts fill.
    """

    main: RawOffer | None
    price: Decimal | None
    offers: list[RawOffer]
    candidates: Mapping[str, list[Candidate]]
    ambiguous: tuple[str, ...] = ()
    is_product: bool = False
    needs_browser: bool = False


def read_page(document: Document, rules: Mapping[str, str] | None = None) -> PageReading:
    """Read a page. `rules` names by field the source that a person believes for this store."""
    return _Reading(document, rules or {}).result()


class _Reading:
    def __init__(self, document: Document, rules: Mapping[str, str]) -> None:
        self.document = document
        self.rules = rules
        self.structured: list[SourceReading] = read_schema_org(document)
        tags = read_open_graph(document)
        self.said: list[RawOffer] = [reading.main for reading in self.structured] + ([tags] if tags else [])
        self.tags = tags
        self.country = page_country(document)
        self.candidates: dict[str, list[Candidate]] = {}

    def result(self) -> PageReading:
        known = {amount for amount in (self._amount(offer.price) for offer in self._all_said()) if amount}
        is_told = any(is_told_whole(reading.main) and reading.main.brand for reading in self.structured)
        nodes = find_titles(self.document, self.names)
        self.visible: VisibleText | None = None
        for node in nodes:
            seen = self._look(node, known, _A_FEW if is_told else _MANY)
            if is_told and seen.prices and not any(_plain(price.value) in known for price in seen.prices):
                seen = self._look(node, known, _MANY)
            if self.visible is None or seen.prices:
                self.visible = seen
            if seen.prices:
                break
        self.heading = title_name(nodes[0], self._page_titles or self.names) if nodes else None
        name = self._name()
        self._add_all(name)
        self._add_number_of_address()
        price = self._price()
        worded, source = self._worded(price)
        fields: dict[str, Any] = {
            "title": name,
            "price": worded,
            "price_currency": self._currency(price),
            "availability": self._availability(),
            "brand": self._brand(name),
            "sku": self._chosen("sku"),
            "gtin": self._chosen("gtin"),
            "mpn": self._chosen("mpn"),
        }
        fields["list_price"] = self._list_price(price.value if price else None)
        base = self.said[0] if self.said else None
        reading = as_reading(self.candidates, _FIELDS)
        url = self.document.canonical_url
        if base is not None:
            main = replace(base, **fields, source=source, reading=reading)
            for other in self.said[1:]:
                _fill(main, other)
        else:
            main = RawOffer(external_id=url, url=url, source=source, reading=reading, **fields)
        main.price_kind = main.price_kind or ("from" if self._is_from(price) else None)
        has_any = bool(name)
        is_product = bool(self.structured) or self.tags is not None or self._looks_like_a_product(price)
        ambiguous = tuple(name for name in self._contradictions(price) if name not in self.rules)
        return PageReading(
            main=main if has_any else None,
            price=price.value if price else None,
            offers=self._offers(main) if is_product else [],
            candidates=self.candidates,
            ambiguous=ambiguous if is_product else (),
            is_product=is_product,
            needs_browser=price is None and not self.structured and _is_shell(self.document),
        )

    def _look(self, node: LexborNode, known: set[Decimal], most_after: int) -> VisibleText:
        currency = self._currency_said or country_currency(self.country)
        return read_visible_text(
            node, country=self.country, currency=currency, known=known, most_after=most_after
        )

    # --- names -------------------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> list[str]:
        """What markup and <title> call the product, the likeliest first."""
        said = [offer.title for offer in self.said if offer.title]
        if self.document.meta("og:title"):
            said.append(self.document.meta("og:title") or "")
        if self.document.title:
            said.append(self.document.title)
        cleaned = [without_site(name, self.document) for name in said]
        return list(dict.fromkeys(name for name in cleaned if name.strip()))

    @cached_property
    def _page_titles(self) -> list[str]:
        titles = (self.document.meta("og:title"), self.document.title, address_words(self.document.url))
        return [title for title in titles if title]

    def _name(self) -> str:
        for offer in self.said:
            if offer.title:
                self._add("title", without_site(offer.title, self.document), offer.source, "name")
        if self.heading:
            self._add("title", self.heading, "visible_text", "the title element", 0.95)
        elif self.names:
            self._add("title", self.names[0], "visible_text", "<title>", 0.3)
        chosen = best(self.candidates.get("title", []), tokens, self.rules.get("title"))
        return str(chosen.value) if chosen else ""

    # --- candidates --------------------------------------------------------------------------------------------

    def _add(self, name: str, value: Any, source: str, where: str, weight: float | None = None) -> None:
        if value not in (None, ""):
            weight = _WEIGHTS.get(source, 0.4) if weight is None else weight
            self.candidates.setdefault(name, []).append(
                Candidate(name, value, source, where[:80], round(weight, 3))
            )

    def _add_all(self, name: str) -> None:
        for offer in self.said:
            where = "meta" if offer.source == "open_graph" else "markup"
            for key in ("brand", "sku", "gtin", "mpn"):
                self._add_code(key, getattr(offer, key), offer.source, where)
            self._add("availability", read_availability(offer.availability), offer.source, where)
        if self.visible is not None:
            for key, (value, label) in self.visible.labelled.items():
                self._add_code(key, value, "visible_text", label, 0.85 if key == "sku" else 0.55)
            if self.visible.availability is not None:
                word, weight, label = self.visible.availability
                self._add("availability", Availability(word), "visible_text", label, weight)
        if self._is_scripts_worth_reading():
            for product in self._embedded(name)[:2]:
                for key in ("brand", "sku", "gtin", "mpn"):
                    self._add_code(key, product.fields.get(key), "embedded_state", product.where)
                stock = product.fields.get("availability")
                self._add("availability", read_availability(stock), "embedded_state", product.where, 0.5)

    def _add_code(self, key: str, value: Any, source: str, where: str, weight: float | None = None) -> None:
        if key == "gtin" and (value is None or read_gtin(str(value)) is None):
            return
        if key == "sku" and value is not None:
            weight = _WEIGHTS.get(source, 0.4) if weight is None else weight
            is_address = "/" in str(value) and str(value) in unquote(self.document.url)
            if is_address or (source != "visible_text" and read_gtin(str(value)) is not None):
                weight *= 0.4
        if key == "brand":
            value = clean_brand(value)
            if value is not None and value.startswith(("$", "{", "http")):
                value = None
        self._add(key, value, source, where, weight)

    def _add_number_of_address(self) -> None:
        """The number in the page's address, where the page itself goes on using it."""
        if not self.candidates.get("sku"):
            found = re.findall(r"(?<!\d)\d{5,14}(?!\d)", path_of(self.document.url))
            if found and self.document.html.count(found[-1]) > 3:
                self._add("sku", found[-1], "address", self.document.url)

    def _is_scripts_worth_reading(self) -> bool:
        """Scripts are costly: they are read where the page lacks a price, or codes and brand."""
        known = self.candidates
        if not any(self._amount(offer.price) for offer in self.said):
            return True
        return "brand" not in known and "sku" not in known

    def _embedded(self, name: str) -> list[EmbeddedProduct]:
        found: list[EmbeddedProduct] | None = self.__dict__.get("_embedded_products")
        if found is None:
            found = self.__dict__["_embedded_products"] = embedded_products(self.document, name)
        return found

    # --- price -------------------------------------------------------------------------------------------------

    def _all_said(self) -> list[RawOffer]:
        return [offer for reading in self.structured for offer in reading.offers] + (
            [self.tags] if self.tags else []
        )

    def _amount(self, value: Decimal | str | None) -> Decimal | None:
        return plain_amount(value, self._currency_said)

    @cached_property
    def _currency_said(self) -> str | None:
        return next((code for offer in self.said if (code := _code(offer.price_currency))), None)

    @cached_property
    def _shown(self) -> list[ShownPrice]:
        """The shown prices that may be the one asked, the likeliest first."""
        prices = self.visible.prices if self.visible else []
        return [price for price in prices if price.score >= _SHOWN_ENOUGH and price.distance < _FAR]

    @cached_property
    def _by_amount(self) -> dict[Decimal, ShownPrice]:
        """Every shown amount with its likeliest place."""
        found: dict[Decimal, ShownPrice] = {}
        for price in self.visible.prices if self.visible else []:
            found.setdefault(_plain(price.value), price)
        return found

    def _price(self) -> Candidate | None:
        for reading in self.structured:
            values: list[Decimal] = []
            for offer in [reading.main, *reading.offers]:
                amount = self._amount(offer.price)
                if amount is not None and amount not in values:
                    values.append(amount)
            for position, amount in enumerate(values[:40]):
                weight = _WEIGHTS[reading.source] * (1.0 if not position else 0.7)
                self._add("price", amount, reading.source, "markup", weight * self._seen(amount))
        if self.tags is not None and (amount := self._amount(self.tags.price)) is not None:
            self._add("price", amount, "open_graph", "meta", _WEIGHTS["open_graph"] * self._seen(amount))
        known = {candidate.value for candidate in self.candidates.get("price", [])}
        first = True
        for amount, price in list(self._by_amount.items())[:30]:
            if price.score >= _SHOWN_ENOUGH or (amount in known and price.score > -2):
                weight = min(0.85, max(0.3, 0.4 + 0.1 * price.score)) - (
                    0.0 if first or amount in known else 0.25
                )
                if price.is_former or price.distance >= _FAR:
                    weight *= 0.5
                first = False
                self._add("price", amount, "visible_text", f"{price.words} ({price.where})", weight)
        if self._is_scripts_worth_reading():
            for product in self._embedded(str(self.heading or (self.names[0] if self.names else "")))[:2]:
                amount = product.fields.get("price")
                if amount is not None:
                    amount = _plain(amount)
                    self._add(
                        "price",
                        amount,
                        "embedded_state",
                        product.where,
                        0.55 if amount in self._by_amount else 0.35,
                    )
        return best(self.candidates.get("price", []), lambda value: value, self.rules.get("price"))

    def _seen(self, amount: Decimal) -> float:
        """Markup is believed less where the page shows another price than this, or this one struck through."""
        if not self._shown or self._shown[0].distance > _NEAR:
            return 1.0
        place = self._by_amount.get(amount)
        if place is None:
            return 0.6
        return 0.6 if place.is_struck and self._shown[0].value < amount else 1.0

    def _worded(self, price: Candidate | None) -> tuple[Decimal | str | None, str]:
        """The price as markup words it, so that normalization judges the text, and its source."""
        if price is None:
            # What markup says in place of a price is kept for the quarantine.
            worded = next((offer for offer in self.said if offer.price is not None), None) or next(
                iter(self.said), None
            )
            return (worded.price, worded.source) if worded else (None, "visible_text")
        for offer in self._all_said():
            if self._amount(offer.price) == price.value:
                return offer.price, offer.source
        return price.value, price.source

    def _is_from(self, price: Candidate | None) -> bool:
        return price is not None and any(
            shown.is_from and shown.value == price.value for shown in self._shown
        )

    def _list_price(self, price: Decimal | None) -> Decimal | str | None:
        for offer in self._all_said():
            self._add("list_price", self._amount(offer.list_price), offer.source, "markup")
        for shown in self.visible.prices if self.visible else []:
            if (
                shown.is_former
                and -10 < shown.distance < 60
                and shown.amount.mark
                and price is not None
                and shown.value > price
            ):
                self._add("list_price", _plain(shown.value), "visible_text", shown.words, 0.5)
                break
        higher = [
            c
            for c in self.candidates.get("list_price", [])
            if price is not None and price < c.value < price * 20
        ]
        self.candidates["list_price"] = higher
        chosen = best(higher, lambda value: value, self.rules.get("list_price"))
        if chosen is None:
            return None
        said = (
            offer.list_price for offer in self._all_said() if self._amount(offer.list_price) == chosen.value
        )
        return next(said, chosen.value)

    # --- currency ----------------------------------------------------------------------------------------------

    def _currency(self, price: Candidate | None) -> str | None:
        """Markup's code, else what the mark beside the price means in the page's country; never a guess."""
        for offer in self.said:
            trust = 0.4 if price is not None and self._amount(offer.price) not in (None, price.value) else 1.0
            self._add(
                "price_currency",
                _code(offer.price_currency),
                offer.source,
                "markup",
                trust * _WEIGHTS[offer.source],
            )
        mark = None
        if price is not None:
            for shown in self.visible.prices if self.visible else []:
                if shown.value == price.value and shown.amount.mark is not None:
                    mark = shown.amount.mark
                    self._add("price_currency", shown.currency, "visible_text", shown.words, 0.75)
                    break
        if price is not None and not self.candidates.get("price_currency"):
            tagged = _code(
                self.document.meta("priceCurrency", "currency", "pricecurrency", "product:price:currency")
            )
            self._add("price_currency", tagged, "open_graph", "meta")
            codes = {code for code in _CURRENCY_CODE.findall(self.document.html)[:50] if code in CURRENCIES}
            own = country_currency(self.country)
            code = codes.pop() if len(codes) == 1 else (own if own in codes else None)
            if code is not None and (mark is None or currency_of(mark, None) in (None, code)):
                self._add("price_currency", code, "embedded_state", "script", 0.5)
            if (
                not self.candidates.get("price_currency")
                and mark is None
                and own
                and price.source == "visible_text"
            ):
                self._add("price_currency", own, "address", f"country {self.country}", 0.3)
        chosen = best(
            self.candidates.get("price_currency", []), lambda value: value, self.rules.get("price_currency")
        )
        return str(chosen.value) if chosen and price is not None else None

    # --- availability ------------------------------------------------------------------------------------------

    def _availability(self) -> str | None:
        known = self.candidates.get("availability", [])
        offers = [offer for reading in self.structured[:1] for offer in reading.offers]
        if len(offers) > 1:
            there = [
                word
                for offer in offers
                if (word := read_availability(offer.availability)) and word.can_be_bought
            ]
            known = [c for c in known if c.source != self.structured[0].source]
            if there:
                known.append(
                    Candidate("availability", there[0], self.structured[0].source, "one of its variants", 0.8)
                )
            self.candidates["availability"] = known
        chosen = best(known, _can_be_bought, self.rules.get("availability"))
        return str(chosen.value) if chosen else None

    # --- codes -------------------------------------------------------------------------------------------------

    def _brand(self, name: str) -> str | None:
        known = self.candidates.get("brand", [])
        mine = set(tokens(name))
        for position, candidate in enumerate(known):
            if mine.issuperset(tokens(str(candidate.value))):
                known[position] = replace(candidate, weight=min(0.98, candidate.weight + 0.15))
        chosen = best(known, lambda value: tokens(str(value)), self.rules.get("brand"))
        return str(chosen.value) if chosen else None

    def _chosen(self, name: str) -> str | None:
        chosen = best(
            self.candidates.get(name, []),
            lambda value: re.sub(r"\W+", "", str(value)).casefold(),
            self.rules.get(name),
        )
        return str(chosen.value) if chosen else None

    # --- the whole ---------------------------------------------------------------------------------------------

    def _looks_like_a_product(self, price: Candidate | None) -> bool:
        """Without markup: a title that the page's <title> confirms, one price near it, and a way to buy."""
        if price is None or self.visible is None or not self._shown:
            return False
        first = self._shown[0]
        rivals = {
            p.value for p in self._shown if p.distance > first.distance + 8 and p.score > first.score - 0.8
        }
        if len(rivals) > 2 or not -12 <= first.distance <= 60:
            return False
        bought = self.visible.availability is not None and self.visible.availability[1] >= 0.7
        return first.score >= _SURELY_SHOWN - 1 and bought

    def _contradictions(self, price: Candidate | None) -> list[str]:
        if price is None or not self._shown:
            return []
        first = self._shown[0]
        markup = {c.value for c in self.candidates["price"] if c.source in {"json_ld", "microdata", "rdfa"}}
        shown = set(self._by_amount)
        found = []
        if markup and first.amount.mark and not markup & shown and _is_beside_title(first):
            found.append("price")
        codes = {
            c.value
            for c in self.candidates.get("price_currency", [])
            if c.source in {"json_ld", "microdata", "visible_text"}
        }
        if len(codes) > 1:
            found.append("price_currency")
        return found

    def _offers(self, main: RawOffer) -> list[RawOffer]:
        variants = max((reading.offers for reading in self.structured), key=len, default=[])
        if len(variants) < 2:
            return [main]
        for variant in variants:
            if variant.price is not None and variant.price_currency is None:
                variant.price_currency = main.price_currency
            for key in ("brand", "category", "image_url", "item_condition"):
                if getattr(variant, key) in (None, ""):
                    setattr(variant, key, getattr(main, key))
            variant.reading = None
        return variants


def ambiguous_offer(reading: PageReading) -> InvalidOffer:
    """The quarantined form of an offer whose sources contradict each other, with all that they say."""
    main = reading.main
    assert main is not None
    candidates = [
        candidate.shown() for name in reading.ambiguous for candidate in reading.candidates.get(name, [])
    ]
    what = "; ".join(f"{c['field']} {c['value']} ({c['source']})" for c in candidates)
    return refused(
        "ambiguous",
        {"candidates": candidates, "name": main.title, "fields": list(reading.ambiguous)},
        external_id=main.external_id,
        title=main.title,
        url=main.url,
        detail=what[:200],
    )


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
    return _plain(amount) if amount.is_finite() and 0 < amount < 10**9 else None


def _is_beside_title(price: ShownPrice) -> bool:
    """Whether a shown price is surely the product's own, whatever markup says."""
    if price.score >= _SURELY_SHOWN:
        return -6 <= price.distance <= 30
    return price.score >= _SURELY_SHOWN / 2 and 0 <= price.distance <= 6


def _plain(amount: Decimal) -> Decimal:
    """The amount without zeros at its end and without an exponent."""
    reduced = amount.normalize()
    return reduced.quantize(Decimal(1)) if int(reduced.as_tuple().exponent) > 0 else reduced


def _fill(main: RawOffer, other: RawOffer) -> None:
    for key in (
        "item_condition",
        "category",
        "image_url",
        "item_group_id",
        "seller",
        "shipping_cost",
        "stock_level",
    ):
        if getattr(main, key) in (None, ""):
            setattr(main, key, getattr(other, key))


def _code(value: str | None) -> str | None:
    return value.strip().upper() if value and value.strip().upper() in CURRENCIES else None


def _can_be_bought(value: Availability) -> object:
    return value.can_be_bought


def _is_shell(document: Document) -> bool:
    """Whether the page has next to no text of its own, no heading, and scripts that would fill it."""
    body = document.tree.body
    if body is None or document.first_level_headings or not any(map(_runs, document.script_nodes)):
        return False
    words = 0
    for node in body.traverse(include_text=True):
        if node.is_text_node and node.parent is not None and node.parent.tag not in _UNSEEN:
            words += len((node.text_content or "").split())
            if words > _SHELL_WORDS:
                return False
    return True


def _runs(script: LexborNode) -> bool:
    kind = (script.attributes.get("type") or "").lower()
    return kind in {"", "module", "text/javascript", "application/javascript"}
