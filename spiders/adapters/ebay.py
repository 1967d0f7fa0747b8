"""eBay: fixed-price listings that a question to the Browse API finds; product pages, as there is no cart link."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOff, HandOffLine, Signal, Source, Store
from aggregator.fetching import Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import product_links
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.marketplaces import client_token, is_asked, marketplace_country
from spiders.store_options import header_value, names, needed_key
from spiders.untrusted import address, code, decimal, mapping, price, refused, rows, storable, text, whole

API = "https://api.ebay.com"
PAGE_SIZE = 200
# The API finds no more than these of one question.
MOST_FOUND = 10_000
_SCOPE = "https://api.ebay.com/oauth/api_scope"
_ASKS = ("query", "category", "seller", "gtin", "epid")
_KEY_HINT = "with client_secret: an application's own keyset of eBay's developers programme"
_CONDITIONS = (
    (1000, 1999, "NewCondition"), (2000, 2750, "RefurbishedCondition"), (2751, 6999, "UsedCondition"),
    (7000, 7999, "DamagedCondition"),
)  # fmt: skip
_STOCK = {"IN_STOCK": "InStock", "LIMITED_STOCK": "LimitedAvailability", "OUT_OF_STOCK": "OutOfStock"}


class EbaySource:
    """Walks what one question finds; a listing with variations is asked for all of them."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every listing found. Raises StoreError where there are more than the API shows."""
        asked = is_asked(store, _ASKS)
        api = _Api(store, fetcher)
        offset = 0
        groups: set[str] = set()
        while True:
            found = api.get(
                "/item_summary/search", {**_query(asked), "limit": str(PAGE_SIZE), "offset": str(offset)}
            )
            items, total = rows(found.get("itemSummaries")), whole(found.get("total"))
            if total is None or (not items and offset < total):
                raise UnreadableAnswer(api.root, f"lists nothing from {offset} on, of {total}")
            for item in map(mapping, items):
                group = _group(item)
                if group is None:
                    yield read_item(item)
                elif group not in groups:
                    groups.add(group)
                    yield from api.variations(group)
            offset += PAGE_SIZE
            if offset >= total:
                return
            if offset >= MOST_FOUND:
                raise UnreadableAnswer(
                    api.root, f"finds {total}, and shows no more than {MOST_FOUND:,}; narrow the question"
                )


def _query(asked: Mapping[str, str]) -> dict[str, str]:
    """The question in the API's own words; only listings that can be bought at once."""
    filters = ["buyingOptions:{FIXED_PRICE}"]
    if "seller" in asked:
        filters.append(f"sellers:{{{'|'.join(names(asked['seller']))}}}")
    words = {"query": "q", "category": "category_ids", "gtin": "gtin", "epid": "epid"}
    query = {words[name]: value for name, value in asked.items() if name in words}
    if "seller" in asked and not query:
        # A seller alone is no question to the API; its root category is everything.
        query["category_ids"] = "0"
    return {**query, "filter": ",".join(filters), "sort": "newlyListed"}


class _Api:
    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        base = (store.options.get("api_url") or API).rstrip("/")
        token = store.options.get("access_token", "").strip()
        if not token:
            client = (
                f"{needed_key(store, 'client_id', _KEY_HINT)}:{needed_key(store, 'client_secret', _KEY_HINT)}"
            )
            basic = base64.b64encode(client.encode()).decode()
            token = client_token(
                fetcher,
                f"{base}/identity/v1/oauth2/token",
                {"scope": _SCOPE},
                headers={"Authorization": f"Basic {basic}"},
            )
        country = marketplace_country(store.url, "ebay") or store.country or "US"
        self.root = f"{base}/buy/browse/v1"
        self._headers = {
            "Authorization": f"Bearer {header_value(store, 'access_token', token)}",
            "X-EBAY-C-MARKETPLACE-ID": header_value(
                store, "marketplace", store.options.get("marketplace") or f"EBAY_{country}"
            ),
        }
        if campaign := store.options.get("affiliate_campaign"):
            self._headers["X-EBAY-C-ENDUSERCTX"] = f"affiliateCampaignId={quote(campaign, safe='')}"
        self._fetcher = fetcher

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        url = f"{self.root}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            return mapping(self._fetcher.get_json(url, headers=self._headers)[1])
        except FetchFailed as error:
            if error.status in {401, 403}:
                raise FetchRefused(
                    url,
                    f"does not accept the token (HTTP {error.status}); set client_id and client_secret anew",
                ) from error
            raise

    def variations(self, group: str) -> Iterator[RawOffer | InvalidOffer]:
        """The variations of one listing, each an offer of the group."""
        try:
            found = self.get("/item/get_items_by_item_group", {"item_group_id": group})
        except FetchFailed as error:
            if error.status not in {400, 404}:
                raise
            yield refused(
                "no_variants", {}, external_id=group, detail=f"its variations cannot be read: {error.problem}"
            )
            return
        for item in map(mapping, rows(found.get("items"))):
            yield read_item(item, group)


