"""Magento 2 and Adobe Commerce: the public GraphQL catalogue; hand-over by product pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from aggregator.domain.errors import StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import (
    NOT_DETECTED,
    Detection,
    HandOffLine,
    Signal,
    Source,
    Store,
)
from aggregator.domain.web_addresses import is_on_site, read_web_address
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.graphql import ask_graphql
from spiders.handoffs import origin, product_links
from spiders.json_pages import page_json
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.site_names import site_name
from spiders.untrusted import address, code, mapping, price, refused, rows, storable, text, whole
from spiders.variant_titles import variant_title

PAGE_SIZE = 50
# The search engine behind the catalogue pages no deeper; a larger one is walked in bands of price.
DEEPEST = 10_000
_BANDS = tuple(Decimal(edge) for edge in (0, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000))
_MOST_PAGES = 4000
_MARKS = (
    ("script[type=text/x-magento-init]", re.compile(r"""type=["']?text/x-magento-init""", re.I)),
    ("data-mage-init", re.compile(r"\bdata-mage-init=", re.I)),
    ("/static/version…/frontend/", re.compile(r"/static/version\d+/frontend/")),
    ("mage/cookies", re.compile(r"\bmage/cookies\b|mage-cache-storage", re.I)),
)
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,60}")
_SETTINGS = (
    "{storeConfig{base_currency_code default_display_currency_code secure_base_url product_url_suffix"
    " store_name}}"
)
_PRICE = (
    "price_range{minimum_price{regular_price{value currency}final_price{value currency}}"
    "maximum_price{final_price{value}}}"
)
_GTIN_NAMES = ("gtin", "ean", "gtin13", "upc", "barcode", "isbn")


@dataclass(frozen=True, slots=True)
class _Shop:
    base: str
    suffix: str
    currency: str | None


class MagentoSource:
    """Walks products() page by page; each simple product and each variant of a configurable one is an offer."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every product once. Raises StoreError where the walk cannot be ended."""
        shop = _read_shop(store, fetcher)
        seen: set[str] = set()
        for low, high in _bands(store, fetcher):
            for item in _walk(store, fetcher, low, high):
                key = code(mapping(item).get("sku")) or code(mapping(item).get("uid"))
                if key is None or key not in seen:
                    seen.update([key] if key else [])
                    yield from read_item(item, shop.base, suffix=shop.suffix, currency=shop.currency)


