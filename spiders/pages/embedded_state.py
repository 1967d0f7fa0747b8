"""Products in a page's scripts: application state, data layers, inline product objects, data attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

from spiders.pages.base import Document
from spiders.pages.script_values import literals, parse_json
from spiders.pages.titles import agreement
from spiders.untrusted import code, decimal, text

_MOST_BYTES = 4_000_000
_MOST_VALUES = 60_000
_NAMES = (
    "name",
    "productname",
    "title",
    "itemname",
    "displayname",
    "label",
    "producttitle",
    "pname",
    "prodname",
)
_NAME_KEYS = frozenset(
    "name title label Name Title productName product_name ProductName productTitle product_title itemName item_name "
    "displayName display_name product_title prodName pName".split()
)
_CURRENCY_KEYS = frozenset({"currency", "priceCurrency", "currencyCode", "currency_code", "Currency"})
_NESTING = (dict, list)
_PRICES = (
    "saleprice", "specialprice", "finalprice", "currentprice", "sellingprice", "discountedprice", "offerprice", "price",
    "pricevalue", "productprice", "unitprice", "priceamount", "itemprice", "salesprice", "pricewithtax", "nowprice",
)  # fmt: skip
_LIST_PRICES = (
    "listprice",
    "originalprice",
    "regularprice",
    "oldprice",
    "wasprice",
    "msrp",
    "compareatprice",
    "fullprice",
)
_SKUS = (
    "sku",
    "productsku",
    "itemid",
    "productcode",
    "productid",
    "code",
    "articlenumber",
    "itemno",
    "partnumber",
    "id",
    "prodid",
    "itemcode",
)
_CURRENCIES = ("currency", "pricecurrency", "currencycode", "currencyiso", "currencyid")
_GTINS = ("gtin13", "gtin", "ean", "ean13", "gtin14", "upc", "barcode", "isbn", "isbn13", "gtin12")
_MPNS = ("mpn", "manufacturerpartnumber", "partnumber", "manufacturercode", "modelnumber")
_BRANDS = ("brand", "brandname", "manufacturer", "itembrand", "productbrand", "vendor")
_STOCKS = (
    "availability",
    "instock",
    "isinstock",
    "available",
    "isavailable",
    "stockstatus",
    "availabilitystatus",
    "soldout",
    "outofstock",
    "isoutofstock",
)
_FOLD = re.compile(r"[^a-z0-9]+")


@dataclass(slots=True)
class EmbeddedProduct:
    """A product in a script that agrees with the page's title or address. `fields` are as the script words them."""

    where: str
    score: float
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Sought:
    """The product looked for: its name, the words of that, and the numbers in the page's address."""

    name: str
    words: list[str]
    numbers: set[str]

    def may_be(self, found: dict[str, Any]) -> bool:
        """Whether one of an object's names has a word of the name in it: a quick look before a close one."""
        for key in _NAME_KEYS & found.keys():
            said = found[key]
            if isinstance(said, str):
                folded = said[:400].casefold()
                if any(word in folded for word in self.words):
                    return True
        return False

    @property
    def telling(self) -> list[str]:
        """What a script about it has in it: the longest plain words of its name, or a number of the address."""
        plain = sorted(re.findall(r"[A-Za-z0-9]{3,}", self.name), key=len, reverse=True)[:2]
        return [*plain, *self.numbers] or [""]


def embedded_products(document: Document, name: str) -> list[EmbeddedProduct]:
    """The scripts' products that are this page's own, the surest first; at most six."""
    found: list[EmbeddedProduct] = []
    budget = [_MOST_VALUES]
    if not name:
        return []
    words = re.findall(r"\w{2,}", name.casefold())[:12] or [name.casefold()]
    sought = _Sought(name, words, set(re.findall(r"\d{4,}", document.url)))
    for where, value in _values(document, sought):
        _collect(value, where, sought, found, budget)
        if budget[0] <= 0:
            break
    found.sort(key=lambda product: -product.score)
    return found[:6]


def _values(document: Document, sought: _Sought) -> Iterator[tuple[str, Any]]:
    left = _MOST_BYTES
    telling = sought.telling
    for node in document.script_nodes:
        kind = (node.attributes.get("type") or "").split(";")[0].strip().lower()
        if "ld+json" in kind or node.attributes.get("src"):
            continue
        script = node.text()
        if not script or "rice" not in script or not any(word in script for word in telling):
            continue
        left -= len(script)
        if left < 0:
            return
        where = node.attributes.get("id") or "script"
        if "json" in kind or script.lstrip()[:1] in "{[":
            parsed = parse_json(script)
            if parsed is not None:
                yield where[:60], parsed
                continue
        for value in literals(script):
            yield where[:60], value
    for node in document.tree.css(
        "[data-product], [data-product-data], [data-ecommerce], [data-gtm], [data-analytics]"
    )[:20]:
        for name, words in node.attributes.items():
            if words and words.lstrip()[:1] == "{" and len(words) < 20_000 and name.startswith("data-"):
                parsed = parse_json(words)
                if parsed is not None:
                    yield name[:60], parsed


