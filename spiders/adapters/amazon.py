"""Amazon: what the Creators API finds for an accepted associate; one link adds items to the cart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aggregator.domain.cart_links import quantities
from aggregator.domain.errors import FetchFailed, FetchRefused, StoreError, UnreadableAnswer
from aggregator.domain.offers import InvalidOffer, OfferState, RawOffer
from aggregator.domain.stores import NOT_DETECTED, Detection, HandOff, HandOffLine, Signal, Source, Store
from aggregator.domain.web_addresses import read_web_address
from aggregator.fetching import Answer, Fetcher
from aggregator.platforms import Evidence, HandOffBuilder, StorePlatform
from spiders.handoffs import origin, product_links
from spiders.live_checks import NO_LONGER_LISTED, state_of, unknown_state
from spiders.marketplaces import client_token, is_asked, marketplace_country
from spiders.store_options import header_value, names, needed_key
from spiders.untrusted import address, code, decimal, mapping, price, refused, rows, storable, text, whole

API = "https://creatorsapi.amazon/catalog/v1"
PAGE_SIZE = 10
# A question shows ten pages.
MOST_PAGES = 10
_ASKS = ("ids", "query", "category")
_KEY_HINT = "of the Creators API, for associates with enough recent sales"
_ASIN = re.compile(r"[A-Z0-9]{10}")
_RESOURCES = (
    "itemInfo.title", "itemInfo.byLineInfo", "itemInfo.externalIds", "itemInfo.manufactureInfo",
    "itemInfo.classifications", "images.primary.large", "parentASIN", "offersV2.listings.price",
    "offersV2.listings.availability", "offersV2.listings.condition", "offersV2.listings.merchantInfo",
    "offersV2.listings.isBuyBoxWinner",
)  # fmt: skip
# Credentials of version 3 belong to Login with Amazon, those of version 2 to Cognito, by region.
_TOKENS = {
    "3.1": "https://api.amazon.com/auth/o2/token",
    "3.2": "https://api.amazon.co.uk/auth/o2/token",
    "3.3": "https://api.amazon.co.jp/auth/o2/token",
    "2.1": "https://creatorsapi.auth.us-east-1.amazoncognito.com/oauth2/token",
    "2.2": "https://creatorsapi.auth.eu-south-2.amazoncognito.com/oauth2/token",
    "2.3": "https://creatorsapi.auth.us-west-2.amazoncognito.com/oauth2/token",
}
_AMERICA, _FAR_EAST = frozenset({"US", "CA", "MX", "BR"}), frozenset({"JP", "AU", "SG"})
_STOCK = {
    "IN_STOCK": "InStock", "IN_STOCK_SCARCE": "LimitedAvailability", "OUT_OF_STOCK": "OutOfStock",
    "UNAVAILABLE": "OutOfStock", "PREORDER": "PreOrder", "LEADTIME": "BackOrder", "AVAILABLE_DATE": "BackOrder",
}  # fmt: skip


class AmazonSource:
    """Reads the named ASINs, or what a question finds."""

    def fetch_offers(self, store: Store, fetcher: Fetcher) -> Iterator[RawOffer | InvalidOffer]:
        """Every item found. Raises StoreError where there are more than the API shows."""
        asked = is_asked(store, _ASKS)
        api = _Api(store, fetcher)
        for item in api.items(names(asked.get("ids"))):
            yield read_item(item, store)
        words = {"keywords": asked.get("query"), "searchIndex": asked.get("category")}
        question = {name: value for name, value in words.items() if value}
        if "query" not in asked:
            if "category" in asked:
                raise FetchRefused(store.url, "a category alone finds nothing; add --set query=…")
            return
        for number in range(1, MOST_PAGES + 1):
            answer = api.ask("searchItems", {**question, "itemCount": PAGE_SIZE, "itemPage": number})
            found = mapping(answer.get("searchResult"))
            items, total = rows(found.get("items")), whole(found.get("totalResultCount")) or 0
            for item in items:
                yield read_item(mapping(item), store)
            if not items or number * PAGE_SIZE >= total:
                return
        raise UnreadableAnswer(
            api.root, f"finds {total}, and shows no more than {MOST_PAGES * PAGE_SIZE}; narrow the question"
        )


class _Api:
    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self.root = (store.options.get("api_url") or API).rstrip("/")
        tag = needed_key(store, "partner_tag", "the associate's own tracking tag")
        country = marketplace_country(store.url, "amazon")
        self._marketplace = store.options.get("marketplace") or read_web_address(store.url).host
        self._body = {"partnerTag": tag, "marketplace": self._marketplace, "resources": list(_RESOURCES)}
        self._fetcher = fetcher
        self._authorization = _authorization(store, fetcher, country)
        header_value(store, "marketplace", self._marketplace)

    def ask(self, operation: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """One operation's answer. Items that do not exist come as errors beside those that do."""
        url = f"{self.root}/{operation}"
        headers = {"Authorization": self._authorization, "x-marketplace": self._marketplace}
        answer = self._fetcher.post_json(url, {**self._body, **question}, headers=headers)
        if answer.status in {401, 403}:
            raise FetchRefused(url, f"does not accept the credentials (HTTP {answer.status})")
        if answer.status == 404 and _finds_nothing(answer):
            return {}
        return mapping(answer.expect_ok().json())

    def items(self, asins: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        wanted = [asin.upper() for asin in asins]
        for start in range(0, len(wanted), PAGE_SIZE):
            answer = self.ask(
                "getItems", {"itemIds": wanted[start : start + PAGE_SIZE], "itemIdType": "ASIN"}
            )
            # Both spellings are met.
            found = mapping(answer.get("itemsResult")) or mapping(answer.get("itemResults"))
            yield from map(mapping, rows(found.get("items")))


def _finds_nothing(answer: Answer) -> bool:
    return "noresults" in answer.text[:2000].lower() or "itemnotaccessible" in answer.text[:2000].lower()


def _authorization(store: Store, fetcher: Fetcher, country: str | None) -> str:
    client = {
        "client_id": needed_key(store, "credential_id", _KEY_HINT),
        "client_secret": needed_key(store, "credential_secret", _KEY_HINT),
    }
    region = "1" if country in _AMERICA else "3" if country in _FAR_EAST else "2"
    version = store.options.get("credential_version") or f"3.{region}"
    if version not in _TOKENS:
        raise FetchRefused(store.url, f"credential_version is one of {', '.join(sorted(_TOKENS))}")
    is_cognito = version.startswith("2.")
    scope = "creatorsapi/default" if is_cognito else "creatorsapi::default"
    url = store.options.get("token_url") or _TOKENS[version]
    token = client_token(fetcher, url, {**client, "scope": scope})
    return f"Bearer {token}, Version {version}" if is_cognito else f"Bearer {token}"


def read_item(item: Mapping[str, Any], store: Store) -> RawOffer | InvalidOffer:
    """One item as the offer that wins its buy box; amounts are decimals in major units."""
    asin = code(item.get("asin"))
    about = mapping(item.get("itemInfo"))
    title = _shown(about.get("title"))
    if asin is None or not _ASIN.fullmatch(asin):
        return refused("no_id", item, title=title, detail="an item without an ASIN")
    listings = [mapping(one) for one in rows(mapping(item.get("offersV2")).get("listings"))]
    listing = next((one for one in listings if one.get("isBuyBoxWinner") is True), next(iter(listings), {}))
    asked = mapping(listing.get("price"))
    money, basis = mapping(asked.get("money")), mapping(mapping(asked.get("savingBasis")).get("money"))
    now, before = decimal(money.get("amount")), decimal(basis.get("amount"))
    is_reduced = before is not None and now is not None and before > now
    lines, codes = mapping(about.get("byLineInfo")), mapping(about.get("externalIds"))
    numbers = [
        found
        for name in ("eans", "isbns", "upcs")
        for value in rows(mapping(codes.get(name)).get("displayValues"))
        if (found := code(value))
    ]
    attributes = {
        name: value
        for one in map(mapping, rows(item.get("variationAttributes")))
        if (name := text(one.get("name"), 100)) and (value := text(one.get("value"), 200))
    }
    stock = text(mapping(listing.get("availability")).get("type"), 40)
    picture = mapping(mapping(mapping(item.get("images")).get("primary")).get("large")).get("url")
    parent = code(item.get("parentASIN"))
    return RawOffer(
        external_id=asin,
        url=address(f"{origin(store)}/", item.get("detailPageURL")) or f"{origin(store)}/dp/{asin}",
        title=title or "",
        price=price(money.get("amount")),
        price_currency=text(money.get("currency"), 10),
        list_price=before if is_reduced else None,
        price_kind="sale" if is_reduced else None,
        availability=_STOCK.get((stock or "").upper()),
        item_condition=text(mapping(listing.get("condition")).get("value"), 40),
        brand=_shown(lines.get("brand")) or _shown(lines.get("manufacturer")),
        gtin=next(iter(numbers), None),
        mpn=_shown(mapping(about.get("manufactureInfo")).get("itemPartNumber")),
        category=_shown(mapping(about.get("classifications")).get("productGroup")),
        image_url=address(f"{origin(store)}/", picture),
        item_group_id=parent if parent != asin else None,
        variant_attributes=attributes,
        seller=text(mapping(listing.get("merchantInfo")).get("name"), 100),
        source="creators_api",
        raw=storable({"asin": asin, "title": title, "listing": listing}),
    )


def _shown(holder: object) -> str | None:
    return text(mapping(holder).get("displayValue"), 500)


def detect(evidence: Evidence) -> Detection:
    """By the marketplace's own host."""
    country = marketplace_country(evidence.home.url, "amazon")
    if country is None:
        return NOT_DETECTED
    return Detection(
        confidence=0.98,
        signals=(
            Signal("Amazon's own host", "address"),
            Signal(
                "needs a key: --set credential_id=… --set credential_secret=… --set partner_tag=…", "platform"
            ),
            Signal("needs a question: --set ids=… or query=…", "platform"),
        ),
        sources=(Source(kind="creators_api", url=API),),
        name="Amazon",
        country=country,
    )


def check_offers(store: Store, lines: Sequence[HandOffLine], fetcher: Fetcher) -> list[OfferState]:
    """Re-read all lines, ten in a question."""
    found: dict[str, OfferState] = {}
    problem = NO_LONGER_LISTED
    try:
        for item in _Api(store, fetcher).items(list(dict.fromkeys(line.external_id for line in lines))):
            offer = read_item(item, store)
            found[offer.external_id] = state_of(offer, store)
    except StoreError as error:
        gone = isinstance(error, FetchFailed) and error.status == 404
        problem = problem if gone else error.problem
    return [found.get(line.external_id) or unknown_state(line.external_id, problem) for line in lines]


def build_handoff(store: Store, lines: Sequence[HandOffLine]) -> HandOff:
    """Amazon's add-to-cart address with numbered ASINs; the shopper confirms there, and keeps their cart."""
    wanted = quantities(lines)
    is_usable = store.options.get("cart_link", "yes").strip().casefold() not in {"no", "false", "0"}
    if not wanted or not is_usable or not all(_ASIN.fullmatch(asin) for asin in wanted):
        return product_links(store, lines)
    tag = store.options.get("partner_tag", "").strip()
    fields = [("AssociateTag", tag)] if tag else []
    for place, (asin, quantity) in enumerate(wanted.items(), start=1):
        fields += [(f"ASIN.{place}", asin), (f"Quantity.{place}", str(quantity))]
    url = f"{origin(store)}/gp/aws/cart/add.html?{urlencode(fields)}"
    return HandOff(kind="cart_link", url=url, is_affiliate=bool(tag))


platform = StorePlatform(
    name="amazon",
    title="Amazon",
    detect=detect,
    source=AmazonSource(),
    check_offers=check_offers,
    handoff=HandOffBuilder(kind="cart_link", build=build_handoff),
    options=(*_ASKS, "partner_tag", "marketplace", "credential_version", "token_url", "cart_link", "api_url"),
    secret_options=("credential_id", "credential_secret"),
    # Its licence: what was fetched longer ago than a day must not be shown.
    default_options={"max_age_hours": "24"},
)