def _ask(
    store: Store, fetcher: Fetcher, query: str, variables: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    view = store.options.get("store_view", "")
    headers = {"Store": view} if re.fullmatch(r"[A-Za-z0-9_]{1,40}", view) else {}
    return ask_graphql(fetcher, f"{origin(store)}/graphql", query, variables, headers=headers)


def _read_shop(store: Store, fetcher: Fetcher) -> _Shop:
    settings = mapping(_ask(store, fetcher, _SETTINGS).get("storeConfig"))
    base = address(origin(store), settings.get("secure_base_url")) or f"{origin(store)}/"
    return _Shop(
        base=base if is_on_site(base, store.url) else f"{origin(store)}/",
        suffix=text(settings.get("product_url_suffix"), 20) or "",
        currency=code(settings.get("default_display_currency_code"))
        or code(settings.get("base_currency_code")),
    )


def _bands(store: Store, fetcher: Fetcher) -> list[tuple[Decimal, Decimal | None]]:
    """The whole catalogue as one band of price, or as many as its depth needs."""
    if _count(store, fetcher, Decimal(0), None) <= DEEPEST:
        return [(Decimal(0), None)]
    found: list[tuple[Decimal, Decimal | None]] = []
    for low, high in zip(_BANDS, (*_BANDS[1:], None), strict=True):
        found.extend(_narrowed(store, fetcher, low, high))
    return found


def _narrowed(
    store: Store, fetcher: Fetcher, low: Decimal, high: Decimal | None
) -> list[tuple[Decimal, Decimal | None]]:
    if _count(store, fetcher, low, high) <= DEEPEST:
        return [(low, high)]
    middle = (low * 2 if high is None else (low + high) / 2).quantize(Decimal("0.01"))
    if middle in (low, high) or middle > 10**9:
        raise UnreadableAnswer(
            origin(store), f"has more than {DEEPEST:,} products at {low}, too many to page through"
        )
    return [*_narrowed(store, fetcher, low, middle), *_narrowed(store, fetcher, middle, high)]


def _count(store: Store, fetcher: Fetcher, low: Decimal, high: Decimal | None) -> int:
    data = _ask(store, fetcher, _question("total_count", store), _variables(1, low, high, size=1))
    count = whole(mapping(data.get("products")).get("total_count"))
    if count is None:
        raise UnreadableAnswer(origin(store), "does not say how many products it has")
    return count


def _walk(store: Store, fetcher: Fetcher, low: Decimal, high: Decimal | None) -> Iterator[object]:
    page, pages = 1, 1
    while page <= pages:
        data = _ask(store, fetcher, _question(None, store), _variables(page, low, high))
        products = mapping(data.get("products"))
        items = products.get("items")
        if not isinstance(items, list):
            raise UnreadableAnswer(origin(store), "has no list of products")
        yield from items
        # Asking beyond the last page is an error there, so its own count is believed.
        told = whole(mapping(products.get("page_info")).get("total_pages"))
        if told is None or told > _MOST_PAGES:
            raise UnreadableAnswer(origin(store), "does not say how many pages its catalogue has")
        pages = told
        page += 1


def _question(field: str | None, store: Store) -> str:
    gtin = store.options.get("gtin_attribute", "")
    extra = f" gtin:{gtin}" if _ATTRIBUTE.fullmatch(gtin) else ""
    plain = f"sku name stock_status{extra} {_PRICE}"
    items = (
        f"page_info{{total_pages}}items{{__typename uid url_key canonical_url small_image{{url}} {plain} "
        f"...on ConfigurableProduct{{variants{{product{{{plain}}}attributes{{code label}}}}}}}}"
    )
    return (
        "query($page:Int!,$size:Int!,$filter:ProductAttributeFilterInput!)"
        f"{{products(filter:$filter,pageSize:$size,currentPage:$page){{{field or items}}}}}"
    )


def _variables(page: int, low: Decimal, high: Decimal | None, size: int = PAGE_SIZE) -> dict[str, Any]:
    band = {"from": format(low, "f")} | ({"to": format(high, "f")} if high is not None else {})
    return {"page": page, "size": size, "filter": {"price": band}}


def read_item(
    item: object, base: str, *, suffix: str = "", currency: str | None = None
) -> Iterator[RawOffer | InvalidOffer]:
    """One entry of products(): its variants where it lists any, else itself. Prices are numbers in major units."""
    entry = mapping(item)
    sku, name = code(entry.get("sku")), text(entry.get("name"))
    kind = text(entry.get("__typename")) or ""
    if sku is None:
        yield refused("no_id", item, title=name, detail="a product without SKU")
        return
    url = _product_url(entry, base, suffix, sku)
    if kind == "GroupedProduct":
        yield refused(
            "grouped_product", item, external_id=sku, title=name, url=url,
            detail="only groups products listed by themselves",
        )  # fmt: skip
        return
    variants = [
        variant for variant in rows(entry.get("variants")) if mapping(mapping(variant).get("product"))
    ]
    if not variants:
        yield _offer(entry, entry, sku, name or "", url, base, currency, {}, None)
        return
    for variant in map(mapping, variants):
        product = mapping(variant.get("product"))
        variant_sku = code(product.get("sku"))
        if variant_sku is None:
            yield refused("no_id", variant, title=name, url=url, detail="a variant without SKU")
            continue
        chosen = {
            (text(mapping(one).get("code"), 50) or f"option {place}"): label
            for place, one in enumerate(rows(variant.get("attributes")), start=1)
            if (label := text(mapping(one).get("label"), 100))
        }
        title = variant_title(name, chosen.values())
        yield _offer(product, entry, variant_sku, title, url, base, currency, chosen, sku)


def listed_offer(entry: Mapping[str, Any], base: str, *, currency: str | None = None) -> RawOffer:
    """What a listing shows of any product, also of one that only groups others: then its lowest price."""
    sku = code(entry.get("sku")) or ""
    name = text(entry.get("name")) or ""
    return _offer(entry, entry, sku, name, _product_url(entry, base, "", sku), base, currency, {}, None)


def _product_url(entry: Mapping[str, Any], base: str, suffix: str, sku: str) -> str:
    canonical = address(base, entry.get("canonical_url"))
    if canonical and is_on_site(canonical, base):
        return canonical
    key = text(entry.get("url_key"), 300)
    if key:
        return f"{base.rstrip('/')}/{quote(key, safe='-/')}{suffix}"
    return f"{base.rstrip('/')}/catalogsearch/result/?{urlencode({'q': sku})}"


def _offer(
    product: Mapping[str, Any],
    listed: Mapping[str, Any],
    sku: str,
    title: str,
    url: str,
    base: str,
    currency: str | None,
    chosen: Mapping[str, str],
    group: str | None,
) -> RawOffer:
    ranges = mapping(product.get("price_range"))
    lowest, highest = mapping(ranges.get("minimum_price")), mapping(ranges.get("maximum_price"))
    regular, final = mapping(lowest.get("regular_price")), mapping(lowest.get("final_price"))
    asked = final if final.get("value") is not None else regular or mapping(highest.get("final_price"))
    asked = asked or mapping(highest.get("regular_price")) or _older_amount(product)
    now, before = price(asked.get("value")), price(regular.get("value"))
    special = price(product.get("special_price"))
    if isinstance(special, Decimal) and isinstance(now, Decimal) and 0 < special < now and not final:
        now = special
    top = price(mapping(highest.get("final_price")).get("value"))
    is_reduced = isinstance(now, Decimal) and isinstance(before, Decimal) and before > now
    is_from = isinstance(now, Decimal) and isinstance(top, Decimal) and top > now
    picture = mapping(product.get("small_image")).get("url") or mapping(listed.get("small_image")).get("url")
    return RawOffer(
        external_id=sku,
        url=url,
        title=title,
        price=now,
        price_currency=code(asked.get("currency")) or currency,
        list_price=before if is_reduced else None,
        price_kind="from" if is_from else "sale" if is_reduced else None,
        availability=text(product.get("stock_status"), 40),
        gtin=next((found for name in _GTIN_NAMES if (found := code(product.get(name)))), None),
        sku=sku,
        image_url=address(base, picture),
        item_group_id=group,
        variant_attributes=chosen,
        handoff={"listed_sku": group} if group else {},
        source="graphql",
        raw=storable(
            {
                "group": {"sku": group, "name": text(listed.get("name"))} if group else None,
                "product": dict(product),
            }
        ),
    )


def _older_amount(product: Mapping[str, Any]) -> Mapping[str, Any]:
    """The amount in the form of before 2.3.1."""
    told = mapping(product.get("price"))
    found = (mapping(mapping(told.get(name)).get("amount")) for name in ("minimalPrice", "regularPrice"))
    return next((amount for amount in found if amount), {})


def detect(evidence: Evidence) -> Detection:
    """Marks of its front end or none (it may be headless), confirmed by the catalogue's own answer."""
    home = evidence.home
    signals = [Signal(what, "home page") for what, mark in _MARKS if mark.search(home.text[:500_000])]
    if any(name in home.headers for name in ("x-magento-vary", "x-magento-tags", "x-magento-cache-id")):
        signals.append(Signal("x-magento-…", "header"))
    if not signals:
        return NOT_DETECTED
    answer = evidence.post_json("/graphql", {"query": _SETTINGS})
    settings = mapping(mapping(mapping(page_json(answer)).get("data")).get("storeConfig"))
    currency = code(settings.get("default_display_currency_code")) or code(settings.get("base_currency_code"))
    if currency is None:
        # Without its catalogue only the pages can be read, and those are not this platform's to read.
        return Detection(confidence=0.4, signals=tuple(signals))
    signals.append(Signal(f"storeConfig with {currency}", "/graphql"))
    return Detection(
        confidence=0.97,
        signals=tuple(signals),
        sources=(Source(kind="graphql", url=f"{read_web_address(home.url).origin}/graphql"),),
        name=text(settings.get("store_name"), 100) or site_name(home),
        currency=currency,
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read by SKU in one question; a variant is listed with the product it belongs to."""
    asked = sorted({dict(line.handoff).get("listed_sku") or line.external_id for line in lines})
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    try:
        variables = {"page": 1, "size": max(len(asked), 1), "filter": {"sku": {"in": asked}}}
        products = mapping(_ask(store, fetcher, _question(None, store), variables).get("products"))
        for item in rows(products.get("items")):
            for offer in read_item(item, f"{origin(store)}/", currency=store.currency):
                found[offer.external_id] = state_of(offer, store)
    except StoreError as error:
        problem = error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


platform = StorePlatform(
    name="magento",
    title="Magento 2",
    detect=detect,
    source=MagentoSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=product_links),
    options=("store_view", "gtin_attribute"),
)