def _group(item: Mapping[str, Any]) -> str | None:
    """The number of the group that a listing with variations is, from its address."""
    link = text(item.get("itemGroupHref"))
    if not link:
        return None
    return code(next(iter(parse_qs(urlsplit(link).query).get("item_group_id", [])), None))


def read_item(item: Mapping[str, Any], group: str | None = None) -> RawOffer:
    """One listing or variation; its price is a decimal string in major units, shipping apart from it."""
    asked = mapping(item.get("price"))
    before = decimal(mapping(mapping(item.get("marketingPrice")).get("originalPrice")).get("value"))
    now = decimal(asked.get("value"))
    is_reduced = before is not None and now is not None and before > now
    currency = text(asked.get("currency"), 10)
    aspects = {
        name: value
        for aspect in map(mapping, rows(item.get("localizedAspects")))
        if (name := text(aspect.get("name"), 100)) and (value := text(aspect.get("value"), 200))
    }
    stock = mapping(next(iter(rows(item.get("estimatedAvailabilities"))), None))
    status = text(stock.get("estimatedAvailabilityStatus"), 40)
    category = text(item.get("categoryPath"), 300) or text(
        mapping(next(iter(rows(item.get("categories"))), None)).get("categoryName"), 200
    )
    picture = mapping(item.get("image")).get("imageUrl")
    page = item.get("itemAffiliateWebUrl") or item.get("itemWebUrl")
    return RawOffer(
        external_id=code(item.get("itemId")) or "",
        url=(address("https://www.ebay.com/", page) if page else None) or "",
        title=text(item.get("title")) or "",
        price=price(asked.get("value")),
        price_currency=currency,
        list_price=before if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        # What a search shows is for sale; only the listing itself tells how many there are.
        availability=_STOCK.get(status or "", "InStock" if status is None else None),
        stock_level=whole(stock.get("estimatedAvailableQuantity")),
        item_condition=_condition(item),
        brand=text(item.get("brand"), 200),
        gtin=code(item.get("gtin")),
        mpn=code(item.get("mpn")),
        category=category,
        image_url=address("https://www.ebay.com/", picture) if picture else None,
        item_group_id=group,
        variant_attributes=dict(list(aspects.items())[:10]) if group else {},
        seller=text(mapping(item.get("seller")).get("username"), 100),
        shipping_cost=_shipping(item, currency),
        source="browse_api",
        raw=storable(
            {
                name: item.get(name)
                for name in ("itemId", "title", "price", "conditionId", "seller", "itemWebUrl")
            }
        ),
    )


def _condition(item: Mapping[str, Any]) -> str | None:
    number = whole(item.get("conditionId"))
    return next(
        (name for low, high, name in _CONDITIONS if number is not None and low <= number <= high), None
    )


def _shipping(item: Mapping[str, Any], currency: str | None) -> Any:
    """The cheapest fixed shipping, where it is asked for in the item's own currency."""
    costs = [mapping(mapping(option).get("shippingCost")) for option in rows(item.get("shippingOptions"))]
    amounts = [decimal(cost.get("value")) for cost in costs if cost.get("currency") == currency]
    return min((amount for amount in amounts if amount is not None), default=None)


def detect(evidence: Evidence) -> Detection:
    """By the marketplace's own host."""
    country = marketplace_country(evidence.home.url, "ebay")
    if country is None:
        return NOT_DETECTED
    return Detection(
        confidence=0.98,
        signals=(
            Signal("eBay's own host", "address"),
            Signal("needs a key: --set client_id=… --set client_secret=…", "platform"),
            Signal("needs a question: --set query=…", "platform"),
        ),
        sources=(Source(kind="browse_api", url=f"{API}/buy/browse/v1"),),
        name="eBay",
        country=country,
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read listing by listing."""
    try:
        api = _Api(store, fetcher)
    except StoreError as error:
        return [unknown_state(line.external_id, error.problem) for line in lines]
    return [_check(api, line, store) for line in lines]


def _check(api: _Api, line: HandOffLine, store: Store) -> OfferState:
    try:
        item = read_item(api.get(f"/item/{quote(line.external_id, safe='')}"))
    except StoreError as error:
        gone = isinstance(error, FetchFailed) and error.status == 404
        return unknown_state(line.external_id, NO_LONGER_LISTED if gone else error.problem)
    if item.external_id != line.external_id:
        return unknown_state(line.external_id, NO_LONGER_LISTED)
    return state_of(item, store)


def build_handoff(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """The listings' pages, which carry the campaign where an operator set one."""
    return replace(product_links(store, lines), is_affiliate=bool(store.options.get("affiliate_campaign")))


platform = StorePlatform(
    name="ebay",
    title="eBay",
    detect=detect,
    source=EbaySource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="product_link", build=build_handoff),
    options=(*_ASKS, "marketplace", "affiliate_campaign", "api_url"),
    secret_options=("client_id", "client_secret", "access_token"),
    # Its licence: what was fetched longer ago than six hours must not be shown.
    default_options={"max_age_hours": "6"},
)
