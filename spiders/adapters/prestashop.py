"""PrestaShop: the webservice with a merchant's key, else product pages; hand-over by product pages."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from aggregator.domain.errors import FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import (
    NOT_DETECTED,
    Detection,
    HandOffLine,
    Page,
    Signal,
    Source,
    Store,
)
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import Answer, Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.adapters import generic
from spiders.handoffs import origin, product_links
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.page_walks import read_listed_pages
from spiders.site_names import site_name
from spiders.store_options import needed_key
from spiders.untrusted import code, mapping, price, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title
from spiders.xml_values import xml_values

PAGE_SIZE = 100
_MOST_PAGES = 5000
# The field that the webservice is asked to put the shown price into: its own `price` is net.
SHOWN_PRICE = "shown_price"
_MARKS = (
    ("generator PrestaShop", 0.6, re.compile(r"<meta\b[^>]*\bcontent=[\"']?PrestaShop\b", re.I)),
    ("its script variable", 0.5, re.compile(r"\bvar prestashop\s*=\s*\{")),
    ("/modules/ps_…", 0.4, re.compile(r"/modules/ps_[a-z]+/", re.I)),
    ("/themes/…/assets/", 0.2, re.compile(r"/themes/[\w-]+/assets/(?:css|js|cache)/", re.I)),
)
_ROOTS = ("/api", "/prestashop/api")


@dataclass(frozen=True, slots=True)
class Combinations:
    """What the combinations of products are called and how many are there, by their ids."""

    values: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    stock: Mapping[tuple[str, str], int] = field(default_factory=dict)


class PrestaShopSource:
    """The catalogue by its webservice where a key is set, else every page that the sitemap lists."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every product and combination. Raises StoreError where the catalogue cannot be read to its end."""
        if "webservice_key" not in store.options:
            return read_listed_pages(store, fetcher)
        return self._from_webservice(store, fetcher)

    def _from_webservice(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        currency = _currency(store, fetcher) or store.currency
        known = Combinations(_value_names(store, fetcher), _stock(store, fetcher))
        waiting: dict[str, list[Mapping[str, Any]]] = {}
        for row in _walk(store, fetcher, "combinations", {f"price[{SHOWN_PRICE}][use_tax]": "1"}):
            waiting.setdefault(code(row.get("id_product")) or "", []).append(row)
        shown = {f"price[{SHOWN_PRICE}][use_tax]": "1", "filter[active]": "[1]", **_language(store)}
        for row in _walk(store, fetcher, "products", shown):
            if SHOWN_PRICE not in row and store.options.get("net_prices") != "yes":
                raise UnreadableAnswer(
                    store.url, "tells net prices only; --set net_prices=yes takes them as they are"
                )
            sold = waiting.get(code(row.get("id")) or "", [])
            yield from read_product(row, origin(store), currency=currency, combinations=sold, known=known)


def _ask(store: Store, fetcher: Fetcher, resource: str, query: Mapping[str, str]) -> Any:
    """One resource as rows. Raises FetchRefused where the key is not taken."""
    key = needed_key(store, "webservice_key", "from Advanced Parameters, Webservice")
    if not re.fullmatch(r"[A-Za-z0-9_]{8,64}", key):
        raise FetchRefused(store.url, "webservice_key is no key; set it anew with --set webservice_key=…")
    # The key is the user's name of Basic authentication, its password is empty.
    token = base64.b64encode(f"{key}:".encode()).decode()
    path = store.options.get("api_path", _ROOTS[0])
    url = f"{origin(store)}/{path.strip('/')}/{resource}?{urlencode({'output_format': 'JSON', **query})}"
    answer = fetcher.get(url, headers={"Authorization": f"Basic {token}"}, max_bytes=50_000_000)
    if answer.status in {401, 403}:
        raise FetchRefused(url, f"wants a valid key (HTTP {answer.status}): --set webservice_key=…")
    return read_document(answer.expect_ok())


def read_document(answer: Answer) -> Any:
    """A webservice answer as plain values, in either of its formats."""
    if not answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return answer.json()
    return xml_values(answer.body, url=answer.url)


def products_of(document: object) -> list[Any]:
    """The products of an answer: a list, a single one, or none."""
    inner = mapping(document)
    if isinstance(inner.get("product"), dict):
        return [inner["product"]]
    listed = inner.get("products")
    if isinstance(listed, dict):
        listed = listed.get("product", [])
    return listed if isinstance(listed, list) else [listed] if isinstance(listed, dict) else []


def _walk(
    store: Store, fetcher: Fetcher, resource: str, query: Mapping[str, str]
) -> Iterator[Mapping[str, Any]]:
    """Every row of a resource. A page beyond the last is an empty list, a resource without rows too."""
    for page in range(_MOST_PAGES):
        limit = {"display": "full", "sort": "[id_ASC]", "limit": f"{page * PAGE_SIZE},{PAGE_SIZE}"}
        document = _ask(store, fetcher, resource, {**query, **limit})
        if document == []:
            return
        found = mapping(document).get(resource)
        if not isinstance(found, list):
            raise UnreadableAnswer(store.url, f"has no list of {resource}")
        yield from map(mapping, found)
        if len(found) < PAGE_SIZE:
            return
    raise UnreadableAnswer(store.url, f"lists more {resource} than can be walked")


def _currency(store: Store, fetcher: Fetcher) -> str | None:
    """The shop's own currency, where the key may read it."""
    try:
        query = {"filter[name]": "[PS_CURRENCY_DEFAULT]", "display": "full"}
        setting = rows(mapping(_ask(store, fetcher, "configurations", query)).get("configurations"))
        chosen = text(mapping(setting[0]).get("value"), 10) if setting else None
        listed = _ask(store, fetcher, "currencies", {"display": "full"})
        for row in map(mapping, rows(mapping(listed).get("currencies"))):
            if chosen is not None and text(row.get("id"), 10) == chosen:
                return code(row.get("iso_code"))
    except StoreError:
        pass
    return None


def _language(store: Store) -> dict[str, str]:
    """One language only, or names come once for each."""
    return {"language": store.options.get("language", "1")}


def _value_names(store: Store, fetcher: Fetcher) -> dict[str, tuple[str, str]]:
    """("Size", "M") by the id of the value; empty where the key may not read them."""
    try:
        groups = {
            text(row.get("id"), 20): _words(row.get("public_name")) or _words(row.get("name"))
            for row in _walk(store, fetcher, "product_options", _language(store))
        }
        return {
            value_id: (groups.get(text(row.get("id_attribute_group"), 20)) or "Option", name)
            for row in _walk(store, fetcher, "product_option_values", _language(store))
            if (value_id := text(row.get("id"), 20)) and (name := _words(row.get("name")))
        }
    except StoreError:
        return {}


def _stock(store: Store, fetcher: Fetcher) -> dict[tuple[str, str], int]:
    """Quantities by (product, combination or "0"); empty where the key may not read them."""
    try:
        return {
            (code_of(row, "id_product"), text(row.get("id_product_attribute"), 20) or "0"): quantity
            for row in _walk(store, fetcher, "stock_availables", {})
            if (quantity := whole(row.get("quantity"))) is not None
        }
    except StoreError:
        return {}


def code_of(row: Mapping[str, Any], name: str) -> str:
    """The id in a row as text, "" for none."""
    return text(row.get(name), 20) or ""


def _words(value: object) -> str | None:
    """A text that may come once a language: the first that says something."""
    if isinstance(value, list):
        return next((found for one in value if (found := text(mapping(one).get("value")))), None)
    if isinstance(value, dict):
        return _words(value.get("language")) or text(value.get("value"))
    return text(value)


def read_product(
    product: object,
    root: str,
    *,
    currency: str | None = None,
    combinations: Sequence[Mapping[str, Any]] = (),
    known: Combinations | None = None,
) -> Iterator[RawOffer | InvalidOffer]:
    """One product: its combinations where any are given, else itself.

    Amounts are decimal strings in major units: SHOWN_PRICE where it was asked for, else `price`, which is net.
    """
    entry, known = mapping(product), known or Combinations()
    product_id = code(entry.get("id"))
    external_id = product_id or code(entry.get("reference"))
    name = _words(entry.get("name"))
    if external_id is None:
        yield refused("no_id", product, title=name, detail="a product without id and reference")
        return
    url = f"{root}/{quote(external_id, safe='')}-{quote(_words(entry.get('link_rewrite')) or 'product', safe='-')}.html"
    if product_id is None:
        url = f"{root}/index.php?{urlencode({'controller': 'search', 's': external_id})}"
    if entry.get("show_price") in ("0", 0, False) or entry.get("available_for_order") in ("0", 0, False):
        yield refused(
            "not_sold",
            product,
            external_id=external_id,
            title=name,
            url=url,
            detail="is shown without being sold",
        )
        return
    for combination in combinations or [{}]:
        yield _offer(entry, combination, external_id, name or "", url, currency, known)


def _offer(
    product: Mapping[str, Any],
    combination: Mapping[str, Any],
    product_id: str,
    name: str,
    url: str,
    currency: str | None,
    known: Combinations,
) -> RawOffer | InvalidOffer:
    combination_id = code(combination.get("id"))
    if combination and combination_id is None:
        return refused("no_id", dict(combination), title=name, url=url, detail="a combination without id")
    links = rows(mapping(combination.get("associations")).get("product_option_values"))
    found = (known.values.get(text(mapping(link).get("id"), 20) or "") for link in links)
    chosen = dict(pair for pair in found if pair)
    asked = (combination if SHOWN_PRICE in combination else product).get(SHOWN_PRICE)
    if asked is None:
        asked = _net(product, combination)
    quantity = known.stock.get((product_id, combination_id or "0"))
    gtins = (row.get(key) for row in (combination, product) for key in ("ean13", "upc", "isbn"))
    return RawOffer(
        external_id=f"{product_id}-{combination_id}" if combination else product_id,
        url=url,
        title=variant_title(name, chosen.values()),
        price=price(asked),
        price_currency=currency,
        availability=None if quantity is None else quantity > 0,
        stock_level=quantity if quantity is not None and quantity > 0 else None,
        item_condition=text(product.get("condition"), 40),
        brand=_words(product.get("manufacturer_name")),
        gtin=next((gtin for value in gtins if (gtin := code(value))), None),
        mpn=code(combination.get("mpn")) or code(product.get("mpn")),
        sku=code(combination.get("reference")) or code(product.get("reference")),
        item_group_id=product_id if combination else None,
        variant_attributes=chosen,
        source="webservice",
        raw=storable({"product": {key: product.get(key) for key in ("id", "reference", "name", "price", "active")},
                      "combination": dict(combination)}),
    )  # fmt: skip


def _net(product: Mapping[str, Any], combination: Mapping[str, Any]) -> Decimal | str | None:
    """The net price; a combination's own `price` is what it adds to the product's."""
    base, added = price(product.get("price")), price(combination.get("price"))
    return base + added if isinstance(base, Decimal) and isinstance(added, Decimal) else base


def detect(evidence: Evidence) -> Detection:
    """Marks of its storefront, confirmed by its webservice, which asks for a key, or by its generator's name."""
    home = evidence.home
    seen = [(what, weight) for what, weight, mark in _MARKS if mark.search(home.text[:500_000])]
    signals = [Signal(what, "home page") for what, _ in seen]
    if re.search(r"\bPrestaShop-[0-9a-f]{20,}=", home.headers.get("set-cookie", "")):
        signals.append(Signal("its session cookie", "header"))
        seen.append(("cookie", 0.6))
    if "prestashop" in home.headers.get("powered-by", "").lower():
        signals.append(Signal("Powered-By", "header"))
        seen.append(("header", 0.6))
    weight = sum(one for _, one in seen)
    if weight < 0.8:
        return Detection(confidence=0.3, signals=tuple(signals)) if signals else NOT_DETECTED
    answer = evidence.get(f"{_ROOTS[0]}/")
    if _is_webservice(answer):
        signals.append(Signal("the webservice asks for a key", f"{_ROOTS[0]}/"))
    elif len(seen) < 2:
        return Detection(confidence=0.4, signals=tuple(signals))
    root = read_web_address(home.url).origin
    return Detection(
        confidence=0.9 if _is_webservice(answer) else 0.8,
        signals=tuple(signals),
        sources=(Source(kind="webservice", url=f"{root}{_ROOTS[0]}"),),
        name=site_name(home),
    )


def _is_webservice(answer: Page | None) -> bool:
    return (
        answer is not None
        and answer.status == 401
        and "basic" in answer.headers.get("www-authenticate", "").lower()
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read by id where a key is set, else each line's own page."""
    if "webservice_key" not in store.options:
        return generic.check_offers(store, lines, fetcher)
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    shown = {f"price[{SHOWN_PRICE}][use_tax]": "1", "display": "full"}
    try:
        ids = "|".join(sorted({line.external_id.partition("-")[0] for line in lines}))
        document = _ask(store, fetcher, "products", {**shown, "filter[id]": f"[{ids}]"})
        sold = _ask(store, fetcher, "combinations", {**shown, "filter[id_product]": f"[{ids}]"})
        combinations = [mapping(row) for row in rows(mapping(sold).get("combinations"))]
        for product in products_of(document):
            own = [
                row for row in combinations if code_of(row, "id_product") == code_of(mapping(product), "id")
            ]
            for offer in read_product(product, origin(store), currency=store.currency, combinations=own):
                found[offer.external_id] = state_of(offer, store)
    except StoreError as error:
        problem = error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


platform = StorePlatform(
    name="prestashop",
    title="PrestaShop",
    detect=detect,
    source=PrestaShopSource(),
    check_offers=check_offers,
    # Its add-to-cart link does nothing for a first-time visitor, who has no cookie yet.
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=("api_path", "language", "net_prices", "sitemap_url"),
    secret_options=("webservice_key",),
)