def _collect(
    value: Any, where: str, sought: _Sought, found: list[EmbeddedProduct], budget: list[int]
) -> None:
    stack: list[tuple[Any, int, Any]] = [(value, 0, None)]
    while stack and budget[0] > 0:
        current, depth, currency = stack.pop()
        budget[0] -= 1
        if isinstance(current, dict):
            if not _CURRENCY_KEYS.isdisjoint(current):
                currency = next((value for key in _CURRENCY_KEYS if (value := current.get(key))), currency)
            if not _NAME_KEYS.isdisjoint(current) and sought.may_be(current):
                flat = {_folded(str(key)): inner for key, inner in current.items()}
                product = _product(flat, where, sought, _first(flat, _CURRENCIES) or currency)
                if product is not None:
                    found.append(product)
            if depth < 25:
                stack += [
                    (inner, depth + 1, currency) for inner in current.values() if type(inner) in _NESTING
                ]
        elif isinstance(current, list) and depth < 25:
            stack += [(inner, depth + 1, currency) for inner in current[:300] if type(inner) in _NESTING]
        elif isinstance(current, str) and depth < 3 and current[:1] == "{" and len(current) < 500_000:
            stack.append((parse_json(current), depth + 1, currency))


@lru_cache(maxsize=4096)
def _folded(key: str) -> str:
    return _FOLD.sub("", key[:60].lower())


def _product(flat: dict[str, Any], where: str, sought: _Sought, currency: Any) -> EmbeddedProduct | None:
    said = next((words for key in _NAMES if isinstance(words := flat.get(key), str) and words), None)
    if said is None:
        return None
    agrees = agreement(sought.name, said[:400])
    if agrees <= 0.3:
        return None
    price = _price(flat)
    sku = next((read for key in _SKUS if (read := code(flat.get(key)))), None)
    gtin = next((read for key in _GTINS if (read := code(flat.get(key)))), None)
    if price is None and sku is None and gtin is None:
        return None
    is_addressed = sku is not None and sku in sought.numbers
    if agrees < 0.8 and not (is_addressed and agrees > 0.3):
        return None
    brand = next((words for key in _BRANDS if (words := _brand(flat.get(key)))), None)
    fields: dict[str, Any] = {
        "name": said[:400],
        "price": price,
        "list_price": next((amount for key in _LIST_PRICES if (amount := _number(flat.get(key)))), None),
        "price_currency": _code_of(currency) or _code_of(_nested(flat, "price", _CURRENCIES)),
        "sku": sku,
        "gtin": gtin,
        "mpn": next((read for key in _MPNS if (read := code(flat.get(key)))), None),
        "brand": brand,
        "availability": _stock(flat),
    }
    filled = sum(value is not None for value in fields.values())
    score = agrees * 3 + (1.5 if is_addressed else 0) + (1.0 if price is not None else 0) + filled / 10
    return EmbeddedProduct(where, score, {key: value for key, value in fields.items() if value is not None})


def _first(flat: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((flat[name] for name in names if flat.get(name) not in (None, "", [], {})), None)


def _nested(flat: dict[str, Any], name: str, inner: tuple[str, ...]) -> Any:
    value = flat.get(name)
    return (
        _first({_folded(str(key)): v for key, v in value.items()}, inner) if isinstance(value, dict) else None
    )


def _price(flat: dict[str, Any]) -> Decimal | None:
    for key in _PRICES:
        value = flat.get(key)
        if isinstance(value, dict):
            inner = {_folded(str(name)): v for name, v in value.items()}
            value = _first(inner, ("current", "value", "amount", "now", "final", "sale", "price", "regular"))
        read = _number(value)
        if read is not None:
            return read
    return None


def _number(value: object) -> Decimal | None:
    read = decimal(value)
    return read if read is not None and 0 < read < 10**9 else None


def _brand(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("name") or value.get("title")
    return text(value, 100) if isinstance(value, str) else None


def _code_of(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("code") or value.get("iso")
    read = text(value, 10) if isinstance(value, str) else None
    return read.upper() if read and re.fullmatch(r"[A-Za-z]{3}", read) else None


def _stock(flat: dict[str, Any]) -> str | bool | None:
    for key in _STOCKS:
        value = flat.get(key)
        if isinstance(value, bool):
            return not value if key in {"soldout", "outofstock", "isoutofstock"} else value
        if isinstance(value, str) and value:
            return value[:60]
    return None
